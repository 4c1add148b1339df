"""Compute sines, cosines, tangents and hyperbolic tangents elementwise."""

from __future__ import annotations

from typing import Any

from ..backends.interface import Array
from ..backends.kernels import kernel_op
from ..backends.precision import to_floating
from ..function import Function
from ..variable import Operand, Variable, get_array_module


class Sin(Function):
    """y = sin(x);  dy/dx = cos(x)."""

    def forward(self, x: Array) -> Array:
        xp = get_array_module(x)
        return xp.sin(to_floating(x))

    def backward(self, gy: Array | Variable) -> Any:
        (x,) = self.inputs
        return gy * cos(x)


def sin(x: Operand) -> Variable:
    """Return the sine of ``x`` in radians, elementwise (book step 27)."""
    return Sin()(x)


class Cos(Function):
    """y = cos(x);  dy/dx = -sin(x)."""

    def forward(self, x: Array) -> Array:
        xp = get_array_module(x)
        return xp.cos(to_floating(x))

    def backward(self, gy: Array | Variable) -> Any:
        (x,) = self.inputs
        return gy * -sin(x)


def cos(x: Operand) -> Variable:
    """Return the cosine of ``x`` in radians, elementwise (book step 34)."""
    return Cos()(x)


class Tan(Function):
    """y = tan(x);  dy/dx = 1 + y**2."""

    def forward(self, x: Array) -> Array:
        xp = get_array_module(x)
        return xp.tan(to_floating(x))

    def backward(self, gy: Array | Variable) -> Any:
        (y,) = self.outputs
        return gy * (1 + y * y)


def tan(x: Operand) -> Variable:
    """Return the tangent of ``x`` in radians, elementwise."""
    return Tan()(x)


class Tanh(Function):
    """y = tanh(x);  dy/dx = 1 - y**2."""

    def forward(self, x: Array) -> Array:
        xp = get_array_module(x)
        return xp.tanh(to_floating(x))

    def backward(self, gy: Array | Variable) -> Any:
        (y,) = self.outputs
        return TanhGrad()(gy, y)


@kernel_op
def tanh_grad_op(gy: Array, y: Array) -> Array:
    """Return gy (1 - y**2); gy and y have the same shape and dtype."""
    return gy * (1 - y * y)


class TanhGrad(Function):
    """gx = gy (1 - y**2);  dgx/dgy = 1 - y**2,  dgx/dy = -2 gy y."""

    def forward(self, gy: Array, y: Array) -> Array:
        return tanh_grad_op(gy, y)

    def backward(self, ggx: Array | Variable) -> Any:
        gy, y = self.inputs
        return TanhGrad()(ggx, y), ggx * gy * (-2 * y)


def tanh(x: Operand) -> Variable:
    """Return the hyperbolic tangent of ``x``, elementwise (book step 35)."""
    return Tanh()(x)
