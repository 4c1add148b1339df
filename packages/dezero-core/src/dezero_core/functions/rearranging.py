"""Rearrange, repeat, pad and mask the elements of an array."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..arguments import (
    Axis,
    as_axes,
    as_integer,
    as_integers,
    as_number,
    is_sequence,
    normalize_axes,
)
from ..backends.interface import Array
from ..backends.precision import is_floating
from ..backends.registry import backend_of
from ..diagnosis import require_axes
from ..errors import ArgumentError, ShapeError
from ..function import Function
from ..hints import hinted
from ..variable import Operand, Variable, get_array_module, unwrap
from .arithmetic import pos
from .broadcast import broadcast_to
from .gathering import take
from .indexing import get_item
from .shape import expand_dims, moveaxis, require_array, reshape, with_axis


class Flip(Function):
    """Reverse the order of the elements along axes;  gx = gy reversed along the same axes."""

    def __init__(self, axis: Axis) -> None:
        self.axis = axis

    def forward(self, x: Array) -> Array:
        return get_array_module(x).flip(x, axis=self.axis)

    def backward(self, gy: Array | Variable) -> Any:
        return flip(gy, self.axis)

    def diagnose(self, *arrays: Array) -> None:
        require_axes(self, self.axis, arrays[0].shape, elements=False)


@hinted
def flip(x: Operand, axis: int | Sequence[int] | None = None) -> Variable:
    """Return ``x`` with the order of its elements reversed along ``axis``.

    Args:
        x: any shape.
        axis: an integer or a sequence of integers; None (default) reverses along all axes.

    Raises:
        ShapeError: an axis is out of range or repeated.
        ArgumentTypeError: an axis is not an integer.
    """
    return Flip(as_axes("flip", axis))(x)


@hinted
def repeat(x: Operand, repeats: int | Sequence[int], axis: int | None = None) -> Variable:
    """Return ``x`` with each element repeated along ``axis``, like ``torch.repeat_interleave``.

    Args:
        x: any shape.
        repeats: how often to repeat each element: an integer, or one integer for each position
            along ``axis``. (``torch.Tensor.repeat`` is `tile`.)
        axis: an integer; None (default) flattens ``x`` first.

    Raises:
        ShapeError: ``axis`` is out of range, or the number of ``repeats`` is not its length.
        ArgumentTypeError: an argument is not an integer.
        ArgumentError: a number in ``repeats`` is negative.
    """
    if axis is None:
        x, axis = reshape(x, (-1,)), 0
    array, axis = with_axis("repeat", x, axis)
    counts, length = as_integers("repeat", "repeats", repeats), array.shape[axis]
    if any([count < 0 for count in counts]):
        raise ArgumentError(f"repeat: repeats {counts}: expected integers of at least 0")
    if is_sequence(repeats) and len(counts) != 1:
        if len(counts) != length:
            raise ShapeError(
                f"repeat: {len(counts)} repeats for axis {axis} of shape {tuple(array.shape)}: "
                f"expected one integer, or {length}"
            )
        return take(array, [i for i, count in enumerate(counts) for _ in range(count)], axis)
    before, after = array.shape[: axis + 1], array.shape[axis + 1 :]
    copies = broadcast_to(expand_dims(array, axis + 1), (*before, *counts, *after))
    return reshape(copies, (*before[:-1], length * counts[0], *after))


@hinted
def tile(x: Operand, repetitions: int | Sequence[int]) -> Variable:
    """Return copies of the whole array ``x`` side by side, like ``numpy.tile``.

    Args:
        x: any shape.
        repetitions: the number of copies along each axis. If there are fewer numbers than axes,
            they are for the last axes; if there are more, the result has new leading axes.

    Raises:
        ArgumentTypeError: a number of copies is not an integer.
        ArgumentError: a number of copies is negative.
    """
    array, counts = require_array("tile", x), as_integers("tile", "repetitions", repetitions)
    if any([count < 0 for count in counts]):
        raise ArgumentError(f"tile: repetitions {counts}: expected integers of at least 0")
    counts = (1,) * (array.ndim - len(counts)) + counts
    lengths = (1,) * (len(counts) - array.ndim) + tuple(array.shape)
    pairs = list(zip(counts, lengths, strict=True))
    single = reshape(array, [n for length in lengths for n in (1, length)])
    copies = broadcast_to(single, [n for pair in pairs for n in pair])
    return reshape(copies, [count * length for count, length in pairs])


class Roll(Function):
    """Shift x cyclically along axes;  gx = gy shifted back."""

    def __init__(self, shift: int | tuple[int, ...], axis: Axis) -> None:
        self.shift, self.axis = shift, axis

    def forward(self, x: Array) -> Array:
        return get_array_module(x).roll(x, self.shift, axis=self.axis)

    def backward(self, gy: Array | Variable) -> Any:
        back = -self.shift if isinstance(self.shift, int) else tuple([-n for n in self.shift])
        return Roll(back, self.axis)(gy)

    def diagnose(self, *arrays: Array) -> None:
        require_axes(self, self.axis, arrays[0].shape, elements=False)


@hinted
def roll(
    x: Operand, shift: int | Sequence[int], axis: int | Sequence[int] | None = None
) -> Variable:
    """Return ``x`` shifted along axes, where elements that leave at one end enter at the other.

    Args:
        x: any shape.
        shift: the number of positions: one integer, or one for each axis in ``axis``.
        axis: an integer or a sequence of integers; None (default) shifts the flattened elements.

    Raises:
        ShapeError: an axis is out of range, or the numbers of shifts and axes differ.
        ArgumentTypeError: a shift or an axis is not an integer.
    """
    shifts, axes = as_integers("roll", "shift", shift), as_axes("roll", axis)
    count = len(axes) if isinstance(axes, tuple) else 1
    if len(shifts) not in (1, count):
        raise ShapeError(f"roll: shift {shift} for axis {axis}: expected one shift for each axis")
    if count == 1:
        return Roll(shifts[0], axes)(x)
    return Roll(shifts * count if len(shifts) == 1 else shifts, axes)(x)


class Pad(Function):
    """Surround x with a constant;  gx = the slice of gy where x is."""

    def __init__(self, widths: tuple[tuple[int, int], ...], value: float) -> None:
        self.widths, self.value = widths, value

    def forward(self, x: Array) -> Array:
        return backend_of(x).pad(x, self.widths, self.value)

    def backward(self, gy: Array | Variable) -> Any:
        (x,) = self.inputs
        lengths = zip(self.widths, x.shape, strict=True)
        return get_item(gy, tuple([slice(before, before + n) for (before, _), n in lengths]))


@hinted
def pad(
    x: Operand, widths: Sequence[Sequence[int]], value: float = 0.0, *, mode: str = "constant"
) -> Variable:
    """Return ``x`` with elements added before and after each axis.

    Args:
        x: any shape.
        widths: a pair (before, after) for each axis of ``x``, first axis first. PyTorch's ``pad``
            takes the numbers in one sequence, last axis first.
        value: the number to add (default 0.0), converted to the dtype of ``x``.
        mode: which elements to add, as in `numpy.pad`: ``"constant"`` (default) adds ``value``,
            ``"edge"`` repeats the first and the last element, ``"reflect"`` mirrors the elements
            at the first and the last one, and ``"wrap"`` continues with the elements of the other
            end.

    Raises:
        ShapeError: ``widths`` is not one pair of nonnegative integers for each axis, or an axis
            without elements would be padded with its elements.
        ArgumentTypeError: a width is not an integer, or ``value`` is not a number.
        ArgumentError: ``mode`` has another value; ``value`` is not 0 and ``mode`` is not
            ``"constant"``; or ``x`` has integers or bools and ``value`` is not an integer.
    """
    array, value = require_array("pad", x), as_number("pad", "value", value)
    listed = widths if is_sequence(widths) else ()
    pairs: Any = tuple([as_integers("pad", "widths", pair) for pair in listed])
    if len(pairs) != array.ndim or any([len(pair) != 2 or min(pair) < 0 for pair in pairs]):
        raise ShapeError(
            f"pad: widths {widths} for shape {tuple(array.shape)}: expected a pair (before, after) "
            f"of integers of at least 0 for each of the {array.ndim} axes, the first axis first"
        )
    if mode != "constant":
        return padded_with_elements(array, pairs, value, mode)
    if not is_floating(array.dtype, backend_of(unwrap(array))):
        if not float(value).is_integer():
            raise ArgumentError(f"pad: value {value} for {array.dtype}: expected an integer")
        value = int(value)
    return Pad(pairs, value)(array)


PYTORCH_MODES = {"replicate": "edge", "circular": "wrap"}
"""A dictionary from PyTorch's names of padding modes to NumPy's."""


def padded_with_elements(x: Any, pairs: Sequence[Sequence[int]], value: float, mode: str) -> Any:
    """Return ``x`` padded with its own elements; see `pad`."""
    if not isinstance(mode, str) or mode not in ("edge", "reflect", "wrap"):
        hint = f"; write {PYTORCH_MODES[mode]!r}" if mode in list(PYTORCH_MODES) else ""
        raise ArgumentError(
            f"pad: mode {mode!r}: expected 'constant', 'edge', 'reflect' or 'wrap'{hint}"
        )
    if value:
        raise ArgumentError(f"pad: value {value} with mode {mode!r}; leave value out")
    for axis, (before, after) in enumerate(pairs):
        if before or after:
            n, array = x.shape[axis], unwrap(x)
            if n == 0:
                raise ShapeError(f"pad: shape {tuple(x.shape)}: no elements along axis {axis}")
            positions = backend_of(array).arange(before + n + after, array) - before
            x = take(x, elements_at(positions, n, mode), axis)
    return pos(x)


def elements_at(positions: Array, n: int, mode: str) -> Any:
    """Return the index in [0, n) of the element that padding repeats at each position."""
    xp = get_array_module(positions)
    if mode == "edge":
        return xp.clip(positions, 0, n - 1)
    if mode == "wrap":
        return positions % n
    period = 2 * n - 2 or 1
    positions = positions % period
    return xp.minimum(positions, period - positions) if n > 1 else positions


class Tril(Function):
    """Set the elements above a diagonal to 0;  gx = gy with the same elements set to 0."""

    def __init__(self, k: int) -> None:
        self.k = k

    def forward(self, x: Array) -> Array:
        if x.ndim < 2:
            name, shape = type(self).__name__, tuple(x.shape)
            raise ShapeError(f"{name}: shape {shape}: expected at least two axes")
        return self.triangle(get_array_module(x), x)

    def triangle(self, xp: Any, x: Array) -> Array:
        """Return the part of each matrix that is not set to 0."""
        return xp.tril(x, k=self.k)

    def backward(self, gy: Array | Variable) -> Any:
        return type(self)(self.k)(gy)


@hinted
def tril(x: Operand, k: int = 0) -> Variable:
    """Return the lower triangle of each matrix in ``x``, with zeros above it.

    Args:
        x: shape (..., n, m).
        k: the highest diagonal to keep: 0 (default) is the main diagonal, 1 the diagonal above it.

    Raises:
        ShapeError: ``x`` has fewer than two axes.
        ArgumentTypeError: ``k`` is not an integer.
    """
    return Tril(as_integer("tril", "k", k))(x)


class Triu(Tril):
    """Set the elements below a diagonal to 0;  gx = gy with the same elements set to 0."""

    def triangle(self, xp: Any, x: Array) -> Array:
        return xp.triu(x, k=self.k)


@hinted
def triu(x: Operand, k: int = 0) -> Variable:
    """Return the upper triangle of each matrix in ``x``, with zeros below it.

    Args:
        x: shape (..., n, m).
        k: the lowest diagonal to keep: 0 (default) is the main diagonal, 1 the diagonal above it.

    Raises:
        ShapeError: ``x`` has fewer than two axes.
        ArgumentTypeError: ``k`` is not an integer.
    """
    return Triu(as_integer("triu", "k", k))(x)


def diagonal(x: Operand, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Variable:
    """Return a diagonal of each matrix in ``x``, like ``numpy.diagonal``.

    Args:
        x: at least two axes.
        offset: 0 (default) for the main diagonal; positive values for diagonals above it.
        axis1, axis2: the axes of the rows and columns (default 0 and 1; for a stack of matrices
            -2 and -1).

    Returns:
        the shape of ``x`` without these axes, followed by the length of the diagonal.

    Raises:
        ShapeError: an axis is out of range, or both axes are the same.
        ArgumentTypeError: an argument is not an integer.
    """
    offset = as_integer("diagonal", "offset", offset)
    axes = as_integers("diagonal", "axis1 and axis2", (axis1, axis2))
    array = require_array("diagonal", x)
    normalize_axes("diagonal", axes, array.ndim)
    array = moveaxis(array, axes, (-2, -1))
    *before, rows, columns = array.shape
    length = max(0, min(rows + min(offset, 0), columns - max(offset, 0)))
    flat = reshape(array, (*before, rows * columns))
    start = max(offset, 0) - min(offset, 0) * columns if length else 0
    stop = start + (length - 1) * (columns + 1) + 1 if length else 0
    return get_item(flat, (..., slice(start, stop, columns + 1)))
