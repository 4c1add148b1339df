"""Define optimizers that are related to Adam."""

from __future__ import annotations

from typing import Any

from dezero_core import get_array_module
from dezero_core.extend import Array

from .adam import Adam
from .optimizer import Optimizer
from .settings import setting


def updated_means(rule: Adam, g: Array, state: dict[str, Any]) -> tuple[Array, Array]:
    """Update Adam's means in ``state``; return the mean m of g and the mean v of g**2."""
    m = state["m"] = state.get("m", 0.0) * rule.beta1 + g * (1 - rule.beta1)
    v = state["v"] = state.get("v", 0.0) * rule.beta2 + g * g * (1 - rule.beta2)
    return m, v


class AMSGrad(Adam):
    """Update like `Adam`, but divide by the root of the largest mean of g**2 so far.

    Reddi, Kale and Kumar, "On the Convergence of Adam and Beyond", 2018. PyTorch's Adam computes
    the same with ``amsgrad=True``.

    Args:
        alpha, beta1, beta2, eps, lr: as for `Adam`.

    Raises:
        ArgumentError: as for `Adam`.
    """

    elementwise = True

    def rates(self, t: int) -> tuple[float, ...]:
        return 1 - self.beta2**t, self.alpha / (1 - self.beta1**t)

    def delta(self, p: Array, g: Array, state: dict[str, Any]) -> Array:
        correction, rate = self.step_rates([state], g)
        m, v = updated_means(self, g, state)
        top = get_array_module(v).maximum(state["top"], v) if "top" in state else v * 1.0
        state["top"] = top
        return m / ((top / correction) ** 0.5 + self.eps) * -rate


class Adamax(Adam):
    """Divide the mean of the gradient by the largest recent gradient: p -= alpha * m' / u.

    u = max(beta2 * u, abs(g) + eps). Kingma and Ba, "Adam", 2015, Algorithm 2; PyTorch's Adamax
    computes the same.

    Args:
        alpha, beta1, beta2, eps, lr: as for `Adam`.

    Raises:
        ArgumentError: as for `Adam`.
    """

    elementwise = True

    def rates(self, t: int) -> tuple[float, ...]:
        return (self.alpha / (1 - self.beta1**t),)

    def delta(self, p: Array, g: Array, state: dict[str, Any]) -> Array:
        (rate,) = self.step_rates([state], g)
        m = state["m"] = state.get("m", 0.0) * self.beta1 + g * (1 - self.beta1)
        u = abs(g) + self.eps
        u = get_array_module(u).maximum(state["u"] * self.beta2, u) if "u" in state else u
        state["u"] = u
        return m / u * -rate


class NAdam(Adam):
    """Update like `Adam`, with Nesterov's momentum.

    p -= alpha * ((1 - u) / (1 - U) * g + u' / (1 - U * u') * m) / (sqrt(v') + eps)

    u = beta1 * (1 - 0.5 * 0.96**(0.004 * t)), u' is the next u, and U is the product of all u so
    far. Dozat, "Incorporating Nesterov Momentum into Adam", 2016; PyTorch's NAdam computes the
    same.

    Args:
        alpha, beta1, beta2, eps, lr: as for `Adam`.

    Raises:
        ArgumentError: as for `Adam`.
    """

    elementwise = True
    counted = ("t", "u")

    def rates(self, t: int, product: float = 1.0) -> tuple[float, ...]:
        """Return the factors of g and m, the correction of v and the learning rate.

        ``product`` is U, the product of the first ``t`` momentum factors.
        """
        ahead = self._momentum(t + 1)
        of_g = (1 - self._momentum(t)) / (1 - product)
        return of_g, ahead / (1 - product * ahead), 1 - self.beta2**t, self.alpha

    def _momentum(self, t: int) -> float:
        return self.beta1 * (1 - 0.5 * 0.96 ** (0.004 * t))

    def _next_rates(self, states: list[dict[str, Any]]) -> tuple[float, ...]:
        t = states[0].get("t", 0) + 1
        product = states[0].get("u", 1.0) * self._momentum(t)
        for state in states:
            state.update(t=t, u=product)
        return self.rates(t, product)

    def delta(self, p: Array, g: Array, state: dict[str, Any]) -> Array:
        of_g, of_m, correction, rate = self.step_rates([state], g)
        m, v = updated_means(self, g, state)
        return (g * of_g + m * of_m) / ((v / correction) ** 0.5 + self.eps) * -rate


