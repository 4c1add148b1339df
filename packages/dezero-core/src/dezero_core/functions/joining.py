"""Join arrays into one array, and split an array into parts."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

from ..arguments import as_integer, as_integers, is_sequence
from ..backends.interface import Array
from ..backends.registry import backend_of
from ..diagnosis import positions_of, require_axes, shape_of
from ..errors import ArgumentError, ShapeError
from ..function import Function
from ..hints import hinted
from ..step_recorder import recorder
from ..variable import Operand, Variable, as_array, get_array_module, unwrap
from .shape import reshape, with_axis

MAX_JOINED = 8
"""Maximum number of arrays to join at once while a step is recorded. CuPy would copy the addresses
of more arrays from the host, which a captured step cannot repeat."""


def join_arrays(xs: Sequence[Array], axis: int) -> Array:
    """Join arrays along an existing axis, `MAX_JOINED` at a time while a step is recorded."""
    if len(xs) > MAX_JOINED and recorder.get() is not None:
        parts = [xs[k : k + MAX_JOINED] for k in range(0, len(xs), MAX_JOINED)]
        return join_arrays([join_arrays(part, axis) for part in parts], axis)
    return get_array_module(xs[0]).concat(xs, axis=axis)


def stack_arrays(xs: Sequence[Array], axis: int = 0) -> Array:
    """Join arrays along a new axis, `MAX_JOINED` at a time while a step is recorded."""
    xp = get_array_module(xs[0])
    if len(xs) > MAX_JOINED and recorder.get() is not None:
        return join_arrays([xp.expand_dims(x, axis=axis) for x in xs], axis)
    return xp.stack(xs, axis=axis)


class Concat(Function):
    """Join the inputs along an axis;  the gradient of each input is a slice of gy."""

    def __init__(self, axis: int) -> None:
        self.axis = axis

    def forward(self, *xs: Array) -> Array:
        return join_arrays(xs, self.axis)

    def backward(self, gy: Array | Variable) -> Any:
        gxs = split(gy, [x.shape[self.axis] for x in self.inputs], self.axis)
        return tuple([gx if need else None for gx, need in zip(gxs, self.needs_grad, strict=True)])

    def diagnose(self, *arrays: Array) -> None:
        shapes = [list(shape_of(x)) for x in arrays]
        axes = positions_of(self.axis, len(shapes[0]))
        if axes is not None and len({len(shape) for shape in shapes}) == 1:
            for shape in shapes:
                shape[axes[0]] = 0  # lengths along this axis may differ
        if axes is None or any(shape != shapes[0] for shape in shapes):
            raise ShapeError(
                f"Concat: shapes {', '.join(str(shape_of(x)) for x in arrays)} along axis "
                f"{self.axis}: all other axes must be equal"
            )


@hinted
def concat(xs: Sequence[Operand], axis: int | None = 0) -> Variable:
    """Return the arrays ``xs`` joined along an existing axis.

    Args:
        xs: one or more arrays, whose shapes may differ in ``axis`` only.
        axis: the axis (default 0); negative values count from the end; None flattens ``xs`` first.

    Raises:
        ArgumentError: ``xs`` is empty.
        ArgumentTypeError: ``axis`` is not an integer.
        ShapeError: the shapes differ in an axis other than ``axis``, or ``axis`` is out of range.
    """
    xs = list(xs)
    if not xs:
        raise ArgumentError("concat: nothing to join; expected at least one array")
    if axis is None:
        return Concat(0)(*[reshape(x, (-1,)) for x in xs])
    return Concat(as_integer("concat", "axis", axis))(*xs)


class Stack(Function):
    """Join the inputs along a new axis;  the gradient of each input is a slice of gy."""

    def __init__(self, axis: int) -> None:
        self.axis = axis

    def forward(self, *xs: Array) -> Array:
        return stack_arrays(xs, self.axis)

    def backward(self, gy: Array | Variable) -> Any:
        gxs = unstack(gy, self.axis)
        return tuple([gx if need else None for gx, need in zip(gxs, self.needs_grad, strict=True)])

    def diagnose(self, *arrays: Array) -> None:
        shapes = [shape_of(x) for x in arrays]
        if any(shape != shapes[0] for shape in shapes):
            raise ShapeError(
                f"Stack: shapes {', '.join(map(str, shapes))}: all must be equal; concat() joins "
                "arrays along an existing axis"
            )
        require_axes(self, self.axis, (1, *shapes[0]), elements=False)


@hinted
def stack(xs: Sequence[Operand], axis: int = 0) -> Variable:
    """Return the arrays ``xs`` joined along a new axis.

    Args:
        xs: one or more arrays of the same shape.
        axis: the position of the new axis in the result (default 0); negative values count from
            the end.

    Raises:
        ArgumentError: ``xs`` is empty.
        ArgumentTypeError: ``axis`` is not an integer.
        ShapeError: the shapes differ, or ``axis`` is out of range.
    """
    xs = list(xs)
    if not xs:
        raise ArgumentError("stack: nothing to join; expected at least one array")
    return Stack(as_integer("stack", "axis", axis))(*[as_array(x) for x in xs])


class Unstack(Function):
    """Split x into slices along an axis, and remove this axis; gx = the gys stacked."""

    materialize_grads = False

    def __init__(self, axis: int) -> None:
        self.axis = axis

    def forward(self, x: Array) -> tuple[Array, ...]:
        first = get_array_module(x).moveaxis(x, self.axis, 0)
        return tuple([first[i, ...] for i in range(first.shape[0])])

    def backward(self, *gys: Array | Variable) -> Any:
        known = next(unwrap(gy) for gy in gys if gy is not None)
        zeros = None
        if any([gy is None for gy in gys]):
            zeros = get_array_module(known).zeros_like(known)
        return Stack(self.axis)(*[zeros if gy is None else gy for gy in gys])

    def diagnose(self, *arrays: Array) -> None:
        require_axes(self, self.axis, shape_of(arrays[0]), elements=False)


@hinted
def unstack(x: Operand, axis: int = 0) -> tuple[Variable, ...]:
    """Return the slices of ``x`` along an axis, like ``torch.unbind``; the inverse of `stack`.

    One op returns all slices. Therefore the cost of a loop over a sequence is linear in the number
    of steps, even with ``backward(create_graph=True)``. A backward pass through one slice frees the
    graph of all slices. To run a separate backward pass for each slice, use ``x[i]`` instead.

    Args:
        x: an array with at least one axis.
        axis: the axis to remove (default 0); negative values count from the end.

    Returns:
        One Variable for each position along ``axis``. The Variables share the memory of ``x`` if
        the array library has views.

    Raises:
        ArgumentTypeError: ``axis`` is not an integer.
        ShapeError: ``axis`` is out of range.
    """
    return Unstack(as_integer("unstack", "axis", axis))(x)


class Split(Function):
    """Split x into parts along an axis;  gx = the gys joined, with zeros for unused parts."""

    materialize_grads = False

    def __init__(self, sizes: tuple[int, ...], axis: int) -> None:
        self.sizes, self.axis = sizes, axis

    def forward(self, x: Array) -> tuple[Array, ...]:
        before = (slice(None),) * self.axis
        ends = zip(self.sizes, accumulate(self.sizes), strict=True)
        return tuple([x[(*before, slice(end - size, end), ...)] for size, end in ends])

    def backward(self, *gys: Array | Variable) -> Any:
        known = next(unwrap(gy) for gy in gys if gy is not None)
        before, after = known.shape[: self.axis], known.shape[self.axis + 1 :]
        parts = [
            backend_of(known).zeros((*before, size, *after), known) if gy is None else gy
            for size, gy in zip(self.sizes, gys, strict=True)
        ]
        return Concat(self.axis)(*parts)


@hinted
def split(x: Operand, size_or_sizes: int | Sequence[int], axis: int = 0) -> tuple[Variable, ...]:
    """Return the parts of ``x`` along an axis, like ``torch.split``; the inverse of `concat`.

    One op returns all parts, so the gradient of ``x`` is one `concat`. ``numpy.split`` differs: its
    integer is the number of parts, which `chunk` takes.

    Args:
        x: an array with at least one axis.
        size_or_sizes: the length of every part, where the last part may be shorter; or a list of
            the lengths of all parts.
        axis: the axis to split (default 0); negative values count from the end.

    Returns:
        Variables that share the memory of ``x`` if the array library has views.

    Raises:
        ShapeError: the sizes do not add up to the length of ``axis``, or ``axis`` is out of range.
        ArgumentTypeError: a size or ``axis`` is not an integer.
        ArgumentError: the length of every part is below 1.
    """
    array, axis = with_axis("split", x, axis)
    length = array.shape[axis]
    if is_sequence(size_or_sizes):
        sizes = as_integers("split", "sizes", size_or_sizes)
    else:
        size = as_integer("split", "size", size_or_sizes, minimum=1 if length else 0)
        sizes = tuple([min(size, length - i) for i in range(0, length, size or 1)]) or (0,)
    if not sizes or sum(sizes) != length or min(sizes) < 0:
        raise ShapeError(
            f"split: sizes {sizes} along axis {axis} of shape {tuple(array.shape)}: expected sizes "
            f"of at least 0 that add up to {length}"
        )
    return Split(sizes, axis)(array)


@hinted
def chunk(x: Operand, n: int, axis: int = 0) -> tuple[Variable, ...]:
    """Return ``x`` split along ``axis`` into at most ``n`` parts, like ``torch.chunk``.

    All parts have the length ``ceil(length / n)``, except the last part, which may be shorter. If
    fewer than ``n`` such parts cover the axis, fewer parts are returned.

    Args:
        x: an array with at least one axis.
        n: the number of parts, at least 1.
        axis: the axis to split (default 0); negative values count from the end.

    Raises:
        ShapeError: ``axis`` is out of range.
        ArgumentTypeError: ``n`` or ``axis`` is not an integer.
        ArgumentError: ``n`` is below 1.
    """
    (array, axis), n = with_axis("chunk", x, axis), as_integer("chunk", "n", n, minimum=1)
    length = array.shape[axis]
    return split(array, -(-length // n) if length else [0] * n, axis)
