"""Compute hyperbolic sines and cosines, and the inverse hyperbolic functions, elementwise."""

from __future__ import annotations

from typing import Any

from ..variable import AnyArray, Operand, Variable
from .casting import as_floating
from .elementwise import Elementwise


class Sinh(Elementwise):
    """y = sinh(x);  dy/dx = cosh(x)."""

    name = "sinh"

    def backward(self, gy: AnyArray) -> Any:
        (x,) = self.inputs
        return gy * cosh(x)


def sinh(x: Operand) -> Variable:
    """Return the hyperbolic sine of ``x``, elementwise."""
    return Sinh()(x)


class Cosh(Elementwise):
    """y = cosh(x);  dy/dx = sinh(x)."""

    name = "cosh"

    def backward(self, gy: AnyArray) -> Any:
        (x,) = self.inputs
        return gy * sinh(x)


def cosh(x: Operand) -> Variable:
    """Return the hyperbolic cosine of ``x``, elementwise."""
    return Cosh()(x)


class Asinh(Elementwise):
    """y = asinh(x);  dy/dx = 1 / cosh(y), which does not overflow as sqrt(x**2 + 1) does."""

    name = "asinh"

    def backward(self, gy: AnyArray) -> Any:
        (y,) = self.outputs
        return gy / cosh(y)


def asinh(x: Operand) -> Variable:
    """Return the inverse hyperbolic sine of ``x``, elementwise."""
    return Asinh()(x)


class Acosh(Elementwise):
    """y = acosh(x);  dy/dx = 1 / sinh(y)."""

    name = "acosh"

    def backward(self, gy: AnyArray) -> Any:
        (y,) = self.outputs
        return gy / sinh(y)


def acosh(x: Operand) -> Variable:
    """Return the inverse hyperbolic cosine of ``x``, elementwise; NaN where ``x < 1``."""
    return Acosh()(x)


class Atanh(Elementwise):
    """y = atanh(x);  dy/dx = 1 / ((1 - x) (1 + x))."""

    name = "atanh"

    def backward(self, gy: AnyArray) -> Any:
        (x,) = self.inputs
        x = as_floating(x)
        return gy / ((1 - x) * (1 + x))


def atanh(x: Operand) -> Variable:
    """Return the inverse hyperbolic tangent of ``x``, elementwise; NaN where ``|x| > 1``."""
    return Atanh()(x)
