"""Cache Winograd's transformed filters for as long as the filters are the same.

For one image there are often fewer tiles than filters, and transforming the filters takes longer
than the rest. In inference the same filters come again and again. So the result is cached beside
a copy of the filters it was computed from, and both are compared, bit by bit, at each call: no
change of a filter can be missed. The cache never decides which algorithm runs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..conv_kernels import NumPyArray

MAX_BYTES = 64 << 20
"""Bytes of transformed filters in the cache; the least recently used are dropped first. With half
as many, a VGG16 transforms its largest filters for each image."""

_cache: dict[Any, tuple[bytes, Any]] = {}


def cached_transform(
    W: NumPyArray, size: int, transform: Callable[[NumPyArray, int], NumPyArray]
) -> NumPyArray:
    """Return ``transform(W, size)``, cached for the same filters; the result is read-only.

    Several threads may call this: each access below is one atomic operation on the dictionary,
    and no thread iterates over the dictionary while others write.
    """
    key = W.__array_interface__["data"][0], W.shape, W.strides, size  # only compared, never read
    bits = W.tobytes()
    entry = _cache.pop(key, None)
    if entry is None or entry[0] != bits:
        copy = np.frombuffer(bits, W.dtype).reshape(W.shape)  # W may have changed since
        entry = bits, transform(copy, size)
    _cache[key] = entry  # the most recently used is last
    entries = list(_cache.items())
    excess = sum(U.nbytes for _, (_, U) in entries) - MAX_BYTES
    for old, (_, U) in entries:
        if excess <= 0:
            break
        _cache.pop(old, None)
        excess -= U.nbytes
    return entry[1]
