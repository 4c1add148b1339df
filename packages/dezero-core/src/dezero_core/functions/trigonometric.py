"""Sine, cosine and hyperbolic tangent, elementwise."""

from __future__ import annotations

from typing import Any

from ..function import Function
from ..variable import Variable, get_array_module


class Sin(Function):
    """y = sin(x);  dy/dx = cos(x)."""

    def forward(self, x: Any) -> Any:
        xp = get_array_module(x)
        return xp.sin(x)

    def backward(self, gy: Any) -> Any:
        (x,) = self.inputs
        return gy * cos(x)


def sin(x: Any) -> Variable:
    """Return the sine of ``x`` in radians, elementwise (book step 27)."""
    return Sin()(x)


class Cos(Function):
    """y = cos(x);  dy/dx = -sin(x)."""

    def forward(self, x: Any) -> Any:
        xp = get_array_module(x)
        return xp.cos(x)

    def backward(self, gy: Any) -> Any:
        (x,) = self.inputs
        return gy * -sin(x)


def cos(x: Any) -> Variable:
    """Return the cosine of ``x`` in radians, elementwise (book step 34)."""
    return Cos()(x)


class Tan(Function):
    """y = tan(x);  dy/dx = 1 + y**2."""

    def forward(self, x: Any) -> Any:
        xp = get_array_module(x)
        return xp.tan(x)

    def backward(self, gy: Any) -> Any:
        (y,) = self.outputs
        return gy * (1 + y * y)


def tan(x: Any) -> Variable:
    """Return the tangent of ``x`` in radians, elementwise."""
    return Tan()(x)


class Tanh(Function):
    """y = tanh(x);  dy/dx = 1 - y**2."""

    def forward(self, x: Any) -> Any:
        xp = get_array_module(x)
        return xp.tanh(x)

    def backward(self, gy: Any) -> Any:
        (y,) = self.outputs
        return gy * (1 - y * y)


def tanh(x: Any) -> Variable:
    """Return the hyperbolic tangent of ``x``, elementwise (book step 35)."""
    return Tanh()(x)
