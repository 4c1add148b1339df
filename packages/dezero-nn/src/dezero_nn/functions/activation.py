"""Define activation functions: sigmoid, relu, softmax and others."""

from __future__ import annotations

from typing import Any

from dezero_core import Function, Variable, as_variable, get_array_module
from dezero_core.arguments import Axis, AxisLike, as_axes, as_number
from dezero_core.diagnosis import require_axes
from dezero_core.dtypes import as_floating, call_widened, cast, sum_over
from dezero_core.extend import Array, backend_of, kernel_op, unwrap
from dezero_core.functions import exp, sum, where
from dezero_core.hints import hinted
from dezero_core.variable import AnyArray, Operand

LAST_AXIS = "; give axis=-1 for the last"


@kernel_op
def sigmoid_op(x: Array) -> Array:
    """Return 1 / (1 + exp(-x)), in the shape and dtype of ``x``."""
    xp = get_array_module(x)
    small = xp.exp(-xp.abs(x))  # no overflow: 1 / (1 + e^-x) = e^x / (1 + e^x)
    return xp.where(x >= 0, xp.ones_like(x), small) / (1 + small)


class Sigmoid(Function):
    """y = 1 / (1 + exp(-x));  dy/dx = y (1 - y)."""

    def forward(self, x: Array) -> Any:
        return sigmoid_op(x)

    def backward(self, gy: AnyArray) -> Any:
        (y,) = self.outputs
        return SigmoidGrad()(gy, y)


@kernel_op
def sigmoid_grad_op(gy: Array, y: Array) -> Array:
    """Return gy y (1 - y); both arguments have the same shape and dtype."""
    return gy * y * (1 - y)


class SigmoidGrad(Function):
    """gx = gy y (1 - y);  dgx/dgy = y (1 - y),  dgx/dy = gy (1 - 2 y)."""

    def forward(self, gy: Array, y: Array) -> Any:
        return sigmoid_grad_op(gy, y)

    def backward(self, ggx: AnyArray) -> Any:
        gy, y = self.inputs
        return SigmoidGrad()(ggx, y), ggx * gy * (1 - 2 * y)


def sigmoid(x: Operand) -> Variable:
    """Return the logistic function of ``x``, elementwise (book step 43)."""
    return Sigmoid()(as_floating(x))


def sigmoid_simple(x: Operand) -> Variable:
    """Compute `sigmoid` from basic functions; exp overflows for ``x`` far below 0."""
    return 1 / (1 + exp(-as_floating(as_variable(x))))


class ReLU(Function):
    """y = max(x, 0);  dy/dx = 1 where x > 0, else 0."""

    def forward(self, x: Array) -> Any:
        return relu_op(x)

    def backward(self, gy: AnyArray) -> Any:
        (y,) = self.outputs
        return ReLUGrad()(gy, unwrap(y))


@kernel_op
def relu_op(x: Array) -> Array:
    """Return ``x`` where it is positive and 0 elsewhere, in the shape and dtype of ``x``."""
    xp = get_array_module(x)
    return xp.maximum(x, backend_of(x).scalar_like(0, x))


@kernel_op
def relu_grad_op(gy: Array, y: Array) -> Array:
    """Return ``gy`` where y > 0 and 0 elsewhere; ``gy`` and y have the same shape and dtype."""
    xp = get_array_module(gy)
    return xp.where(y > 0, gy, backend_of(gy).scalar_like(0, gy))


class ReLUGrad(Function):
    """gx = gy where y > 0, else 0;  dgx/dgy = 1 where y > 0, else 0."""

    def forward(self, gy: Array, y: Array) -> Any:
        return relu_grad_op(gy, y)

    def backward(self, ggx: AnyArray) -> Any:
        _, y = self.inputs
        return ReLUGrad()(ggx, y), None


@hinted
def relu(x: Operand) -> Variable:
    """Return ``x`` where it is positive, else 0; the derivative at 0 is 0 (book step 43)."""
    return ReLU()(x)


class AddReLU(Function):
    """y = max(x0 + x1, 0);  dy/dx0 = dy/dx1 = 1 where y > 0, else 0."""

    broadcasts = True

    def forward(self, x0: Array, x1: Array) -> Any:
        return add_relu_op(x0, x1)

    def backward(self, gy: AnyArray) -> Any:
        (y,) = self.outputs
        gx = ReLUGrad()(gy, unwrap(y))
        return gx, gx


@kernel_op
def add_relu_op(x0: Array, x1: Array) -> Array:
    """Return ``x0 + x1`` where the sum is positive and 0 elsewhere; shapes broadcast."""
    return relu_op(x0 + x1)


def add_relu(x0: Operand, x1: Operand) -> Variable:
    """Return ``relu(x0 + x1)``, the end of a residual block.

    On a GPU, one kernel computes the result, in the memory order of ``x0``.
    """
    return AddReLU()(x0, x1)


