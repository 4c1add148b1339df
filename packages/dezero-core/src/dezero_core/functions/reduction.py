"""Reduce an array over axes: sum, mean, maximum, minimum, logsumexp, argmax and argmin."""

from __future__ import annotations

import math
from typing import Any

from ..arguments import Axis, AxisLike, as_axes, as_integer, normalize_axes, require_bool
from ..backends.interface import Array
from ..backends.precision import sum_over
from ..backends.registry import backend_of
from ..diagnosis import require_axes
from ..errors import ShapeError
from ..function import Function
from ..hints import hinted
from ..variable import Operand, Variable, cast, get_array_module, unwrap
from .broadcast import broadcast_to
from .casting import as_floating, call_widened, narrow, widen
from .exponential import exp
from .selection import where
from .shape import require_array, reshape


class Reduction(Function):
    """Store the axes and ``keepdims`` of a reduction, and check the axes."""

    def __init__(self, axis: Axis, keepdims: bool) -> None:
        self.axis, self.keepdims = axis, bool(keepdims)  # NumPy refuses its own bools

    def axes(self, x: Array) -> Axis:
        """Return the axes to reduce; as in NumPy, a 0-d array also accepts axis 0 or -1."""
        return () if x.ndim == 0 and self.axis in ((0,), (-1,)) else self.axis

    def diagnose(self, *arrays: Array) -> None:
        (x,) = arrays
        require_axes(self, self.axis, x.shape, elements=not isinstance(self, Sum))


class Sum(Reduction):
    """y = the sum of x over axes;  gx = gy broadcast to the shape of x."""

    def forward(self, x: Array) -> Array:
        return sum_over(x, backend_of(x), self.axes(x), self.keepdims)

    def backward(self, gy: Array | Variable) -> Any:
        (x,) = self.inputs
        return broadcast_to(reshape(gy, kept_shape(x.shape, self.axis)), x.shape)


@hinted
def sum(x: Operand, axis: AxisLike = None, keepdims: bool = False) -> Variable:
    """Return the sum of ``x`` over ``axis`` (book step 39).

    Args:
        x: any shape. The sum of floating-point ``x`` has the same dtype (half precision is added in
            float32); the sum of integers or booleans has the dtype that ``numpy.sum`` returns.
        axis: an integer, or a list, tuple or array of integers; negative values count from the
            end; None (default) sums over all axes.
        keepdims: keep summed axes with length 1 (default False).

    Raises:
        ShapeError: an axis is out of range or repeated.
        ArgumentTypeError: an axis is not an integer, or ``keepdims`` is not a bool.
    """
    return Sum(as_axes("sum", axis, keepdims), keepdims)(x)


@hinted
def mean(x: Operand, axis: AxisLike = None, keepdims: bool = False) -> Variable:
    """Return the mean of ``x`` over ``axis``; the arguments are those of `sum`.

    Integers and booleans are converted to floating point. Half precision is summed in float32.

    Raises:
        ShapeError: an axis is out of range or repeated, or there are no elements to average.
        ArgumentTypeError: an axis is not an integer, or ``keepdims`` is not a bool.
    """
    axis, array = as_axes("mean", axis, keepdims), require_array("mean", x)
    axes = normalize_axes("mean", axis if array.ndim else None, array.ndim)
    count = math.prod(array.shape[a] for a in axes)
    if count == 0:
        raise ShapeError(f"mean: no elements along axis {axis} of shape {tuple(array.shape)}")
    return narrow(sum(widen(array), axis, keepdims) / count, array)


average = mean
"""Return the mean over ``axis``; an alias of `mean`, named as in the book."""


class Max(Reduction):
    """y = the maximum of x over axes;  gy is split equally among the maximal elements."""

    def forward(self, x: Array) -> Array:
        xp = get_array_module(x)
        return xp.max(x, axis=self.axes(x), keepdims=self.keepdims)

    def backward(self, gy: Array | Variable) -> Any:
        (x,), (y,) = self.inputs, self.outputs
        shape = kept_shape(x.shape, self.axis)
        xp = get_array_module(x)
        selected = unwrap(x) == xp.reshape(unwrap(y), shape)
        count = xp.sum(cast(selected, xp.int64), axis=self.axes(x), keepdims=True)
        dtype = unwrap(widen(y)).dtype
        return reshape(as_floating(gy), shape) * (cast(selected, dtype) / cast(count, dtype))


@hinted
def max(x: Operand, axis: AxisLike = None, keepdims: bool = False) -> Variable:
    """Return the maximum of ``x`` over ``axis`` (book step 47); the arguments are those of `sum`.

    Equal maxima get equal parts of the gradient, as in PyTorch's ``amax``.

    Raises:
        ShapeError: an axis is out of range, is repeated, or has no elements.
        ArgumentTypeError: an axis is not an integer, or ``keepdims`` is not a bool.
    """
    return Max(as_axes("max", axis, keepdims), keepdims)(x)


class Min(Max):
    """y = the minimum of x over axes;  gy is split equally among the minimal elements."""

    def forward(self, x: Array) -> Array:
        xp = get_array_module(x)
        return xp.min(x, axis=self.axes(x), keepdims=self.keepdims)


