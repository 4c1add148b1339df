"""Define gelu and silu: x times a smooth step from 0 to 1.

The derivative shares most of its terms with the result, so the ops return both at once. The graph
stores the derivative, and a backward pass only multiplies by it.
"""

from __future__ import annotations

import math
from reprlib import repr as shortened
from typing import Any

from dezero_core import Config, Function, Variable, get_array_module
from dezero_core.dtypes import call_widened
from dezero_core.errors import ArgumentError
from dezero_core.extend import Array, kernel_op
from dezero_core.functions import clip, exp, tanh
from dezero_core.functions.error_function import Erf
from dezero_core.hints import hinted
from dezero_core.variable import AnyArray, Operand

from .activation import sigmoid, sigmoid_op

SCALE, CUBIC = math.sqrt(2 / math.pi), 0.044715
"""The numbers of the tanh form: the step at x is (1 + tanh(SCALE (x + CUBIC x**3))) / 2."""

SATURATED = 40.0
"""If |x| is larger, the step of gelu is exactly 0 or 1 in float64. The formulas clip x to this
limit, because x**2 and x**3 may overflow."""


class SmoothGate(Function):
    """y = x s(x), and dy/dx as a second output;  d2y/dx2 = ``second_derivative(x)``."""

    materialize_grads = False

    def backward(self, gy: AnyArray | None, gd: AnyArray | None) -> Any:
        (x,), (_, d) = self.inputs, self.outputs
        if gd is None:
            return gy * d
        gx = gd * self.second_derivative(x)
        return gx if gy is None else gx + gy * d

    def second_derivative(self, x: AnyArray) -> Any:
        """Return d2y/dx2, computed by functions that can be differentiated again."""
        raise NotImplementedError(f"{type(self).__name__} must define second_derivative")


@kernel_op
def silu_op(x: Array, needs_derivative: bool) -> tuple[Array, Array | None]:
    """Return x / (1 + exp(-x)), and its derivative or None, in the shape and dtype of ``x``."""
    s = sigmoid_op(x)
    y = x * s
    return y, s + y * (1 - s) if needs_derivative else None


class SiLU(SmoothGate):
    """y = x s, s = 1 / (1 + exp(-x));  dy/dx = s + y (1 - s)."""

    def forward(self, x: Array) -> Any:
        return without_none(silu_op(x, Config.enable_backprop))

    def second_derivative(self, x: AnyArray) -> Any:
        s = sigmoid(x)
        return s * (1 - s) * (2 + x * (1 - 2 * s))


@hinted
def silu(x: Operand) -> Variable:
    """Return ``x`` times its logistic function (Elfwing et al., 2017; also called swish)."""
    return first(call_widened(SiLU(), x))


@kernel_op
def gelu_op(x: Array, approximate: str, needs_derivative: bool) -> tuple[Array, Array | None]:
    """Return x times the normal distribution function at x, and the derivative or None.

    approximate: "none", or "tanh" for the approximation. Both results have the shape and dtype of
    ``x``.
    """
    xp = get_array_module(x)
    c = xp.clip(x, -SATURATED, SATURATED)
    if approximate == "none":
        s = (Erf().forward(c * math.sqrt(0.5)) + 1) * 0.5
        slope = xp.exp(c * c * -0.5) * (SCALE / 2) if needs_derivative else None
    else:
        t = xp.tanh(SCALE * c * (1 + CUBIC * c * c))
        s = (t + 1) * 0.5
        slope = (1 - t * t) * (1 + 3 * CUBIC * c * c) * (SCALE / 2) if needs_derivative else None
    return x * s, None if slope is None else s + c * slope


class GELU(SmoothGate):
    """y = x s, s = (1 + erf(x / sqrt(2))) / 2;  dy/dx = s + x exp(-x**2 / 2) / sqrt(2 pi)."""

    def forward(self, x: Array) -> Any:
        return without_none(gelu_op(x, "none", Config.enable_backprop))

    def second_derivative(self, x: AnyArray) -> Any:
        x = clip(x, -SATURATED, SATURATED)
        return exp(x * x * -0.5) * (2 - x * x) * (SCALE / 2)


class TanhGELU(SmoothGate):
    """y = x (1 + t) / 2, t = tanh(v), v = SCALE (x + CUBIC x**3);  dt/dx = (1 - t**2) dv/dx."""

    def forward(self, x: Array) -> Any:
        return without_none(gelu_op(x, "tanh", Config.enable_backprop))

    def second_derivative(self, x: AnyArray) -> Any:
        x = clip(x, -SATURATED, SATURATED)
        t = tanh(SCALE * x * (1 + CUBIC * x * x))
        v1, v2 = SCALE * (1 + 3 * CUBIC * x * x), 6 * SCALE * CUBIC * x
        return (1 - t * t) * (v1 + x * (v2 * 0.5 - t * v1 * v1))


@hinted
def gelu(x: Operand, approximate: str = "none") -> Variable:
    """Return the Gaussian error linear unit: ``x`` times the normal distribution function at ``x``.

    Hendrycks and Gimpel, "Gaussian Error Linear Units", 2016.

    Args:
        x: any shape.
        approximate: "none" (default, as in PyTorch) computes x (1 + erf(x / sqrt(2))) / 2; "tanh"
            computes 0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x**3))), which is faster, and
            differs from "none" by at most 0.0005. GPT-2 uses "tanh".

    Raises:
        ArgumentError: ``approximate`` is neither "none" nor "tanh".
    """
    if not isinstance(approximate, str) or approximate not in ("none", "tanh"):
        raise ArgumentError(
            f"gelu: approximate {shortened(approximate)}; expected 'none' or 'tanh'"
        )
    return first(call_widened(GELU() if approximate == "none" else TanhGELU(), x))


def without_none(outputs: tuple[Array, Array | None]) -> Any:
    """Return the results of an op as outputs of a Function, which cannot be None."""
    return outputs[0] if outputs[1] is None else outputs


def first(y: Any) -> Any:
    """Return the first of several outputs, or the only output."""
    return y[0] if isinstance(y, tuple) else y
