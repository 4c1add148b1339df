"""Define `Adam`, and `AdamW` with decoupled weight decay."""

from __future__ import annotations

from typing import Any

from dezero_core.errors import ArgumentError
from dezero_core.extend import Array

from .optimizer import Optimizer
from .settings import setting
from .updates import adam_op, adam_update_op

ALPHA = float("0.001")
"""The default of alpha; `pick_rate` tests ``alpha is ALPHA`` to see whether a value was passed."""


class Adam(Optimizer):
    """Divide the mean of the gradient by its root mean square: p -= alpha * m' / (sqrt(v') + eps).

    m and v are running means of g and g**2. m' = m / (1 - beta1**t) and v' = v / (1 - beta2**t)
    correct for the start of m and v at zero, where t counts the updates of the parameter. Kingma
    and Ba, "Adam", 2015, Algorithm 1; PyTorch's Adam computes the same.

    Args:
        alpha: learning rate, the paper's step size; above 0 (default 0.001).
        beta1: decay of m, in [0, 1) (default 0.9).
        beta2: decay of v, in [0, 1) (default 0.999).
        eps: added to the denominator; at least 0 (default 1e-8).
        lr: another name for alpha; pass either alpha or lr.

    Raises:
        ArgumentError: a number is out of its range, or both alpha and lr are given.
    """

    elementwise = True
    counts_updates = True
    rate_name = "alpha"
    alpha: float = setting(positive=True)
    beta1: float = setting(below=1)
    beta2: float = setting(below=1)
    eps: float = setting()

    def __init__(
        self,
        alpha: float = ALPHA,
        beta1: float = 0.9,
        beta2: float = 0.999,
        eps: float = 1e-8,
        *,
        lr: float | None = None,
    ) -> None:
        super().__init__()
        self.alpha = pick_rate(type(self).__name__, alpha, lr)
        self.beta1, self.beta2, self.eps = beta1, beta2, eps

    @property
    def lr(self) -> float:
        """The learning rate, an alias of ``alpha``."""
        return self.alpha

    @lr.setter
    def lr(self, value: float) -> None:
        self.alpha = value

    def rates(self, t: int) -> tuple[float, ...]:
        """Return eps and the step size, corrected for the bias of m and v, which start at zero."""
        # c multiplies numerator and denominator, so that the correction scales numbers, not arrays
        c = (1 - self.beta2**t) ** 0.5
        return self.eps * c, self.alpha * c / (1 - self.beta1**t)

    def delta(self, p: Array, g: Array, state: dict[str, Any]) -> Array:
        return self._change(p, g, state, *self.step_rates([state], g))

    def _change(
        self, p: Array, g: Array, state: dict[str, Any], eps: Any, rate: Any, decay: Any = 0.0
    ) -> Array:
        """Return Adam's change of ``p``, minus ``decay * p``."""
        m, v = state.get("m", 0.0), state.get("v", 0.0)
        change, state["m"], state["v"] = adam_op(
            p, g, m, v, self.beta1, self.beta2, eps, rate, decay
        )
        return change

    def _update_arrays(self, ps: Any, gs: Any, states: Any) -> list[Array]:
        return adam_update_op(ps, gs, states, self.delta, self.step_rates, self.beta1, self.beta2)


class AdamW(Adam):
    """Update like `Adam`, and decay the weights: p -= alpha * weight_decay * p.

    The decay does not affect the running means m and v. Loshchilov and Hutter, "Decoupled Weight
    Decay Regularization", 2019.

    Args:
        alpha, beta1, beta2, eps, lr: as for `Adam`.
        weight_decay: the factor in the formula above; at least 0 (default 0.01).

    Raises:
        ArgumentError: as for `Adam`.
    """

    elementwise = True
    weight_decay: float = setting()

    def __init__(
        self,
        alpha: float = ALPHA,
        beta1: float = 0.9,
        beta2: float = 0.999,
        eps: float = 1e-8,
        weight_decay: float = 0.01,
        *,
        lr: float | None = None,
    ) -> None:
        super().__init__(alpha, beta1, beta2, eps, lr=lr)
        self.weight_decay = weight_decay

    def rates(self, t: int) -> tuple[float, ...]:
        decay = (self.alpha * self.weight_decay,) if self.weight_decay else ()
        return (*super().rates(t), *decay)


def pick_rate(owner: str, alpha: float, lr: float | None) -> float:
    """Return the learning rate, which may be passed as alpha or as lr, but not as both."""
    if lr is not None and alpha is not ALPHA:
        raise ArgumentError(f"{owner}: got alpha {alpha!r} and lr {lr!r}; pass only one of them")
    return alpha if lr is None else lr