@hinted
def min(x: Operand, axis: AxisLike = None, keepdims: bool = False) -> Variable:
    """Return the minimum of ``x`` over ``axis`` (book step 47); see `max`."""
    return Min(as_axes("min", axis, keepdims), keepdims)(x)


class LogSumExp(Reduction):
    """y = log(sum of exp(x) over axes);  dy/dx = exp(x - y)."""

    def forward(self, x: Array) -> Array:
        xp, axes = get_array_module(x), self.axes(x)
        minus_inf = backend_of(x).scalar_like(-math.inf, x)
        if 0 in x.shape:
            return xp.sum(x, axis=axes, keepdims=self.keepdims) + minus_inf
        largest = xp.finfo(x.dtype).max
        # Subtract the maximum, so that exp does not overflow. Clip the maximum, because inf - inf
        # is NaN.
        shift = xp.clip(xp.max(x, axis=axes, keepdims=True), -largest, largest)
        total = sum_over(xp.exp(x - shift), backend_of(x), axes, keepdims=True)
        is_zero = total == 0  # every x is -inf
        total = xp.where(is_zero, backend_of(x).scalar_like(1.0, x), total)
        y = xp.where(is_zero, minus_inf, shift + xp.log(total))
        return y if self.keepdims else xp.sum(y, axis=axes)  # this sum removes the axes of length 1

    def backward(self, gy: Array | Variable) -> Any:
        (x,), (y,) = self.inputs, self.outputs
        y = reshape(y, kept_shape(x.shape, self.axis))
        # If every x is -inf, y is -inf too, and x - y would be NaN. Subtract 0 instead of y,
        # because exp(-inf) is 0.
        return reshape(gy, y.shape) * exp(x - where(unwrap(y) == -math.inf, 0.0, y))


@hinted
def logsumexp(x: Operand, axis: AxisLike = None, keepdims: bool = False) -> Variable:
    """Return ``log(sum(exp(x)))`` over ``axis``, without overflow (book step 47).

    The arguments are those of `sum`. If there are no elements, or all are -inf, the result is -inf
    and the gradient is 0. Integers are converted to floating point; half precision is computed in
    float32.

    Raises:
        ShapeError: an axis is out of range or repeated.
        ArgumentTypeError: an axis is not an integer, or ``keepdims`` is not a bool.
    """
    return call_widened(LogSumExp(as_axes("logsumexp", axis, keepdims), keepdims), x)


class ArgMax(Function):
    """y = the index of the first maximum of x along an axis;  there is no derivative."""

    def __init__(self, axis: int | None, keepdims: bool) -> None:
        self.axis, self.keepdims = axis, keepdims

    def forward(self, x: Array) -> Array:
        xp = get_array_module(x)
        return xp.argmax(x, axis=self.axis, keepdims=self.keepdims)

    def diagnose(self, *arrays: Array) -> None:
        (x,) = arrays
        require_axes(self, self.axis, x.shape, elements=True)


@hinted
def argmax(x: Operand, axis: int | None = None, keepdims: bool = False) -> Variable:
    """Return the index of the first maximum of ``x`` along ``axis``; no gradient flows through it.

    Args:
        x: any shape.
        axis: an integer; negative values count from the end; None (default) gives the index in
            the flattened ``x``.
        keepdims: keep the reduced axis with length 1 (default False).

    Returns:
        integers.

    Raises:
        ShapeError: ``axis`` is out of range, or has no elements.
        ArgumentTypeError: ``axis`` is not an integer, or ``keepdims`` is not a bool.
    """
    require_bool("argmax", "keepdims", keepdims)
    axis = None if axis is None else as_integer("argmax", "axis", axis)
    return ArgMax(axis, keepdims)(unwrap(x))


class ArgMin(ArgMax):
    """y = the index of the first minimum of x along an axis;  there is no derivative."""

    def forward(self, x: Array) -> Array:
        xp = get_array_module(x)
        return xp.argmin(x, axis=self.axis, keepdims=self.keepdims)


@hinted
def argmin(x: Operand, axis: int | None = None, keepdims: bool = False) -> Variable:
    """Return the index of the first minimum of ``x`` along ``axis``; see `argmax`."""
    require_bool("argmin", "keepdims", keepdims)
    axis = None if axis is None else as_integer("argmin", "axis", axis)
    return ArgMin(axis, keepdims)(unwrap(x))


def axes_of(op: str, axis: AxisLike, ndim: int) -> tuple[int, ...]:
    """Return the axes of a reduction in [0, ndim); a 0-d array also accepts axis 0 or -1."""
    axes = as_axes(op, axis)
    return () if ndim == 0 and axes in (0, -1, (0,), (-1,)) else normalize_axes(op, axes, ndim)


def kept_shape(shape: tuple[int, ...], axis: Axis) -> tuple[int, ...]:
    """Return the shape of a reduction with ``keepdims=True``: reduced axes have length 1."""
    reduced = range(len(shape)) if axis is None else (axis,) if isinstance(axis, int) else axis
    ones = {a % len(shape) for a in reduced} if shape else set()
    return tuple(1 if a in ones else length for a, length in enumerate(shape))
