"""Compute squares, reciprocals and reciprocal square roots elementwise."""

from __future__ import annotations

from typing import Any

from ..backends.interface import Array
from ..function import Function
from ..hints import hinted
from ..variable import AnyArray, Operand, Variable
from .arithmetic import div
from .exponential import sqrt


class Square(Function):
    """y = x**2;  dy/dx = 2 x."""

    def forward(self, x: Array) -> Array:
        return x**2

    def backward(self, gy: AnyArray) -> Any:
        (x,) = self.inputs
        return gy * 2 * x


def square(x: Operand) -> Variable:
    """Return the square of ``x``, elementwise."""
    return Square()(x)


@hinted
def reciprocal(x: Operand) -> Variable:
    """Return ``1 / x``, elementwise; integers are converted to floating point."""
    return div(1.0, x)


def rsqrt(x: Operand) -> Variable:
    """Return ``1 / sqrt(x)``, elementwise; infinite at 0, and NaN where ``x`` is negative."""
    return div(1.0, sqrt(x))
