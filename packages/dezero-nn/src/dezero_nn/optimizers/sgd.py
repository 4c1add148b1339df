"""Define stochastic gradient descent, without and with momentum."""

from __future__ import annotations

from typing import Any

from dezero_core.extend import Array

from .optimizer import Optimizer
from .settings import setting


class SGD(Optimizer):
    """Subtract the gradient times the learning rate: p -= lr * g (book step 46).

    Args:
        lr: learning rate, above 0 (default 0.01).

    Raises:
        ArgumentError: ``lr`` is not a finite number above 0.
    """

    elementwise = True
    lr: float = setting(positive=True)

    def __init__(self, lr: float = 0.01) -> None:
        super().__init__()
        self.lr = lr

    def delta(self, p: Array, g: Array, state: dict[str, Any]) -> Array:
        return g * -self.lr


class MomentumSGD(Optimizer):
    """Add a velocity that accumulates gradients: v = momentum * v - lr * g;  p += v.

    Book step 46.

    Args:
        lr: learning rate, above 0 (default 0.01).
        momentum: the factor of the previous velocity; at least 0 (default 0.9).

    Raises:
        ArgumentError: a number is out of its range.
    """

    elementwise = True
    lr: float = setting(positive=True)
    momentum: float = setting()

    def __init__(self, lr: float = 0.01, momentum: float = 0.9) -> None:
        super().__init__()
        self.lr, self.momentum = lr, momentum

    def delta(self, p: Array, g: Array, state: dict[str, Any]) -> Array:
        v = state["v"] = state.get("v", 0.0) * self.momentum - g * self.lr
        return v
