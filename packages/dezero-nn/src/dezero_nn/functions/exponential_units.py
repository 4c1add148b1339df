"""Define activation functions that are linear above 0 and exponential below."""

from __future__ import annotations

from typing import Any

from dezero_core import Function, Variable, as_variable, get_array_module
from dezero_core.arguments import as_number
from dezero_core.dtypes import call_widened
from dezero_core.errors import ArgumentError
from dezero_core.extend import Array, backend_of
from dezero_core.functions import clip, exp, where
from dezero_core.hints import hinted
from dezero_core.variable import AnyArray, Operand

ALPHA, SCALE = 1.6732632423543772, 1.0507009873554805
"""The constants of `selu`, with which activations keep the mean 0 and the variance 1."""


class ELU(Function):
    """y = x where x > 0, else alpha (exp(x) - 1);  dy/dx = 1 where x > 0, else alpha exp(x)."""

    def __init__(self, alpha: float) -> None:
        self.alpha = alpha

    def forward(self, x: Array) -> Any:
        xp, zero = get_array_module(x), backend_of(x).scalar_like(0.0, x)
        low = xp.minimum(x, zero)
        # exp(x) - 1 = tanh(x / 2) (exp(x) + 1), also accurate near 0: NumPy vectorises exp and
        # tanh, but not expm1
        return xp.maximum(x, zero) + xp.tanh(low * 0.5) * (xp.exp(low) + 1) * self.alpha

    def backward(self, gy: AnyArray) -> Any:
        (x,) = self.inputs
        slope = exp(clip(x, None, 0.0))  # 1 where x > 0
        return gy * (slope if self.alpha == 1 else where(x > 0, 1.0, slope * self.alpha))


@hinted
def elu(x: Operand, alpha: float = 1.0) -> Variable:
    """Return ``x`` where it is positive, else ``alpha * (exp(x) - 1)``.

    Clevert, Unterthiner and Hochreiter, "Exponential Linear Units", 2016.
    """
    return call_widened(ELU(as_number("elu", "alpha", alpha)), as_variable(x))


@hinted
def selu(x: Operand) -> Variable:
    """Return 1.0507 times `elu` of ``x`` with alpha 1.6733.

    Klambauer et al., "Self-Normalizing Neural Networks", 2017, gives the exact constants.
    """
    return call_widened(lambda x: ELU(ALPHA)(x) * SCALE, as_variable(x))


@hinted
def celu(x: Operand, alpha: float = 1.0) -> Variable:
    """Return ``x`` where it is positive, else ``alpha * (exp(x / alpha) - 1)``.

    The derivative is continuous for every ``alpha`` (Barron, 2017).

    Raises:
        ArgumentError: ``alpha`` is 0.
    """
    alpha = as_number("celu", "alpha", alpha)
    if alpha == 0:
        raise ArgumentError("celu: alpha 0: expected a number other than 0")
    return call_widened(lambda x: ELU(1.0)(x / alpha) * alpha, as_variable(x))
