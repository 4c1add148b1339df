"""Change the shape of an array, or the order of its axes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ..arguments import Axis, as_axes, as_integer, as_integers, as_shape, normalize_axes
from ..backends.interface import Array
from ..diagnosis import positions_of, shape_of
from ..errors import ArgumentTypeError, ShapeError, UnsupportedType
from ..function import Function
from ..hints import hinted
from ..variable import AnyArray, Operand, Variable, as_variable, get_array_module


class Reshape(Function):
    """Change the shape of x;  gx = gy in the shape of x."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape = shape

    def forward(self, x: Array) -> Array:
        xp = get_array_module(x)
        return xp.reshape(x, self.shape)

    def backward(self, gy: Array | Variable) -> Any:
        (x,) = self.inputs
        return reshape(gy, x.shape)

    def diagnose(self, *arrays: Array) -> None:
        (x,) = arrays
        if None in x.shape:  # a length that is not known while a graph is traced
            return
        known = [length for length in self.shape if length != -1]
        unknown, size, total = len(self.shape) - len(known), math.prod(x.shape), math.prod(known)
        fits = total > 0 and size % total == 0 if unknown else size == total
        if unknown > 1 or not fits or any(length < 0 for length in known):
            raise ShapeError(
                f"Reshape: {size} elements of shape {tuple(x.shape)} to {self.shape}: the number "
                "of elements must be equal; one length may be -1"
            )


@hinted
def reshape(x: Operand, shape: int | Sequence[int]) -> Variable:
    """Return ``x`` with a new shape (book step 38).

    Args:
        x: any shape.
        shape: the new shape, an integer or a sequence of integers; one length may be -1, and is
            computed from the other lengths.

    Raises:
        ShapeError: ``x`` and the new shape have different numbers of elements.
        ArgumentTypeError: a length is not an integer.
    """
    return Reshape(as_shape("reshape", shape))(x)


class Transpose(Function):
    """Permute the axes of x;  gx = gy with the inverse permutation."""

    def __init__(self, axes: tuple[int, ...] | None) -> None:
        self.axes = axes

    def forward(self, x: Array) -> Array:
        xp = get_array_module(x)
        axes = tuple(range(x.ndim))[::-1] if self.axes is None else self.axes
        self.axes = tuple([axis + x.ndim if axis < 0 else axis for axis in axes])
        return xp.permute_dims(x, self.axes)

    def backward(self, gy: Array | Variable) -> Any:
        axes = self.axes or ()
        return transpose(gy, tuple(sorted(range(len(axes)), key=axes.__getitem__)))

    def diagnose(self, *arrays: Array) -> None:
        (x,) = arrays
        positions = positions_of(self.axes, x.ndim)
        if positions is None or len(positions) != x.ndim:
            raise ShapeError(
                f"Transpose: axes {self.axes} for shape {tuple(x.shape)}: expected each axis once"
            )


@hinted
def transpose(x: Operand, axes: Sequence[int] | None = None) -> Variable:
    """Return ``x`` with its axes permuted (book step 38).

    Args:
        x: any shape.
        axes: a permutation of the axes of ``x``; None (default) reverses their order.

    Raises:
        ShapeError: ``axes`` is not a permutation of the axes of ``x``.
        ArgumentTypeError: an axis is not an integer.
    """
    return Transpose(None if axes is None else as_integers("transpose", "axes", axes))(x)


@hinted
def matrix_transpose(x: AnyArray) -> Variable:
    """Return ``x`` with its last two axes swapped, which transposes each matrix of a stack.

    Raises:
        ShapeError: ``x`` has fewer than two axes.
    """
    if x.ndim < 2:
        raise ShapeError(f"matrix_transpose: shape {tuple(x.shape)}: expected at least two axes")
    axes = range(x.ndim)
    return transpose(x, (*axes[:-2], axes[-1], axes[-2]))


@hinted
def permute_dims(x: Operand, axes: Sequence[int]) -> Variable:
    """Return ``x`` with its axes permuted, as `transpose` does if ``axes`` is not None.

    Raises:
        ShapeError: ``axes`` is not a permutation of the axes of ``x``.
        ArgumentTypeError: an axis is not an integer.
    """
    return Transpose(as_integers("permute_dims", "axes", axes))(x)


@hinted
def moveaxis(x: Operand, source: int | Sequence[int], destination: int | Sequence[int]) -> Variable:
    """Return ``x`` with some axes moved to other positions; the other axes keep their order.

    Args:
        x: any shape.
        source: the axes to move, an integer or a sequence of integers.
        destination: the new position of each of these axes.

    Raises:
        ShapeError: an axis is out of range or repeated, or the numbers of axes differ.
        ArgumentTypeError: an axis is not an integer.
    """
    ndim = require_array("moveaxis", x).ndim
    old, new = (
        normalize_axes("moveaxis", as_integers("moveaxis", name, axes), ndim)
        for name, axes in (("source", source), ("destination", destination))
    )
    if len(old) != len(new):
        raise ShapeError(
            f"moveaxis: source {source} and destination {destination}: expected equal numbers of "
            "axes"
        )
    order = [axis for axis in range(ndim) if axis not in old]
    for position, axis in sorted(zip(new, old, strict=True)):
        order.insert(position, axis)
    return transpose(x, order)


