"""Compute logarithms and exponentials of other bases, and near 0, elementwise."""

from __future__ import annotations

import math
from typing import Any

from ..backends.interface import Array
from ..backends.precision import to_floating
from ..function import Function
from ..variable import AnyArray, Operand, Variable, get_array_module, unwrap
from .arithmetic import pow
from .casting import as_floating
from .elementwise import Elementwise
from .exponential import exp
from .selection import weak_array, where


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


class LogAddExp(Function):
    """y = log(exp(x0) + exp(x1));  dy/dx0 = 1 / (1 + exp(x1 - x0)),  dy/dx1 = 1 - dy/dx0."""

    broadcasts = True

    def forward(self, x0: Array, x1: Array) -> Array:
        x0, x1 = to_floating(x0), to_floating(x1)
        x0, x1 = weak_array(x0, x1), weak_array(x1, x0)
        xp = get_array_module(x0)
        y, zero, is_equal = xp.maximum(x0, x1), xp.zeros_like(x0), x0 == x1
        distance = xp.where(is_equal, zero, x0) - xp.where(is_equal, zero, x1)  # avoids inf - inf
        return y + xp.log1p(xp.exp(-xp.abs(distance)))

    def backward(self, gy: AnyArray) -> Any:
        x0, x1 = map(as_floating, self.inputs)
        is_undefined = (unwrap(x0) == unwrap(x1)) & (abs(unwrap(x0)) == math.inf)
        distance = where(is_undefined, 0.0, x0) - where(is_undefined, 0.0, x1)  # avoids inf - inf
        is_first = unwrap(distance) >= 0
        ratio = exp(where(is_first, -distance, distance))  # the smaller exp / the larger exp
        larger = 1.0 / (ratio + 1.0)
        smaller = ratio * larger
        return (
            gy * where(is_first, larger, smaller),
            gy * where(is_first, smaller, larger),
        )


def logaddexp(x0: Operand, x1: Operand) -> Variable:
    """Return ``log(exp(x0) + exp(x1))``, elementwise, without overflow; shapes broadcast.

    If ``x0`` and ``x1`` are equal, even if both are -inf, each gets half of the gradient.
    """
    return LogAddExp()(x0, x1)
