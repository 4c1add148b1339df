"""The ops ``update`` and ``add_scaled``: change many parameters in one call."""

from __future__ import annotations

from typing import Any

from dezero_core.extend import backend_of

from ..signatures import add_scaled, update

__all__ = ["add_scaled", "update"]


@update.define
def _update(ps: list[Any], gs: list[Any], states: list[dict[str, Any]], delta: Any) -> list[Any]:
    """Add ``delta(p, g, state)`` to each parameter, in place where the library can."""
    backend = backend_of(ps[0])
    return [backend.iadd(p, delta(p, g, s)) for p, g, s in zip(ps, gs, states, strict=True)]


@add_scaled.define
def _add_scaled(ps: list[Any], gs: list[Any], a: float) -> list[Any]:
    """Add ``a * g`` to each parameter, in place where the library can."""
    backend = backend_of(ps[0])
    return [backend.iadd(p, g * a) for p, g in zip(ps, gs, strict=True)]
