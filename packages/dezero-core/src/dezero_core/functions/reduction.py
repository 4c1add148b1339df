"""Sums, means and extremes over axes."""

from __future__ import annotations

import math
from typing import Any

from ..arguments import Axis, AxisLike, as_axes, as_axis
from ..backends.precision import sum_over
from ..backends.registry import backend_of
from ..diagnosis import require_axes
from ..errors import ShapeError
from ..function import Function
from ..hints import hinted
from ..variable import (
    Variable,
    as_variable,
    cast,
    get_array_module,
    unwrap,
)
from .broadcast import broadcast_to
from .casting import call_widened, floating, narrowed, widened
from .exponential import exp
from .selection import where
from .shape import reshape


class Reduction(Function):
    """What all ops over axes are told."""

    def __init__(self, axis: Axis, keepdims: bool) -> None:
        self.axis, self.keepdims = axis, keepdims

    def axes(self, x: Any) -> Axis:
        """Return the axes; as in NumPy, a 0-d array also accepts axis 0 or -1."""
        return () if x.ndim == 0 and self.axis in ((0,), (-1,)) else self.axis

    def diagnose(self, *arrays: Any) -> None:
        (x,) = arrays
        require_axes(self, self.axis, x.shape, elements=not isinstance(self, Sum))


class Sum(Reduction):
    """y = sum of x over axes;  every element summed gets the gradient of its sum."""

    def forward(self, x: Any) -> Any:
        return sum_over(x, backend_of(x), self.axes(x), self.keepdims)

    def backward(self, gy: Any) -> Any:
        (x,) = self.inputs
        return broadcast_to(reshape(gy, kept_shape(x.shape, self.axis)), x.shape)


@hinted
def sum(x: Any, axis: AxisLike = None, keepdims: bool = False) -> Variable:
    """Return the sum of ``x`` over ``axis`` (book step 39).

    Args:
        x: any shape. A floating result has the dtype of ``x`` (half precision is summed in
            float32); integers and booleans are summed as in NumPy.
        axis: an integer, or a list, tuple or array of them; negative ones count from the end;
            None for all.
        keepdims: leave summed axes in place with length 1.

    Raises:
        ShapeError: an axis is out of range or repeated.
        ArgumentTypeError: an axis is not an integer.
    """
    return Sum(as_axes("sum", axis), keepdims)(x)


@hinted
def mean(x: Any, axis: AxisLike = None, keepdims: bool = False) -> Variable:
    """Return the mean of ``x`` over ``axis``, negative axes from the end; None for all.

    Raises:
        ShapeError: an axis is out of range, or there is nothing to take the mean of.
    """
    axis, x = as_axes("mean", axis), x if hasattr(x, "shape") else as_variable(x)
    kept = kept_shape(x.shape, axis)
    count = math.prod(length for length, one in zip(x.shape, kept, strict=True) if one == 1)
    if count == 0:
        raise ShapeError(f"mean: no elements along axis {axis} of shape {tuple(x.shape)}")
    return narrowed(sum(widened(x), axis, keepdims) / count, x)


average = mean
"""The book's name for `mean`."""


class Max(Reduction):
    """y = largest x along axes;  those that are it share the gradient evenly."""

    def forward(self, x: Any) -> Any:
        xp = get_array_module(x)
        return xp.max(x, axis=self.axes(x), keepdims=self.keepdims)

    def backward(self, gy: Any) -> Any:
        (x,), (y,) = self.inputs, self.outputs
        shape = kept_shape(x.shape, self.axis)
        xp = get_array_module(x)
        best = unwrap(x) == xp.reshape(unwrap(y), shape)
        count = xp.sum(cast(best, xp.int64), axis=self.axes(x), keepdims=True)
        dtype = unwrap(widened(y)).dtype
        return reshape(floating(gy), shape) * (cast(best, dtype) / cast(count, dtype))


@hinted
def max(x: Any, axis: AxisLike = None, keepdims: bool = False) -> Variable:
    """Return the largest elements of ``x`` along ``axis`` (book step 47).

    Args:
        x: any shape.
        axis: an integer, or a list, tuple or array of them; negative ones count from the end;
            None for all.
        keepdims: leave reduced axes in place with length 1.

    Elements that are equally large share the gradient evenly, as with PyTorch's ``amax``.

    Raises:
        ShapeError: an axis is out of range, is repeated, or has no elements.
        ArgumentTypeError: an axis is not an integer.
    """
    return Max(as_axes("max", axis), keepdims)(x)


