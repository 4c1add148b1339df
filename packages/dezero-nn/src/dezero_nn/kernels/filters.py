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

import numpy as np

MOST = 64 << 20
"""Bytes of mapped filters that are kept; those of the layers used longest ago are dropped."""

_kept: dict[Any, tuple[bytes, Any]] = {}


def remembered(W: Any, m: int, mapped: Callable[[Any, int], Any]) -> Any:
    """Return ``mapped(W, m)``, cached for the same filters; the result is read-only.

    Several threads may call this: each access below is one atomic operation on the dictionary,
    and no thread iterates over the dictionary while others write.
    """
    key = W.__array_interface__["data"][0], W.shape, W.strides, m  # only compared, never read
    bits = W.tobytes()
    known = _kept.pop(key, None)
    if known is None or known[0] != bits:
        copy = np.frombuffer(bits, W.dtype).reshape(W.shape)  # W may have changed since
        known = bits, mapped(copy, m)
    _kept[key] = known  # the most recently used is last
    entries = list(_kept.items())
    excess = sum(U.nbytes for _, (_, U) in entries) - MOST
    for old, (_, U) in entries:  # least recently used first
        if excess <= 0:
            break
        _kept.pop(old, None)
        excess -= U.nbytes
    return known[1]