class LeakyReLU(Function):
    """y = x where x > 0, else slope x;  dy/dx = 1 where x > 0, else slope."""

    def __init__(self, slope: float) -> None:
        self.slope = slope

    def forward(self, x: Array) -> Any:
        xp = get_array_module(x)
        if 0 < self.slope <= 1:  # np.maximum is several times as fast as np.where
            return xp.maximum(x, x * self.slope)
        return xp.where(x > 0, x, x * self.slope)

    def backward(self, gy: AnyArray) -> Any:
        (x,) = self.inputs
        if 0 < self.slope <= 1:
            slope = backend_of(unwrap(x)).scalar_like(self.slope, unwrap(x))
            return gy * get_array_module(x).maximum(cast(unwrap(x > 0), x.dtype), slope)
        return where(x > 0, gy, gy * self.slope)


@hinted
def leaky_relu(x: Operand, slope: float = 0.2) -> Variable:
    """Return ``x`` where it is positive, else ``slope * x``; the derivative at 0 is ``slope``."""
    return LeakyReLU(as_number("leaky_relu", "slope", slope))(as_floating(x))


@kernel_op
def softmax_op(x: Array, axis: Axis) -> Array:
    """Return exp(x) divided by its sum along ``axis``, in the shape and dtype of ``x``."""
    y = get_array_module(x).exp(subtract_maximum(x, axis))
    return y / sum_over(y, backend_of(y), axis, keepdims=True)


class Softmax(Function):
    """y = exp(x) / sum of exp(x) along an axis;  dL/dx = y (gy - sum of gy y)."""

    def __init__(self, axis: Axis) -> None:
        self.axis = axis

    def forward(self, x: Array) -> Any:
        return softmax_op(x, self.axis)

    def backward(self, gy: AnyArray) -> Any:
        (y,) = self.outputs
        return SoftmaxGrad(self.axis)(gy, y)

    def diagnose(self, *arrays: Array) -> None:
        require_axes(self, self.axis, arrays[0].shape, elements=False, advice=LAST_AXIS)


@kernel_op
def softmax_grad_op(gy: Array, y: Array, axis: Axis) -> Array:
    """Return y (gy - sum of gy y along ``axis``); both arrays have the same shape and dtype."""
    return y * (gy - sum_over(gy * y, backend_of(y), axis, keepdims=True))


class SoftmaxGrad(Function):
    """gx = y (gy - a), a = sum of gy y;  dL/dy = ggx (gy - a) - gy (sum of ggx y)."""

    def __init__(self, axis: Axis) -> None:
        self.axis = axis

    def forward(self, gy: Array, y: Array) -> Any:
        return softmax_grad_op(gy, y, self.axis)

    def backward(self, ggx: AnyArray) -> Any:
        gy, y = self.inputs
        a, b = (sum(g * y, self.axis, keepdims=True) for g in (gy, ggx))
        return SoftmaxGrad(self.axis)(ggx, y), ggx * (gy - a) - gy * b


@hinted
def softmax(x: Operand, axis: AxisLike = 1) -> Variable:
    """Return exp(x) divided by its sum along ``axis`` (book step 47).

    Raises:
        ShapeError: ``axis`` is not an axis of ``x``.
    """
    return call_widened(Softmax(as_axes("softmax", axis)), x)


@hinted
def softmax_simple(x: Operand, axis: AxisLike = 1) -> Variable:
    """Compute `softmax` from basic functions; exp overflows for large ``x``."""

    def compute(x: Operand) -> Variable:
        y = exp(x)
        return y / sum(y, axis, keepdims=True)

    return call_widened(compute, as_variable(x))


@kernel_op
def log_softmax_op(x: Array, axis: Axis) -> Array:
    """Return x minus the log of the sum of exp(x) along ``axis``, in the dtype of ``x``."""
    xp = get_array_module(x)
    y = subtract_maximum(x, axis)
    return y - xp.log(sum_over(xp.exp(y), backend_of(y), axis, keepdims=True))


class LogSoftmax(Function):
    """y = x - log of the sum of exp(x) along an axis;  dL/dx = gy - exp(y) (sum of gy)."""

    def __init__(self, axis: Axis) -> None:
        self.axis = axis

    def forward(self, x: Array) -> Any:
        return log_softmax_op(x, self.axis)

    def backward(self, gy: AnyArray) -> Any:
        (y,) = self.outputs
        return gy - exp(y) * sum(gy, self.axis, keepdims=True)

    def diagnose(self, *arrays: Array) -> None:
        require_axes(self, self.axis, arrays[0].shape, elements=False, advice=LAST_AXIS)


@hinted
def log_softmax(x: Operand, axis: AxisLike = 1) -> Variable:
    """Return the logarithm of `softmax`, also accurate for tiny probabilities (book step 47).

    Raises:
        ShapeError: ``axis`` is not an axis of ``x``.
    """
    return call_widened(LogSoftmax(as_axes("log_softmax", axis)), x)


def subtract_maximum(x: Array, axis: Axis) -> Any:
    """Return ``x`` minus its maximum along ``axis``, so that exp of the result cannot overflow."""
    xp = get_array_module(x)
    largest = xp.sum if 0 in x.shape else xp.max  # an empty array has no maximum
    return x - largest(x, axis=axis, keepdims=True)
