"""Select elements of two arrays by a condition or by size, and clip elements to bounds."""

from __future__ import annotations

import math
from typing import Any

from ..backends.interface import Array
from ..backends.precision import dtype_name, is_floating
from ..backends.registry import backend_of
from ..diagnosis import broadcast_shape, shape_of
from ..errors import NONE_IS_NO_ARRAY, ShapeError, UnsupportedType
from ..function import Function
from ..hints import hinted
from ..variable import Operand, Scalar, Variable, get_array_module, unwrap
from .casting import as_floating, astype


class Where(Function):
    """y = x0 where the condition is true, else x1;  gy goes to the selected input."""

    broadcasts = True

    def forward(self, condition: Array, x0: Array, x1: Array) -> Array:
        xp = get_array_module(condition)
        return xp.where(condition, weak_array(x0, x1), weak_array(x1, x0))

    def backward(self, gy: Array | Variable) -> Any:
        condition, _, _ = self.inputs
        _, need0, need1 = self.needs_grad
        return (
            None,
            where(condition, gy, 0) if need0 else None,
            where(condition, 0, gy) if need1 else None,
        )


def where(condition: Operand, x0: Operand, x1: Operand) -> Variable:
    """Return ``x0`` where ``condition`` is true, else ``x1``; shapes broadcast.

    Args:
        condition: an array of bools; no gradient flows to it.
        x0, x1: arrays or Variables; one of them may be a Python scalar.
    """
    return Where()(unwrap(condition), x0, x1)


def masked_fill(x: Operand, mask: Operand, value: Operand) -> Variable:
    """Return ``x`` with the elements where ``mask`` is true replaced by ``value``.

    Args:
        x: any shape.
        mask: an array of bools; its shape and that of ``x`` broadcast.
        value: a number, or an array or Variable of shape (), which gets the sum of the gradients
            of the replaced elements. If ``x`` is floating point, the result has its dtype.

    Raises:
        UnsupportedType: the elements of ``mask`` are not bools, or ``value`` is None.
        ShapeError: the shapes do not broadcast, or ``value`` has axes.
    """
    bools = unwrap(mask)
    if dtype_name(getattr(bools, "dtype", type(bools))) != "bool":
        found = getattr(bools, "dtype", type(bools).__name__)
        raise UnsupportedType(
            f"masked_fill: mask of {found}: expected an array of bools; mask != 0 converts numbers"
        )
    if value is None:
        raise UnsupportedType("masked_fill: value is None: expected a number")
    if shape_of(value) or broadcast_shape(shape_of(x), shape_of(bools)) is None:
        raise ShapeError(
            f"masked_fill: x of shape {shape_of(x)}, mask of shape {shape_of(bools)}, value of "
            f"shape {shape_of(value)}: the first two must broadcast, and value must be a number; "
            "where(mask, values, x) takes an array of values"
        )
    if hasattr(value, "dtype") and hasattr(x, "dtype") and is_floating(x.dtype, backend_of(bools)):
        value = astype(value, x.dtype)
    return where(bools, value, x)


class Maximum(Function):
    """y = max(x0, x1);  gy goes to the larger input; at ties each input gets half."""

    broadcasts = True

    def forward(self, x0: Array, x1: Array) -> Array:
        x0, x1 = weak_array(x0, x1), weak_array(x1, x0)
        xp = get_array_module(x0)
        return xp.maximum(x0, x1)

    def backward(self, gy: Array | Variable) -> Any:
        x0, x1 = self.inputs
        return self.split(gy, x0 > x1, x1 > x0)

    def split(self, gy: Array | Variable, first: Array, second: Array) -> Any:
        """Return the gradients of x0 and x1: ``gy`` for the selected input, ``gy / 2`` at ties."""
        half = as_floating(gy) * 0.5
        need0, need1 = self.needs_grad
        return (
            where(second, 0, half) + where(first, half, 0.0) if need0 else None,
            where(first, 0, half) + where(second, half, 0.0) if need1 else None,
        )


