"""Compute exponentials, logarithms and square roots elementwise."""

from __future__ import annotations

from typing import Any

from ..backends.interface import Array
from ..backends.precision import to_floating
from ..function import Function
from ..variable import Operand, Variable, get_array_module
from .casting import as_floating


class Exp(Function):
    """y = exp(x);  dy/dx = y."""

    def forward(self, x: Array) -> Array:
        xp = get_array_module(x)
        return xp.exp(to_floating(x))

    def backward(self, gy: Array | Variable) -> Any:
        (y,) = self.outputs
        return gy * y


def exp(x: Operand) -> Variable:
    """Return e to the power of ``x``, elementwise (book step 3)."""
    return Exp()(x)


class Log(Function):
    """y = log(x);  dy/dx = 1 / x."""

    def forward(self, x: Array) -> Array:
        xp = get_array_module(x)
        return xp.log(to_floating(x))

    def backward(self, gy: Array | Variable) -> Any:
        (x,) = self.inputs
        return gy / as_floating(x)


def log(x: Operand) -> Variable:
    """Return the natural logarithm of ``x``, elementwise (book step 47)."""
    return Log()(x)


class Sqrt(Function):
    """y = sqrt(x);  dy/dx = 1 / (2 y)."""

    def forward(self, x: Array) -> Array:
        xp = get_array_module(x)
        return xp.sqrt(to_floating(x))

    def backward(self, gy: Array | Variable) -> Any:
        (y,) = self.outputs
        return gy * 0.5 / y


def sqrt(x: Operand) -> Variable:
    """Return the square root of ``x``, elementwise; the derivative at 0 is infinite."""
    return Sqrt()(x)