class RAdam(Adam):
    """Update like `Adam`, with smaller steps at first, when the mean of g**2 is not yet reliable.

    rho = rho' - 2 t beta2**t / (1 - beta2**t) estimates the number of gradients in that mean, and
    rho' = 2 / (1 - beta2) - 1 is the limit of rho. If rho is above 5, Adam's change is multiplied
    by sqrt((rho - 4) (rho - 2) rho' / ((rho' - 4) (rho' - 2) rho)); otherwise p -= alpha * m'. Liu
    et al., "On the Variance of the Adaptive Learning Rate and Beyond", 2020; PyTorch's RAdam
    computes the same.

    Args:
        alpha, beta1, beta2, eps, lr: as for `Adam`.

    Raises:
        ArgumentError: as for `Adam`.
    """

    elementwise = True

    def rates(self, t: int) -> tuple[float, ...]:
        """Return the factor of the change, and 1.0 if the mean of g**2 is reliable, else 0.0."""
        correction, limit = 1 - self.beta2**t, 2 / (1 - self.beta2) - 1
        rate, rho = self.alpha / (1 - self.beta1**t), limit - 2 * t * self.beta2**t / correction
        if rho <= 5:
            return rate, 0.0
        part = (rho - 4) * (rho - 2) * limit / ((limit - 4) * (limit - 2) * rho)
        return rate * (correction * part) ** 0.5, 1.0

    def delta(self, p: Array, g: Array, state: dict[str, Any]) -> Array:
        rate, is_reliable = self.step_rates([state], g)
        m, v = updated_means(self, g, state)
        if isinstance(is_reliable, float):
            return m / (v**0.5 + self.eps) * -rate if is_reliable else m * -rate
        where = get_array_module(v).where  # a captured step cannot branch on a value
        return where(is_reliable > 0, m / (v**0.5 + self.eps), m) * -rate


class Lion(Optimizer):
    """Step by the sign of a mean of the gradients: p -= lr * (sign(c) + weight_decay * p).

    c = beta1 * m + (1 - beta1) * g, and then m = beta2 * m + (1 - beta2) * g. Chen et al.,
    "Symbolic Discovery of Optimization Algorithms", 2023. The paper recommends a learning rate 3 to
    10 times below AdamW's, and a weight decay as much above AdamW's.

    Args:
        lr: learning rate, above 0 (default 1e-4).
        beta1: the weight of m in c, in [0, 1) (default 0.9).
        beta2: decay of m, in [0, 1) (default 0.99).
        weight_decay: the factor in the formula above; at least 0 (default 0).

    Raises:
        ArgumentError: a number is out of its range.
    """

    elementwise = True
    lr: float = setting(positive=True)
    beta1: float = setting(below=1)
    beta2: float = setting(below=1)
    weight_decay: float = setting()

    def __init__(
        self,
        lr: float = 1e-4,
        beta1: float = 0.9,
        beta2: float = 0.99,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__()
        self.lr, self.beta1, self.beta2, self.weight_decay = lr, beta1, beta2, weight_decay

    def delta(self, p: Array, g: Array, state: dict[str, Any]) -> Array:
        m = state.get("m", 0.0)
        sign = get_array_module(g).sign(m * self.beta1 + g * (1 - self.beta1))
        state["m"] = m * self.beta2 + g * (1 - self.beta2)
        return (sign + p * self.weight_decay) * -self.lr
