"""Adam, and Adam with decoupled weight decay."""

from __future__ import annotations

from typing import Any

from .optimizer import Optimizer


class Adam(Optimizer):
    """m and v are running means of g and g**2;  p -= alpha_t * m / (sqrt(v) + eps).

    alpha_t = alpha * sqrt(1 - beta2**t) / (1 - beta1**t) makes up for their start at zero, at
    step t of each parameter. Kingma and Ba, "Adam", 2015, the efficient form of section 2.

    Args:
        alpha: step size (default 0.001).
        beta1: decay of m (default 0.9).
        beta2: decay of v (default 0.999).
        eps: keeps the quotient finite (default 1e-8).
    """

    elementwise = True

    rate_name = "alpha"

    def __init__(
        self, alpha: float = 0.001, beta1: float = 0.9, beta2: float = 0.999, eps: float = 1e-8
    ) -> None:
        super().__init__()
        self.alpha, self.beta1, self.beta2, self.eps = alpha, beta1, beta2, eps

    @property
    def lr(self) -> float:
        """alpha_t at the latest step; before the first, what it will be there."""
        return self._alpha(max((state["t"] for state in self._state.values()), default=1))

    def _alpha(self, t: int) -> float:
        return float(self.alpha * (1 - self.beta2**t) ** 0.5 / (1 - self.beta1**t))

    def step(self, p: Any, g: Any, state: dict[str, Any]) -> Any:
        t = state["t"] = state.get("t", 0) + 1
        m = state["m"] = state.get("m", 0.0) * self.beta1 + g * (1 - self.beta1)
        v = state["v"] = state.get("v", 0.0) * self.beta2 + g * g * (1 - self.beta2)
        return m / (v**0.5 + self.eps) * -self._alpha(t)


class AdamW(Adam):
    """Adam, and besides p -= alpha * weight_decay * p.

    The decay stays out of m and v. Loshchilov and Hutter, "Decoupled Weight Decay
    Regularization", 2019.

    Args:
        alpha, beta1, beta2, eps: as for `Adam`.
        weight_decay: share of the parameter taken off at each step, times alpha (default 0.01).
    """

    elementwise = True

    def __init__(
        self,
        alpha: float = 0.001,
        beta1: float = 0.9,
        beta2: float = 0.999,
        eps: float = 1e-8,
        weight_decay: float = 0.01,
    ) -> None:
        super().__init__(alpha, beta1, beta2, eps)
        self.weight_decay = weight_decay

    def step(self, p: Any, g: Any, state: dict[str, Any]) -> Any:
        return super().step(p, g, state) - p * (self.alpha * self.weight_decay)
