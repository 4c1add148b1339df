"""Compute inverse sines, cosines and tangents elementwise; angles are in radians."""

from __future__ import annotations

from typing import Any

from ..backends.interface import Array
from ..backends.precision import to_floating
from ..function import Function
from ..variable import AnyArray, Operand, Variable, get_array_module
from .casting import as_floating
from .elementwise import Elementwise
from .exponential import sqrt
from .selection import weak_array, where


class Asin(Elementwise):
    """y = asin(x);  dy/dx = 1 / sqrt((1 - x) (1 + x))."""

    name = "asin"

    def backward(self, gy: AnyArray) -> Any:
        (x,) = self.inputs
        x = as_floating(x)
        return gy / sqrt((1 - x) * (1 + x))


def asin(x: Operand) -> Variable:
    """Return the inverse sine of ``x``, elementwise: angles in [-pi/2, pi/2].

    The result is NaN where ``|x| > 1``. The derivative is infinite where ``|x| = 1``.
    """
    return Asin()(x)


class Acos(Asin):
    """y = acos(x);  dy/dx = -1 / sqrt((1 - x) (1 + x))."""

    name = "acos"

    def backward(self, gy: AnyArray) -> Any:
        return super().backward(-gy)


def acos(x: Operand) -> Variable:
    """Return the inverse cosine of ``x``, elementwise: angles in [0, pi]; see `asin`."""
    return Acos()(x)


class Atan(Elementwise):
    """y = atan(x);  dy/dx = 1 / (1 + x**2)."""

    name = "atan"

    def backward(self, gy: AnyArray) -> Any:
        (x,) = self.inputs
        x = as_floating(x)
        return gy / (x * x + 1)


def atan(x: Operand) -> Variable:
    """Return the inverse tangent of ``x``, elementwise: angles in [-pi/2, pi/2]."""
    return Atan()(x)


class Atan2(Function):
    """y = atan2(x0, x1);  dy/dx0 = x1 / r,  dy/dx1 = -x0 / r,  r = x0**2 + x1**2."""

    broadcasts = True

    def forward(self, x0: Array, x1: Array) -> Array:
        x0, x1 = to_floating(x0), to_floating(x1)
        x0, x1 = weak_array(x0, x1), weak_array(x1, x0)
        return get_array_module(x0).atan2(x0, x1)

    def backward(self, gy: AnyArray) -> Any:
        x0, x1 = map(as_floating, self.inputs)
        r = x0 * x0 + x1 * x1
        quotient = gy / where(r == 0, 1.0, r)
        return x1 * quotient, -x0 * quotient


def atan2(x0: Operand, x1: Operand) -> Variable:
    """Return the angle of the point with ordinate ``x0`` and abscissa ``x1``, elementwise.

    Shapes broadcast. Angles are in [-pi, pi], counted from the positive abscissa. The gradients at
    the origin are 0, as in PyTorch.
    """
    return Atan2()(x0, x1)
