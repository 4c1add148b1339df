"""Compute cumulative sums and products along an axis, and products over axes."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from ..arguments import AxisLike, require_bool
from ..backends.interface import Array
from ..backends.precision import default_floating, is_floating, to_single
from ..backends.registry import backend_of
from ..errors import ArgumentError
from ..function import Function
from ..hints import hinted
from ..variable import AnyArray, Operand, Variable, cast, get_array_module
from .casting import as_floating
from .indexing import get_item
from .rearranging import flip, pad
from .reduction import axes_of, kept_shape
from .shape import expand_dims, require_array, reshape, transpose, with_axis

CUMSUM, CUMPROD = ("cumulative_sum", "cumsum"), ("cumulative_prod", "cumprod")
"""The names of two functions in the array API, and in NumPy before version 2.1."""


def accumulate(names: tuple[str, str], x: Array, axis: int) -> Array:
    """Return the cumulative sum or product of ``x``, computed in float64 if the library has it.

    NumPy adds sequentially, and in float32 the rounding error would grow with the number of terms.
    """
    backend = backend_of(x)
    function = named_function(backend.xp, names)
    if is_floating(x.dtype, backend):
        wide = backend.xp.result_type(x.dtype, default_floating(backend))
        return cast(function(x, axis=axis, dtype=wide), x.dtype)
    return function(without_booleans(x), axis=axis)


def named_function(xp: Any, names: tuple[str, str]) -> Callable[..., Any]:
    """Return the first of two functions that the library has."""
    return getattr(xp, names[0], None) or getattr(xp, names[1])


def without_booleans(x: Array) -> Array:
    """Return booleans as int64, because the array API has no sums and products of booleans."""
    xp = get_array_module(x)
    return cast(x, xp.int64) if xp.isdtype(x.dtype, "bool") else x


class CumulativeSum(Function):
    """y[i] = x[0] + ... + x[i], or x[i] + x[i + 1] + ... if reversed;  gx has the other order."""

    def __init__(self, axis: int, reverse: bool = False) -> None:
        self.axis, self.reverse = axis, reverse

    def forward(self, x: Array) -> Array:
        if not self.reverse:
            return accumulate(CUMSUM, x, self.axis)
        xp = get_array_module(x)
        y = accumulate(CUMSUM, xp.flip(x, axis=self.axis), self.axis)
        return xp.flip(y, axis=self.axis)

    def backward(self, gy: AnyArray) -> Any:
        return CumulativeSum(self.axis, not self.reverse)(gy)


@hinted
def cumulative_sum(
    x: Operand, axis: int | None = None, *, include_initial: bool = False
) -> Variable:
    """Return the sums of the first 1, 2, ..., n elements of ``x`` along ``axis``.

    Args:
        x: an array with at least one axis. The result of floating-point ``x`` has the same dtype;
            the result of integers or booleans has the dtype that ``numpy.cumsum`` returns.
        axis: an integer; negative values count from the end. None (default) is allowed if ``x``
            has one axis.
        include_initial: whether the result begins with 0, the sum of no elements, and thus has
            n + 1 elements along ``axis`` (default False).

    Raises:
        ShapeError: ``axis`` is out of range.
        ArgumentError: ``axis`` is None, and ``x`` does not have one axis.
        ArgumentTypeError: ``axis`` is not an integer, or ``include_initial`` not a bool.
    """
    array, axis = only_axis("cumulative_sum", x, axis)
    require_bool("cumulative_sum", "include_initial", include_initial)
    y = CumulativeSum(axis)(array)
    return prepend(y, axis, 0.0) if include_initial else y


class CumulativeProd(Function):
    """y[i] = x[0] x[1] ... x[i];  gx[i] = y[i - 1] r[i],  r[i] = gy[i] + x[i + 1] r[i + 1]."""

    def __init__(self, axis: int) -> None:
        self.axis = axis

    def forward(self, x: Array) -> Array:
        return accumulate(CUMPROD, x, self.axis)

    def backward(self, gy: AnyArray) -> Any:
        (x,), (y,), axis = self.inputs, self.outputs, self.axis
        factor, r, step = shift(as_floating(x), -1, axis, 0.0), gy, 1
        while step < x.shape[axis]:  # each pass doubles the number of terms in r
            r = r + factor * shift(r, -step, axis, 0.0)
            factor = factor * shift(factor, -step, axis, 0.0)
            step *= 2
        return shift(as_floating(y), 1, axis, 1.0) * r


@hinted
def cumulative_prod(
    x: Operand, axis: int | None = None, *, include_initial: bool = False
) -> Variable:
    """Return the products of the first 1, 2, ..., n elements of ``x`` along ``axis``.

    The arguments are those of `cumulative_sum`, but ``include_initial`` prepends 1. The gradient is
    also defined where elements of ``x`` are 0.

    Raises:
        ShapeError: ``axis`` is out of range.
        ArgumentError: ``axis`` is None, and ``x`` does not have one axis.
        ArgumentTypeError: ``axis`` is not an integer, or ``include_initial`` not a bool.
    """
    array, axis = only_axis("cumulative_prod", x, axis)
    require_bool("cumulative_prod", "include_initial", include_initial)
    y = CumulativeProd(axis)(array)
    return prepend(y, axis, 1.0) if include_initial else y


def only_axis(op: str, x: Operand, axis: int | None) -> tuple[Any, int]:
    """Return ``x`` and a nonnegative axis; None stands for the only axis of ``x``."""
    array = require_array(op, x)
    if axis is None and array.ndim != 1:
        raise ArgumentError(
            f"{op}: axis None for shape {tuple(array.shape)}: expected an axis; only an array with "
            "one axis needs none"
        )
    return with_axis(op, array, 0 if axis is None else axis)


def prepend(x: Any, axis: int, value: float) -> Variable:
    """Return ``x`` with ``value`` inserted before the first position of an axis."""
    widths = [(0, 0)] * x.ndim
    widths[axis] = (1, 0)
    return pad(x, widths, value)


def shift(x: Any, steps: int, axis: int, value: float) -> Any:
    """Return ``x`` moved by ``steps`` positions along an axis, with ``value`` in free positions."""
    n = x.shape[axis]
    count = min(abs(steps), n)
    kept = slice(None, n - count) if steps > 0 else slice(count, None)
    widths = [(0, 0)] * x.ndim
    widths[axis] = (count, 0) if steps > 0 else (0, count)
    return pad(get_item(x, (*[slice(None)] * axis, kept)), widths, value)


class Prod(Function):
    """y = the product of x over the last axis;  dy/dx[i] = the product of the other elements."""

    def forward(self, x: Array) -> Array:
        backend = backend_of(x)
        y = backend.xp.prod(to_single(without_booleans(x), backend), axis=-1)
        return cast(y, x.dtype) if is_floating(x.dtype, backend) else y

    def backward(self, gy: AnyArray) -> Any:
        (x,) = self.inputs
        x, last = as_floating(x), x.ndim - 1
        before = shift(cumulative_prod(x, last), 1, last, 1.0)
        after = flip(shift(cumulative_prod(flip(x, last), last), 1, last, 1.0), last)
        return expand_dims(gy, -1) * before * after


@hinted
def prod(x: Operand, axis: AxisLike = None, keepdims: bool = False) -> Variable:
    """Return the product of ``x`` over ``axis``; the arguments are those of `sum`.

    The gradient is also defined where elements of ``x`` are 0. The product of no elements is 1.

    Raises:
        ShapeError: an axis is out of range or repeated.
        ArgumentTypeError: an axis is not an integer, or ``keepdims`` is not a bool.
    """
    require_bool("prod", "keepdims", keepdims)
    array = require_array("prod", x)
    axes = axes_of("prod", axis, array.ndim)
    shape, kept = array.shape, [a for a in range(array.ndim) if a not in axes]
    lengths = [shape[a] for a in kept]
    rows = reshape(
        transpose(array, (*kept, *axes)), (*lengths, math.prod([shape[a] for a in axes]))
    )
    y: Variable = Prod()(rows)
    return reshape(y, kept_shape(shape, axes)) if keepdims else y