class Min(Max):
    """y = smallest x along axes;  those that are it share the gradient evenly."""

    def forward(self, x: Any) -> Any:
        xp = get_array_module(x)
        return xp.min(x, axis=self.axes(x), keepdims=self.keepdims)


@hinted
def min(x: Any, axis: AxisLike = None, keepdims: bool = False) -> Variable:
    """Return the smallest elements of ``x`` along ``axis``; otherwise as `max` (book step 47)."""
    return Min(as_axes("min", axis), keepdims)(x)


class LogSumExp(Reduction):
    """y = log of the sum of exp(x) over axes;  dy/dx = exp(x - y)."""

    def forward(self, x: Any) -> Any:
        xp, axes = get_array_module(x), self.axes(x)
        nothing = backend_of(x).scalar_like(-math.inf, x)
        if 0 in x.shape:
            return xp.sum(x, axis=axes, keepdims=self.keepdims) + nothing
        largest = xp.finfo(x.dtype).max
        # subtracted, so that exp does not overflow; finite, so that inf - inf does not occur
        shift = xp.clip(xp.max(x, axis=axes, keepdims=True), -largest, largest)
        total = sum_over(xp.exp(x - shift), backend_of(x), axes, keepdims=True)
        is_zero = total == 0  # each x is -inf
        total = xp.where(is_zero, backend_of(x).scalar_like(1.0, x), total)
        y = xp.where(is_zero, nothing, shift + xp.log(total))
        return y if self.keepdims else xp.sum(y, axis=axes)  # each sum has one element

    def backward(self, gy: Any) -> Any:
        (x,), (y,) = self.inputs, self.outputs
        y = reshape(y, kept_shape(x.shape, self.axis))
        # where each x is -inf, so is y, and the derivative is exp(-inf) = 0
        return reshape(gy, y.shape) * exp(x - where(unwrap(y) == -math.inf, 0.0, y))


@hinted
def logsumexp(x: Any, axis: AxisLike = None, keepdims: bool = False) -> Variable:
    """Return the logarithm of the sum of e to the power of ``x``, without overflow (book step 47).

    Without elements, or with only -inf, the result is -inf and its gradient is 0.

    Args:
        x: any shape.
        axis: an integer, or a list, tuple or array of them; negative ones count from the end;
            None for all.
        keepdims: leave reduced axes in place with length 1.

    Raises:
        ShapeError: an axis is out of range or repeated.
        ArgumentTypeError: an axis is not an integer.
    """
    return call_widened(LogSumExp(as_axes("logsumexp", axis), keepdims), x)


class ArgMax(Function):
    """y = position of the largest x along an axis, the first of equals;  no derivative."""

    def __init__(self, axis: int | None, keepdims: bool) -> None:
        self.axis, self.keepdims = axis, keepdims

    def forward(self, x: Any) -> Any:
        xp = get_array_module(x)
        return xp.argmax(x, axis=self.axis, keepdims=self.keepdims)

    def diagnose(self, *arrays: Any) -> None:
        (x,) = arrays
        require_axes(self, self.axis, x.shape, elements=True)


@hinted
def argmax(x: Any, axis: int | None = None, keepdims: bool = False) -> Variable:
    """Return where ``x`` is largest along ``axis``, as integers without a graph.

    Args:
        x: any shape; of equal elements the first counts.
        axis: negative ones count from the end; None for the position in ``x`` flattened.
        keepdims: leave the reduced axis in place with length 1.

    Raises:
        ShapeError: ``axis`` is out of range, or has no elements.
    """
    axis = None if axis is None else as_axis("argmax", axis)
    return ArgMax(axis, keepdims)(unwrap(x))


def kept_shape(shape: tuple[int, ...], axis: Axis) -> tuple[int, ...]:
    """``shape`` with the reduced axes at length 1, as ``keepdims=True`` would leave it."""
    reduced = range(len(shape)) if axis is None else (axis,) if isinstance(axis, int) else axis
    ones = {a % len(shape) for a in reduced} if shape else set()
    return tuple(1 if a in ones else length for a, length in enumerate(shape))
