"""Stochastic gradient descent."""

from __future__ import annotations

from typing import Any

from .optimizer import Optimizer


class SGD(Optimizer):
    """p -= lr * g (book step 46).

    Args:
        lr: learning rate (default 0.01).
    """

    def __init__(self, lr: float = 0.01) -> None:
        super().__init__()
        self.lr = lr

    def step(self, g: Any, state: dict[str, Any]) -> Any:
        return g * -self.lr
