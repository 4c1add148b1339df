"""Add, multiply, divide and raise to powers, elementwise; shapes broadcast as in NumPy."""

from __future__ import annotations

import math
from typing import Any

from ..backends.interface import Array
from ..backends.precision import is_wide, to_floating
from ..backends.registry import backend_of
from ..function import Function
from ..variable import Operand, Scalar, Variable, cast, get_array_module, unwrap
from .casting import as_floating
from .exponential import log
from .selection import where


class Add(Function):
    """y = x0 + x1;  dy/dx0 = 1,  dy/dx1 = 1."""

    broadcasts = True

    def forward(self, x0: Array, x1: Array) -> Array:
        return x0 + x1

    def backward(self, gy: Array | Variable) -> Any:
        return gy, gy


def add(x0: Operand, x1: Operand) -> Variable:
    """Return ``x0 + x1``; shapes broadcast (book step 11)."""
    return Add()(x0, x1)


class Sub(Function):
    """y = x0 - x1;  dy/dx0 = 1,  dy/dx1 = -1."""

    broadcasts = True

    def forward(self, x0: Array, x1: Array) -> Array:
        return x0 - x1

    def backward(self, gy: Array | Variable) -> Any:
        return gy, -gy if self.needs_grad[1] else None


def sub(x0: Operand, x1: Operand) -> Variable:
    """Return ``x0 - x1``; shapes broadcast (book step 22)."""
    return Sub()(x0, x1)


class Mul(Function):
    """y = x0 * x1;  dy/dx0 = x1,  dy/dx1 = x0."""

    broadcasts = True

    def forward(self, x0: Array, x1: Array) -> Array:
        return x0 * x1

    def backward(self, gy: Array | Variable) -> Any:
        x0, x1 = self.inputs
        need0, need1 = self.needs_grad
        return gy * x1 if need0 else None, gy * x0 if need1 else None


def mul(x0: Operand, x1: Operand) -> Variable:
    """Return ``x0 * x1``; shapes broadcast (book step 20)."""
    return Mul()(x0, x1)


class Div(Function):
    """y = x0 / x1;  dy/dx0 = 1 / x1,  dy/dx1 = -y / x1."""

    broadcasts = True

    def forward(self, x0: Array, x1: Array) -> Array:
        try:
            return x0 / x1
        except TypeError:  # the array API standard does not define division of integers
            return to_floating(x0) / to_floating(x1)

    def backward(self, gy: Array | Variable) -> Any:
        _, x1 = self.inputs
        (y,) = self.outputs
        gx0 = gy / as_floating(x1)
        return gx0, -gx0 * y if self.needs_grad[1] else None


def div(x0: Operand, x1: Operand) -> Variable:
    """Return ``x0 / x1``; shapes broadcast (book step 22)."""
    return Div()(x0, x1)


class Neg(Function):
    """y = -x;  dy/dx = -1."""

    def forward(self, x: Array) -> Array:
        return -x

    def backward(self, gy: Array | Variable) -> Any:
        return -gy


def neg(x: Operand) -> Variable:
    """Return ``-x`` (book step 22)."""
    return Neg()(x)


class Pos(Function):
    """y = +x, in a new array;  dy/dx = 1."""

    def forward(self, x: Array) -> Array:
        return backend_of(x).copy(x)

    def backward(self, gy: Array | Variable) -> Any:
        return gy


def pos(x: Operand) -> Variable:
    """Return a copy of ``x``."""
    return Pos()(x)


class Abs(Function):
    """y = |x|;  dy/dx = sign(x), and 0 where x = 0."""

    def forward(self, x: Array) -> Array:
        xp = get_array_module(x)
        return xp.abs(x)

    def backward(self, gy: Array | Variable) -> Any:
        (x,) = self.inputs
        xp, x = get_array_module(x), unwrap(x)
        if not is_wide(x.dtype) and xp.isdtype(x.dtype, "bool"):
            x = cast(x, xp.int8)
        return gy * xp.sign(x)


def abs(x: Operand) -> Variable:
    """Return ``|x|``, elementwise; the derivative at 0 is 0."""
    return Abs()(x)


class Pow(Function):
    """y = x0 ** x1;  dy/dx0 = x1 x0**(x1 - 1),  dy/dx1 = y log(x0), and 0 where x0 <= 0."""

    broadcasts = True

    def forward(self, x0: Array, x1: Array) -> Array:
        return x0**x1

    def backward(self, gy: Array | Variable) -> Any:
        x0, x1 = self.inputs
        need0, need1 = self.needs_grad
        gx0 = gx1 = None
        if need0:
            gx0 = gy * x1 * lower_power(x0, x1)
        if need1:
            (y,) = self.outputs
            gx1 = gy * power_times_log(x0, y)
        return gx0, gx1


def lower_power(x0: Array | Variable | float, x1: Array | Variable | float) -> Any:
    """Return ``x0 ** (x1 - 1)``, or 1 where ``x1`` is 0 and the power is infinite or NaN.

    The result times ``x1`` is therefore 0 where ``x1`` is 0. Where the power is finite, derivatives
    with respect to ``x1`` need it.
    """
    if isinstance(x1, Scalar):
        return x0 ** (x1 - 1) if x1 else 1.0
    base: Any = unwrap(x0)
    xp = get_array_module(base)
    is_floating = xp.isdtype(base.dtype, "real floating")
    least = float(xp.finfo(base.dtype).smallest_normal) if is_floating else 1.0
    is_regular = (x1 > 0) | (x1 < 0) | (abs(base) >= least)
    return where(is_regular, x0, 1.0) ** where(is_regular, x1 - 1, 1)


def power_times_log(x0: Array | Variable | float, y: Array | Variable) -> Any:
    """Return ``y log(x0)``, or 0 where ``x0 <= 0`` (NaN where ``x0 < 0`` and ``y`` is NaN)."""
    if isinstance(x0, int | float):
        return y * (math.log(x0) if x0 > 0 else 0.0) if x0 else 0.0
    power = where((x0 > 0) | (x0 < 0), y, 0.0)
    return power * log(where(x0 > 0, x0, 1.0))


def pow(x0: Operand, x1: Operand) -> Variable:
    """Return ``x0 ** x1``; gradients flow to the base and to the exponent (book step 22).

    The derivative with respect to the exponent is 0 where the base is not positive.
    """
    return Pow()(x0, x1)
