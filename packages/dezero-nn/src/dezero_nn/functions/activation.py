"""Activations: elementwise functions between layers."""

from __future__ import annotations

from typing import Any

from dezero_core import Function, Variable, get_array_module
from dezero_core.extend import as_array_like
from dezero_core.functions import sum, where

from .. import signatures


@signatures.sigmoid.define
def _sigmoid(x: Any) -> Any:
    xp = get_array_module(x)
    small = xp.exp(-xp.abs(x))  # no overflow: 1 / (1 + e^-x) = e^x / (1 + e^x)
    return xp.where(x >= 0, xp.ones_like(x), small) / (1 + small)


class Sigmoid(Function):
    """y = 1 / (1 + exp(-x));  dy/dx = y (1 - y)."""

    def forward(self, x: Any) -> Any:
        return signatures.sigmoid(x)

    def backward(self, gy: Any) -> Any:
        (y,) = self.outputs
        return gy * y * (1 - y)


def sigmoid(x: Any) -> Variable:
    """Return the logistic function of ``x``, elementwise (book step 43)."""
    return Sigmoid()(x)


class ReLU(Function):
    """y = max(x, 0);  dy/dx = 1 where x > 0, else 0."""

    def forward(self, x: Any) -> Any:
        xp = get_array_module(x)
        return xp.maximum(x, as_array_like(0.0, x))

    def backward(self, gy: Any) -> Any:
        (y,) = self.outputs
        return where(y > 0, gy, 0.0)


def relu(x: Any) -> Variable:
    """Return ``x`` where it is positive, else 0; the derivative at 0 is 0 (book step 43)."""
    return ReLU()(x)


class Softmax(Function):
    """y = exp(x) / sum of exp(x) along an axis;  dL/dx = y (gy - sum of gy y)."""

    def __init__(self, axis: int) -> None:
        self.axis = axis

    def forward(self, x: Any) -> Any:
        xp = get_array_module(x)
        y = xp.exp(x - xp.max(x, axis=self.axis, keepdims=True))  # shifted: no overflow
        return y / xp.sum(y, axis=self.axis, keepdims=True, dtype=x.dtype)

    def backward(self, gy: Any) -> Any:
        (y,) = self.outputs
        return y * (gy - sum(gy * y, self.axis, keepdims=True))


def softmax(x: Any, axis: int = 1) -> Variable:
    """Return positive numbers that sum to 1 along ``axis`` (book step 47)."""
    return Softmax(axis)(x)
