"""Define stochastic gradient descent with and without momentum."""

from __future__ import annotations

from typing import Any

from dezero_core.errors import ArgumentError
from dezero_core.extend import Array

from .optimizer import Optimizer
from .settings import setting, switch
from .updates import momentum_sgd_op, sgd_op


class SGD(Optimizer):
    """Subtract the gradient times the learning rate: p -= lr * g (book step 46).

    The other settings are those of PyTorch's SGD. Weight decay replaces g by g + weight_decay * p.
    Momentum then replaces g by a velocity v = momentum * v + g, or by g + momentum * v if nesterov
    is True (Sutskever et al., "On the importance of initialization and momentum", 2013).

    Args:
        lr: learning rate, above 0 (default 0.01).
        momentum: the factor of the previous velocity; at least 0 (default 0).
        weight_decay: the factor of p that is added to the gradient; at least 0 (default 0).
        nesterov: whether to look ahead along the velocity (default False).

    Raises:
        ArgumentError: a number is out of its range, or ``nesterov`` is True without momentum.
        ArgumentTypeError: ``nesterov`` is not a bool.
    """

    elementwise = True
    lr: float = setting(positive=True)
    momentum: float = setting()
    weight_decay: float = setting()
    nesterov: bool = switch()

    def __init__(
        self,
        lr: float = 0.01,
        momentum: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
    ) -> None:
        super().__init__()
        self.lr, self.momentum = lr, momentum
        self.weight_decay, self.nesterov = weight_decay, nesterov
        if nesterov and momentum == 0:
            raise ArgumentError(
                "SGD: nesterov True with momentum 0; expected a momentum above 0, such as 0.9"
            )

    def rates(self, t: int) -> tuple[float, ...]:
        return (self.lr,)

    def delta(self, p: Array, g: Array, state: dict[str, Any]) -> Array:
        if self.weight_decay:
            g = g + p * self.weight_decay
        if self.momentum:
            v = state["v"] = state.get("v", 0.0) * self.momentum + g
            g = g + v * self.momentum if self.nesterov else v
        (rate,) = self.step_rates([state], g)
        return g * -rate

    def _update_arrays(self, ps: Any, gs: Any, states: Any) -> list[Array]:
        numbers = self.momentum, self.weight_decay, self.nesterov
        return sgd_op(ps, gs, states, self.delta, self.step_rates, *numbers)


class MomentumSGD(Optimizer):
    """Add a velocity that accumulates gradients: v = momentum * v - lr * g;  p += v.

    Book step 46. With nesterov, p += momentum * v - lr * g (Sutskever et al., 2013). If ``lr``
    changes, the velocity keeps the old rates; in `SGD`, the new rate applies to the whole velocity.

    Args:
        lr: learning rate, above 0 (default 0.01).
        momentum: the factor of the previous velocity; at least 0 (default 0.9).
        nesterov: whether to look ahead along the velocity (default False).

    Raises:
        ArgumentError: a number is out of its range.
        ArgumentTypeError: ``nesterov`` is not a bool.
    """

    elementwise = True
    lr: float = setting(positive=True)
    momentum: float = setting()
    nesterov: bool = switch()

    def __init__(self, lr: float = 0.01, momentum: float = 0.9, nesterov: bool = False) -> None:
        super().__init__()
        self.lr, self.momentum, self.nesterov = lr, momentum, nesterov

    def rates(self, t: int) -> tuple[float, ...]:
        return (self.lr,)

    def delta(self, p: Array, g: Array, state: dict[str, Any]) -> Array:
        (rate,) = self.step_rates([state], g)
        v = state["v"] = state.get("v", 0.0) * self.momentum - g * rate
        return v * self.momentum - g * rate if self.nesterov else v

    def _update_arrays(self, ps: Any, gs: Any, states: Any) -> list[Array]:
        numbers = self.momentum, self.nesterov
        return momentum_sgd_op(ps, gs, states, self.delta, self.step_rates, *numbers)
