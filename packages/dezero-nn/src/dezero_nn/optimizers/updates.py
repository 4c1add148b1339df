"""Define the ops of optimizers: updates and ``clip_norm`` of many arrays, and Adam's rule.

The ops of one rule, such as `sgd_op`, take the numbers of the rule in addition to the function
``delta``, so that a kernel can update all arrays at once without calling ``delta``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dezero_core import get_array_module
from dezero_core.dtypes import cast, sum_over
from dezero_core.extend import Array, backend_of, kernel_op


@kernel_op
def update_op(
    ps: list[Array], gs: list[Array], states: list[dict[str, Any]], delta: Callable[..., Array]
) -> list[Array]:
    """Return p + delta(p, g, state) for each parameter, computed in place if possible.

    ps: the parameters, arrays of one dtype; gs: the gradients of ps; states: a dictionary for each
    parameter. The function ``delta`` is elementwise. Each state holds arrays with the shape of p,
    and Python numbers.
    """
    backend = backend_of(ps[0])
    return [backend.iadd(p, delta(p, g, s)) for p, g, s in zip(ps, gs, states, strict=True)]


State = dict[str, Any]
Rates = Callable[[list[State], Array], tuple[Any, ...]]
"""`Optimizer.step_rates`: a function that counts an update in states with equal counts, and returns
the numbers of this update, which are Python numbers or 0-d arrays."""


@kernel_op
def sgd_op(
    ps: list[Array], gs: list[Array], states: list[State], delta: Callable[..., Array],
    rates: Rates, momentum: float, weight_decay: float, nesterov: bool,
) -> list[Array]:  # fmt: skip
    """Return the results of `update_op` for the rule of `SGD`; ``rates`` returns (lr,).

    With momentum, each state has an array "v", and is empty before the first update.
    """
    return update_op(ps, gs, states, delta)


@kernel_op
def momentum_sgd_op(
    ps: list[Array], gs: list[Array], states: list[State], delta: Callable[..., Array],
    rates: Rates, momentum: float, nesterov: bool,
) -> list[Array]:  # fmt: skip
    """Return the results of `update_op` for the rule of `MomentumSGD`; ``rates`` returns (lr,).

    Each state has an array "v", and is empty before the first update.
    """
    return update_op(ps, gs, states, delta)


@kernel_op
def adam_update_op(
    ps: list[Array], gs: list[Array], states: list[State], delta: Callable[..., Array],
    rates: Rates, beta1: float, beta2: float,
) -> list[Array]:  # fmt: skip
    """Return the results of `update_op` for the rule of `Adam` or `AdamW`.

    ``rates`` returns the arguments eps, rate and, if it is not 0, decay of `adam_op`. Each state
    has arrays "m" and "v" and the count "t" of updates, and is empty before the first update.
    """
    return update_op(ps, gs, states, delta)


@kernel_op
def adam_op(
    p: Array, g: Array, m: Array | float, v: Array | float, beta1: float, beta2: float, eps: Any,
    rate: Any, decay: Any,
) -> tuple[Any, Any, Any]:  # fmt: skip
    """Return -rate m' / (sqrt(v') + eps) - decay p, and the new running means m' and v'.

    m' = beta1 m + (1 - beta1) g and v' = beta2 v + (1 - beta2) g**2. m and v are 0.0 or have the
    shape and dtype of p and g; a kernel may write the new means over them. eps, rate and decay may
    be 0-d arrays.
    """
    m = m * beta1 + g * (1 - beta1)
    v = v * beta2 + g * g * (1 - beta2)
    change = m / (v**0.5 + eps) * -rate
    has_decay = not isinstance(decay, int | float) or decay != 0
    return change - p * decay if has_decay else change, m, v


@kernel_op
def clip_norm_op(gs: list[Array], max_norm: float) -> tuple[list[Array], Any]:
    """Return gs * min(1, max_norm / (norm + 1e-6)), and the norm of all of gs as one vector.

    gs: arrays of float32 or wider. The arrays of the result may be those of gs.
    """
    squares: Any = 0.0
    for g in gs:
        squares = squares + sum_over(g * g, backend_of(g))
    norm = squares**0.5
    rate = get_array_module(gs[0]).clip(max_norm / (norm + 1e-6), None, 1.0)
    return [g * cast(rate, g.dtype) for g in gs], norm
