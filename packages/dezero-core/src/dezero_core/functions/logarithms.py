"""Compute logarithms and exponentials of other bases, and near 0, elementwise."""

from __future__ import annotations

import math
from typing import Any

from ..variable import AnyArray, Operand, Variable
from .arithmetic import pow
from .casting import as_floating
from .elementwise import Elementwise


class Expm1(Elementwise):
    """y = exp(x) - 1;  dy/dx = y + 1."""

    name = "expm1"

    def backward(self, gy: AnyArray) -> Any:
        (y,) = self.outputs
        return gy * (y + 1)


def expm1(x: Operand) -> Variable:
    """Return ``exp(x) - 1``, elementwise, without loss of accuracy near ``x = 0``."""
    return Expm1()(x)


class Log1p(Elementwise):
    """y = log(1 + x);  dy/dx = 1 / (1 + x)."""

    name = "log1p"

    def backward(self, gy: AnyArray) -> Any:
        (x,) = self.inputs
        return gy / (as_floating(x) + 1)


def log1p(x: Operand) -> Variable:
    """Return ``log(1 + x)``, elementwise, without loss of accuracy near ``x = 0``."""
    return Log1p()(x)


class Log2(Elementwise):
    """y = log(x) / log(2);  dy/dx = 1 / (x log(2))."""

    name = "log2"

    def backward(self, gy: AnyArray) -> Any:
        (x,) = self.inputs
        return gy / (as_floating(x) * math.log(2))


def log2(x: Operand) -> Variable:
    """Return the logarithm of ``x`` to base 2, elementwise."""
    return Log2()(x)


class Log10(Elementwise):
    """y = log(x) / log(10);  dy/dx = 1 / (x log(10))."""

    name = "log10"

    def backward(self, gy: AnyArray) -> Any:
        (x,) = self.inputs
        return gy / (as_floating(x) * math.log(10))


def log10(x: Operand) -> Variable:
    """Return the logarithm of ``x`` to base 10, elementwise."""
    return Log10()(x)


def exp2(x: Operand) -> Variable:
    """Return 2 to the power of ``x``, elementwise; integers are converted to floating point."""
    return pow(2.0, as_floating(x))
