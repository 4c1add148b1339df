"""Define AdaGrad, RMSprop and AdaDelta, optimizers with a step size for each element."""

from __future__ import annotations

from typing import Any

from dezero_core.extend import Array

from .optimizer import Optimizer
from .settings import setting


class AdaGrad(Optimizer):
    """Divide g by the root of h, the sum of all g**2 so far: p -= lr * g / (sqrt(h) + eps).

    Duchi, Hazan and Singer, "Adaptive Subgradient Methods", JMLR 12 (2011).

    Args:
        lr: learning rate, above 0 (default 0.001).
        eps: added to the denominator; at least 0 (default 1e-8).

    Raises:
        ArgumentError: a number is out of its range.
    """

    elementwise = True
    lr: float = setting(positive=True)
    eps: float = setting()

    def __init__(self, lr: float = 0.001, eps: float = 1e-8) -> None:
        super().__init__()
        self.lr, self.eps = lr, eps

    def delta(self, p: Array, g: Array, state: dict[str, Any]) -> Array:
        h = state["h"] = state.get("h", 0.0) + g * g
        return g / (h**0.5 + self.eps) * -self.lr


class RMSprop(Optimizer):
    """Divide g by the root of a running mean h of g**2: p -= lr * g / (sqrt(h) + eps).

    Tieleman and Hinton, "Neural Networks for Machine Learning", lecture 6.5, 2012.

    Args:
        lr: learning rate, above 0 (default 0.01).
        rho: decay of the running mean, in [0, 1) (default 0.99).
        eps: added to the denominator; at least 0 (default 1e-8).

    Raises:
        ArgumentError: a number is out of its range.
    """

    elementwise = True
    lr: float = setting(positive=True)
    rho: float = setting(below=1)
    eps: float = setting()

    def __init__(self, lr: float = 0.01, rho: float = 0.99, eps: float = 1e-8) -> None:
        super().__init__()
        self.lr, self.rho, self.eps = lr, rho, eps

    def delta(self, p: Array, g: Array, state: dict[str, Any]) -> Array:
        h = state["h"] = state.get("h", 0.0) * self.rho + g * g * (1 - self.rho)
        return g / (h**0.5 + self.eps) * -self.lr


class AdaDelta(Optimizer):
    """Scale each gradient to the size of earlier updates, without a learning rate: p -= d.

    d = g * sqrt((mean of d**2) + eps) / sqrt((mean of g**2) + eps).

    Both means are running means; the mean of d**2 excludes the current d. Zeiler, "ADADELTA", 2012.

    Args:
        rho: decay of the running means, in [0, 1) (default 0.95).
        eps: added to both means, so that the first updates are not 0; at least 0 (default 1e-6).

    Raises:
        ArgumentError: a number is out of its range.
    """

    elementwise = True
    rho: float = setting(below=1)
    eps: float = setting()

    def __init__(self, *, rho: float = 0.95, eps: float = 1e-6) -> None:
        super().__init__()
        self.rho, self.eps = rho, eps

    def delta(self, p: Array, g: Array, state: dict[str, Any]) -> Array:
        rho, eps = self.rho, self.eps
        d2 = state.get("d2", 0.0)
        g2 = state["g2"] = state.get("g2", 0.0) * rho + g * g * (1 - rho)
        d = g * ((d2 + eps) ** 0.5 / (g2 + eps) ** 0.5)
        state["d2"] = d2 * rho + d * d * (1 - rho)
        return -d
