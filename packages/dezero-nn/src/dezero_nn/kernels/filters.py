"""Cache Winograd's transformed filters until the filters change.

For one image there are often fewer tiles than filters, so transforming the filters takes longer
than the rest. Inference uses the same filters in every call. So the result is cached with a copy of
its filters. Each call compares the copy with its own filters bit by bit, so no change is missed.
The cache never decides which algorithm runs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..conv_kernels import NumPyArray

MAX_BYTES = 64 << 20
"""Maximum bytes of transformed filters in the cache; the least recently used are dropped first.
An estimate: with half as many, VGG16 would transform its largest filters for each image."""

_cache: dict[Any, tuple[bytes, Any]] = {}


def cached_transform(
    W: NumPyArray, size: int, transform: Callable[[NumPyArray, int], NumPyArray]
) -> NumPyArray:
    """Return ``transform(W, size)``, from the cache if possible; callers must not write to it.

    Several threads may call this: each access below is one atomic operation on the dictionary,
    and no thread iterates over the dictionary while others write.
    """
    key = W.__array_interface__["data"][0], W.shape, W.strides, size  # the address is only compared
    bits = W.tobytes()
    entry = _cache.pop(key, None)
    if entry is None or entry[0] != bits:
        copy = np.frombuffer(bits, W.dtype).reshape(W.shape)  # another thread may write to W
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
