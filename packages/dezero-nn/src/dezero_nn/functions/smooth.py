"""Define smooth activation functions: softplus and its relatives, softsign and softmin."""

from __future__ import annotations

import math
from typing import Any

from dezero_core import Function, Variable, as_variable, get_array_module
from dezero_core.arguments import AxisLike, as_number
from dezero_core.dtypes import as_floating, call_widened
from dezero_core.errors import ArgumentError
from dezero_core.extend import Array, backend_of
from dezero_core.functions import abs, tanh, where
from dezero_core.hints import hinted
from dezero_core.variable import AnyArray, Operand

from .activation import sigmoid, softmax


class Softplus(Function):
    """y = log(1 + exp(beta x)) / beta, or x above a threshold;  dy/dx = sigmoid(beta x), or 1."""

    def __init__(self, beta: float = 1.0, threshold: float = math.inf) -> None:
        self.beta, self.threshold = beta, threshold

    def forward(self, x: Array) -> Any:
        xp, scaled = get_array_module(x), x * self.beta
        # log(1 + e^x) = max(x, 0) + log(1 + e^-|x|): no overflow, and accurate far from 0
        positive = xp.maximum(scaled, backend_of(x).scalar_like(0.0, x))
        y = (positive + log_1p(xp.exp(-xp.abs(scaled)))) / self.beta
        return xp.where(scaled > self.threshold, x, y)

    def backward(self, gy: AnyArray) -> Any:
        (x,) = self.inputs
        scaled = x * self.beta
        return gy * where(scaled > self.threshold, 1.0, sigmoid(scaled))


def log_1p(x: Array) -> Any:
    """Return log(1 + x) for x from 0 to 1, in a third of the time of NumPy's log1p.

    NumPy vectorises log, but not log1p. The rounding error of 1 + x is corrected by the factor
    x / ((1 + x) - 1).
    """
    xp, backend = get_array_module(x), backend_of(x)
    above = 1 + x
    rounded = above - 1
    is_tiny = rounded == 0
    factor = x / xp.where(is_tiny, backend.scalar_like(1.0, x), rounded)
    return xp.where(is_tiny, x, xp.log(above) * factor)


@hinted
def softplus(x: Operand, beta: float = 1.0, threshold: float = 20.0) -> Variable:
    """Return ``log(1 + exp(beta * x)) / beta``, without overflow.

    Where ``beta * x`` is above ``threshold``, the result is ``x``, as in PyTorch.

    Raises:
        ArgumentError: ``beta`` is 0.
    """
    beta = as_number("softplus", "beta", beta)
    if beta == 0:
        raise ArgumentError("softplus: beta 0: expected a number other than 0")
    threshold = as_number("softplus", "threshold", threshold)
    return call_widened(Softplus(beta, threshold), as_variable(x))


@hinted
def logsigmoid(x: Operand) -> Variable:
    """Return the logarithm of `sigmoid` of ``x``, finite and accurate for every finite ``x``."""
    return call_widened(lambda x: -Softplus()(-x), as_variable(x))


@hinted
def mish(x: Operand) -> Variable:
    """Return ``x * tanh(softplus(x))`` (Misra, "Mish", 2019)."""
    return call_widened(lambda x: x * tanh(Softplus()(x)), as_variable(x))


@hinted
def softsign(x: Operand) -> Variable:
    """Return ``x / (1 + abs(x))``."""
    x = as_variable(as_floating(x))
    return x / (1.0 + abs(x))


@hinted
def softmin(x: Operand, axis: AxisLike = -1) -> Variable:
    """Return `softmax` of ``-x`` along ``axis``, by default the last.

    Raises:
        ShapeError: ``axis`` is not an axis of ``x``.
    """
    return softmax(-as_variable(as_floating(x)), axis)
