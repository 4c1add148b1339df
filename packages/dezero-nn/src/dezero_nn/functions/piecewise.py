"""Define activation functions that are linear in pieces, and products of them with ``x``."""

from __future__ import annotations

from typing import Any

from dezero_core import Function, Variable, as_variable, get_array_module
from dezero_core.arguments import as_number
from dezero_core.dtypes import as_floating
from dezero_core.errors import ArgumentError, ShapeError
from dezero_core.extend import Array
from dezero_core.functions import reshape, where
from dezero_core.hints import hinted
from dezero_core.state import on_device_of
from dezero_core.variable import AnyArray, Operand

from .masking import masked


class Hardtanh(Function):
    """y = min(max(x, low), high);  dy/dx = 1 where low < x < high, else 0."""

    def __init__(self, low: float, high: float) -> None:
        self.low, self.high = low, high

    def forward(self, x: Array) -> Any:
        return get_array_module(x).clip(x, self.low, self.high)

    def backward(self, gy: AnyArray) -> Any:
        (x,) = self.inputs
        return masked(gy, (x > self.low) & (x < self.high))


@hinted
def hardtanh(x: Operand, min_val: float = -1.0, max_val: float = 1.0) -> Variable:
    """Return ``x`` limited to the interval from ``min_val`` to ``max_val``.

    The derivative at the bounds is 0, as in PyTorch; `clip` has the derivative 1 there.

    Raises:
        ArgumentError: ``min_val`` is above ``max_val``.
    """
    low, high = as_number("hardtanh", "min_val", min_val), as_number("hardtanh", "max_val", max_val)
    if low > high:
        raise ArgumentError(f"hardtanh: min_val {low} is above max_val {high}")
    return Hardtanh(low, high)(as_floating(x))


@hinted
def relu6(x: Operand) -> Variable:
    """Return ``x`` limited to the interval from 0 to 6; the derivative at 0 and 6 is 0."""
    return Hardtanh(0.0, 6.0)(as_floating(x))


@hinted
def hardsigmoid(x: Operand) -> Variable:
    """Return ``x / 6 + 1 / 2`` limited to the interval from 0 to 1."""
    return relu6(as_variable(as_floating(x)) + 3.0) / 6.0


class Hardswish(Function):
    """y = x h / 6 with h = min(max(x + 3, 0), 6);  dy/dx = (h + x dh/dx) / 6."""

    def forward(self, x: Array) -> Any:
        return x * (get_array_module(x).clip(x + 3.0, 0.0, 6.0) / 6.0)

    def backward(self, gy: AnyArray) -> Any:
        (x,) = self.inputs
        moved: Any = x + 3.0
        inside = masked(x, (moved > 0.0) & (moved < 6.0))
        return gy * ((Hardtanh(0.0, 6.0)(moved) + inside) / 6.0)


@hinted
def hardswish(x: Operand) -> Variable:
    """Return ``x`` times its `hardsigmoid` (Howard et al., "Searching for MobileNetV3", 2019)."""
    return Hardswish()(as_floating(x))


@hinted
def threshold(x: Operand, threshold: float, value: float) -> Variable:
    """Return ``x`` where it is above ``threshold`` or NaN, else ``value``."""
    bound = as_number("threshold", "threshold", threshold)
    x = as_variable(as_floating(x))
    return where(x <= bound, as_number("threshold", "value", value), x)


@hinted
def prelu(x: Operand, a: Operand) -> Variable:
    """Return ``x`` where it is positive, else ``a * x`` (He et al., 2015).

    Args:
        x: shape (N, C, ...), or any shape if ``a`` has one element.
        a: the factor of negative elements: one for all channels, shape () or (1,), or one for each
            channel, shape (C,). The derivative at 0 is ``a``.

    Raises:
        ShapeError: ``a`` has another shape.
    """
    x, a = as_variable(as_floating(x)), as_variable(a)
    channels = tuple(x.shape[1:2])
    if a.size != 1 and tuple(a.shape) != channels:
        raise ShapeError(
            f"prelu: x {tuple(x.shape)} and a {tuple(a.shape)}: expected a of shape (1,) or "
            f"{channels or '(C,)'}"
        )
    a = reshape(a, () if a.size == 1 else (-1, *(1,) * (x.ndim - 2)))
    positive = x > 0
    with on_device_of(x.data):
        return masked(x, positive) + a * masked(x, ~positive)
