"""Round elementwise, return signs, and divide with a rounded quotient."""

from __future__ import annotations

import math
from typing import Any

from ..arguments import as_integer
from ..backends.interface import Array
from ..backends.precision import is_floating
from ..backends.registry import backend_of
from ..errors import ArgumentError
from ..function import Function
from ..variable import AnyArray, Operand, Variable, as_variable, get_array_module, unwrap
from .arithmetic import div, mul
from .casting import call_widened


def zeros_like(gy: AnyArray) -> AnyArray:
    """Return zeros in the shape of ``gy``: a Variable if ``gy`` is one, else an array."""
    zeros: Array = get_array_module(gy).zeros_like(unwrap(gy))
    return Variable(zeros, requires_grad=False) if isinstance(gy, Variable) else zeros


class Rounding(Function):
    """Apply the array API function ``name`` to floating-point x, and copy other x;  dy/dx = 0."""

    name: str

    def forward(self, x: Array) -> Array:
        backend = backend_of(x)
        if not is_floating(x.dtype, backend):
            return backend.copy(x)
        y: Array = getattr(backend.xp, self.name)(x)
        return y

    def backward(self, gy: AnyArray) -> Any:
        return zeros_like(gy)


class Floor(Rounding):
    """y = the largest integer that is not above x;  dy/dx = 0."""

    name = "floor"


def floor(x: Operand) -> Variable:
    """Return the largest integers that are not above ``x``, in its dtype; the gradient is 0."""
    return Floor()(x)


class Ceil(Rounding):
    """y = the smallest integer that is not below x;  dy/dx = 0."""

    name = "ceil"


def ceil(x: Operand) -> Variable:
    """Return the smallest integers that are not below ``x``, in its dtype; the gradient is 0."""
    return Ceil()(x)


class Trunc(Rounding):
    """y = the integer part of x;  dy/dx = 0."""

    name = "trunc"


def trunc(x: Operand) -> Variable:
    """Return ``x`` rounded towards 0, in its dtype; the gradient is 0."""
    return Trunc()(x)


class Round(Rounding):
    """y = the nearest integer to x, and the even one if two are equally near;  dy/dx = 0."""

    name = "round"


def round(x: Operand, decimals: int = 0) -> Variable:
    """Return ``x`` rounded to the nearest multiple of ``10**-decimals``; the gradient is 0.

    Args:
        x: any shape. If ``decimals`` is 0, the result has the dtype of ``x``; else integers are
            converted to floating point.
        decimals: the number of decimal places (default 0); a negative number rounds to tens,
            hundreds, ... Of two nearest multiples, the one with an even last digit is returned.

    Raises:
        ArgumentError: ``decimals`` is not in [-308, 308], or for single and half precision not in
            [-38, 38]: no number of the dtype, or of float32, holds ``10**abs(decimals)``.
        ArgumentTypeError: ``decimals`` is not an integer.
    """
    decimals = as_integer("round", "decimals", decimals, -308, 308)
    if decimals == 0:
        return Round()(x)
    return call_widened(lambda x: round_scaled(x, decimals), as_variable(x))


def round_scaled(x: Variable, decimals: int) -> Variable:
    """Round ``x`` times ``10**decimals`` to integers, and divide them by ``10**decimals``."""
    limit = int(math.log10(get_array_module(x.data).finfo(x.dtype).max))
    if abs(decimals) > limit:
        raise ArgumentError(
            f"round: decimals {decimals}, x {x.dtype}: expected from -{limit} to {limit}"
        )
    scale = 10.0 ** abs(decimals)
    multiply, divide = (mul, div) if decimals > 0 else (div, mul)
    return divide(Round()(multiply(x, scale)), scale)


class Sign(Rounding):
    """y = -1, 0 or 1, as x is negative, zero or positive;  dy/dx = 0."""

    def forward(self, x: Array) -> Array:
        xp = get_array_module(x)
        return backend_of(x).copy(x) if xp.isdtype(x.dtype, "bool") else xp.sign(x)


def sign(x: Operand) -> Variable:
    """Return -1, 0 or 1 where ``x`` is negative, zero or positive, in its dtype.

    NaN stays NaN, and booleans are returned unchanged. The gradient is 0.
    """
    return Sign()(x)


class FloorDivide(Function):
    """y = floor(x0 / x1);  dy/dx0 = dy/dx1 = 0."""

    broadcasts = True

    def forward(self, x0: Array, x1: Array) -> Array:
        return x0 // x1

    def backward(self, gy: AnyArray) -> Any:
        return zeros_like(gy), zeros_like(gy)


def floor_divide(x0: Operand, x1: Operand) -> Variable:
    """Return ``x0 // x1``, the quotient rounded down; shapes broadcast, and the gradients are 0."""
    return FloorDivide()(x0, x1)


class Remainder(Function):
    """y = x0 - x1 floor(x0 / x1);  dy/dx0 = 1,  dy/dx1 = -floor(x0 / x1)."""

    broadcasts = True

    def forward(self, x0: Array, x1: Array) -> Array:
        return x0 % x1

    def backward(self, gy: AnyArray) -> Any:
        x0, x1 = self.inputs
        return gy, -gy * floor_divide(x0, x1) if self.needs_grad[1] else None


def remainder(x0: Operand, x1: Operand) -> Variable:
    """Return ``x0 % x1``, which has the sign of ``x1``, as in Python; shapes broadcast."""
    return Remainder()(x0, x1)
