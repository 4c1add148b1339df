"""Mapped filters of `winograd`, kept while the filters stay as they are.

Of one image there are often fewer tiles than filters, and mapping the filters takes longer than
what is done with them. But new images go through the same filters, again and again. So what was
mapped last is kept, beside a copy of what it was mapped from:

      W  --  the same bits as last time?  --  yes  -->  U of last time
                                          --  no   -->  map, and keep

Nobody has to say when filters change, and nothing that changes them can be missed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

MOST = 64 << 20
"""Bytes of mapped filters that are kept; those of the layers used longest ago are dropped."""

_kept: dict[Any, tuple[bytes, Any]] = {}


def remembered(W: Any, m: int, mapped: Callable[[Any, int], Any]) -> Any:
    """``mapped(W, m)``, of now or of an earlier call with the same filters; not to be changed."""
    place = W.__array_interface__["data"][0], W.shape, W.strides, m
    bits = W.tobytes()
    known = _kept.pop(place, None)
    if known is None or known[0] != bits:
        known = bits, mapped(W, m)
    _kept[place] = known  # the latest is last
    while sum(U.nbytes for _, U in _kept.values()) > MOST:
        _kept.pop(next(iter(_kept)), None)
    return known[1]
