"""Define the op ``update``, which changes many parameters in one call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

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