class ExpandDims(Function):
    """Insert an axis of length 1;  gx = gy in the shape of x."""

    def __init__(self, axis: int) -> None:
        self.axis = axis

    def forward(self, x: Array) -> Array:
        xp = get_array_module(x)
        return xp.expand_dims(x, axis=self.axis)

    def backward(self, gy: Array | Variable) -> Any:
        (x,) = self.inputs
        return reshape(gy, x.shape)

    def diagnose(self, *arrays: Array) -> None:
        (x,) = arrays
        if positions_of(self.axis, x.ndim + 1) is None:
            raise ShapeError(
                f"ExpandDims: axis {self.axis} for shape {tuple(x.shape)}: expected an axis in "
                f"[{-x.ndim - 1}, {x.ndim + 1})"
            )


@hinted
def expand_dims(x: Array | Variable, axis: int | Sequence[int]) -> Variable:
    """Return ``x`` with new axes of length 1.

    Args:
        x: any shape.
        axis: the position of the new axis in the result, or several positions; negative values
            count from the end.

    Raises:
        ShapeError: ``axis`` is out of range or repeated.
        ArgumentTypeError: ``axis`` is not an integer.
    """
    axes = as_axes("expand_dims", axis)
    if isinstance(axes, int):
        return ExpandDims(axes)(x)
    if axes is None:
        raise ArgumentTypeError("expand_dims: axis None: expected an integer or a tuple of them")
    ndim = x.ndim + len(axes)
    new = normalize_axes("expand_dims", axes, ndim)
    lengths = iter(x.shape)
    return reshape(x, tuple([1 if axis in new else next(lengths) for axis in range(ndim)]))


class Squeeze(Function):
    """Remove axes of length 1;  gx = gy in the shape of x."""

    def __init__(self, axis: Axis) -> None:
        self.axis = axis

    def forward(self, x: Array) -> Array:
        xp = get_array_module(x)
        ones = tuple(a for a, length in enumerate(x.shape) if length == 1)
        return xp.squeeze(x, axis=ones if self.axis is None else self.axis)

    def backward(self, gy: Array | Variable) -> Any:
        (x,) = self.inputs
        return reshape(gy, x.shape)

    def diagnose(self, *arrays: Array) -> None:
        (x,) = arrays
        axes = positions_of(() if self.axis is None else self.axis, x.ndim)
        if axes is None or any(x.shape[a] != 1 for a in axes):
            raise ShapeError(
                f"Squeeze: axis {self.axis} for shape {tuple(x.shape)}: only axes of length 1 "
                "can be removed"
            )


@hinted
def squeeze(x: Operand, axis: int | Sequence[int] | None = None) -> Variable:
    """Return ``x`` without the given axes; if ``axis`` is None, remove all axes of length 1.

    Raises:
        ShapeError: an axis is out of range, or longer than 1.
        ArgumentTypeError: an axis is not an integer.
    """
    return Squeeze(as_axes("squeeze", axis))(x)


@hinted
def flatten(x: Operand, start_axis: int = 1, end_axis: int = -1) -> Variable:
    """Return ``x`` with the axes from ``start_axis`` to ``end_axis`` joined into one.

    The default keeps the axis of the examples: (N, ...) becomes (N, M) (book step 38). The default
    ``start_axis`` of the method ``x.flatten()`` is 0, as in NumPy and PyTorch. If ``start_axis`` is
    x.ndim, the result has a new last axis of length 1.

    Raises:
        ShapeError: ``start_axis`` is not in [-x.ndim, x.ndim], ``end_axis`` is not in [-x.ndim,
            x.ndim), or ``end_axis`` comes before ``start_axis``.
        ArgumentTypeError: an axis is not an integer.
    """
    shape, start = shape_of(x), as_integer("flatten", "start_axis", start_axis)
    ndim, end = len(shape), as_integer("flatten", "end_axis", end_axis)
    if not -ndim <= start <= ndim:
        raise ShapeError(
            f"flatten: start_axis {start} for shape {shape}: expected an axis in [{-ndim}, {ndim}]"
        )
    start = start + ndim if start < 0 else start
    stop = end + 1 + (ndim if end < 0 else 0)
    if not (start < stop <= ndim or start == stop == ndim):
        raise ShapeError(
            f"flatten: end_axis {end} for shape {shape} and start_axis {start_axis}: expected the "
            "same axis or a later one"
        )
    return reshape(x, (*shape[:start], math.prod(shape[start:stop]), *shape[stop:]))


def require_array(op: str, x: Any) -> Any:
    """Return a Variable or an array unchanged, and a Python number as a Variable.

    Raises:
        UnsupportedType: ``x`` is something else, such as a list; the message starts with ``op``.
    """
    try:
        return x if hasattr(x, "shape") else as_variable(x)
    except UnsupportedType as error:
        raise UnsupportedType(f"{op}: {error}") from None


def with_axis(op: str, x: Operand, axis: object) -> tuple[Any, int]:
    """Return ``x`` as `require_array` does, and ``axis`` as an integer in [0, x.ndim).

    Raises:
        UnsupportedType: ``x`` is not an array.
        ShapeError: ``axis`` is out of range.
        ArgumentTypeError: ``axis`` is not an integer.
    """
    array = require_array(op, x)
    (axis,) = normalize_axes(op, as_integer(op, "axis", axis), array.ndim)
    return array, axis