def maximum(x0: Operand, x1: Operand) -> Variable:
    """Return the larger of ``x0`` and ``x1``, elementwise; shapes broadcast.

    At ties each input gets half of the gradient, as in PyTorch.
    """
    return Maximum()(x0, x1)


class Minimum(Maximum):
    """y = min(x0, x1);  gy goes to the smaller input; at ties each input gets half."""

    def forward(self, x0: Array, x1: Array) -> Array:
        x0, x1 = weak_array(x0, x1), weak_array(x1, x0)
        xp = get_array_module(x0)
        return xp.minimum(x0, x1)

    def backward(self, gy: Array | Variable) -> Any:
        x0, x1 = self.inputs
        return self.split(gy, x1 > x0, x0 > x1)


def minimum(x0: Operand, x1: Operand) -> Variable:
    """Return the smaller of ``x0`` and ``x1``, elementwise; shapes broadcast.

    At ties each input gets half of the gradient, as in PyTorch.
    """
    return Minimum()(x0, x1)


def weak_array(x: Array | Scalar, y: Array | Scalar) -> Any:
    """Return ``x``, converted to a 0-d array if ``x`` is a Python scalar and ``y`` is an array.

    Array API functions, unlike operators, do not accept Python scalars. The 0-d array does not
    promote the dtype of ``y``.

    Raises:
        UnsupportedType: ``x`` is None, which NumPy would convert to an array of Python objects.
    """
    if x is None:
        raise UnsupportedType(NONE_IS_NO_ARRAY)
    if not isinstance(x, Scalar) or isinstance(y, Scalar):
        return x
    return backend_of(y).scalar_like(x, y)


class Clip(Function):
    """y = min(max(x, low), high);  gy goes to the input that equals y; at ties it goes to x.

    If both bounds are numbers or None, they are settings of the op; otherwise both are inputs.
    """

    broadcasts = True

    def __init__(self, x_min: float | None = None, x_max: float | None = None) -> None:
        self.x_min, self.x_max = x_min, x_max

    def forward(self, x: Array, *bounds: Array) -> Array:
        if not bounds and self.x_min is None and self.x_max is None:
            return backend_of(x).copy(x)  # NumPy 2.0 refuses to clip without bounds
        if not bounds:
            return get_array_module(x).clip(x, self.x_min, self.x_max)
        low, high = bounds
        if low is not None:
            x, low = weak_array(x, low), weak_array(low, x)
            x = get_array_module(x).maximum(x, low)
        if high is not None:
            x, high = weak_array(x, high), weak_array(high, x)
            x = get_array_module(x).minimum(x, high)
        return x

    def backward(self, gy: Array | Variable) -> Any:
        x, *bounds = self.inputs
        low, high = bounds or (self.x_min, self.x_max)
        low = -math.inf if low is None else low
        high = math.inf if high is None else high
        gx = where((x >= low) & (x <= high), gy, 0)
        if not bounds:
            return gx
        _, need_low, need_high = self.needs_grad
        return (
            gx,
            where((x < low) & (low <= high), gy, 0) if need_low else None,
            where((x > high) | (low > high), gy, 0) if need_high else None,
        )


@hinted
def clip(x: Operand, x_min: Operand | None = None, x_max: Operand | None = None) -> Variable:
    """Return ``x`` limited to the interval from ``x_min`` to ``x_max`` (book step 47).

    Where ``x_min`` is larger than ``x_max``, the result is ``x_max``, as in NumPy.

    Args:
        x: any shape.
        x_min, x_max: Python numbers, arrays or Variables, or None (default) for no bound; shapes
            broadcast. A bound gets the gradient of the elements that it replaces. An element
            equal to a bound keeps its gradient, as in PyTorch's ``clamp``.
    """
    if isinstance(x_min, NUMBER) and isinstance(x_max, NUMBER):
        return Clip(x_min, x_max)(x)
    return Clip()(x, x_min, x_max)


NUMBER = (bool, int, float, type(None))
"""Types of bounds that `Clip` stores as settings, because they need no gradient."""
