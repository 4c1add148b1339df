"""Define the ops ``update`` and ``clip_norm``, which change many arrays in one call."""

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
