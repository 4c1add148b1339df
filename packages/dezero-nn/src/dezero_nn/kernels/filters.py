"""Cache Winograd's transformed filters until the filters change.

A single image often has fewer tiles than there are filters, so transforming the filters takes
longer than the rest of the convolution. Inference uses the same filters in every call. So the
transformed filters are cached, together with a copy of the original filters. Each call compares
this copy with the current filters bit by bit, so that every change of the filters is noticed. Which
convolution algorithm is chosen does not depend on the cache.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..conv_kernels import NumPyArray

MAX_BYTES = 64 << 20
"""Maximum bytes of transformed filters in the cache; the least recently used are dropped first. An
estimate: with half as many bytes, VGG16 would transform its largest filters again for each
image."""

_cache: dict[Any, tuple[bytes, Any]] = {}


def cached_transform(
    W: NumPyArray, size: int, transform: Callable[[NumPyArray, int], NumPyArray]
) -> NumPyArray:
    """Return ``transform(W, size)``, from the cache if possible; callers must not change the array.

    Several threads may call this function: each access to the cache is an atomic operation, and no
    thread iterates over the cache while another thread writes to it.
    """
    key = W.__array_interface__["data"][0], W.shape, W.strides, size  # the address is only compared
    bits = W.tobytes()
    entry = _cache.pop(key, None)
    if entry is None or entry[0] != bits:
        copy = np.frombuffer(bits, W.dtype).reshape(W.shape)  # other threads may write to W
        entry = bits, transform(copy, size)
    _cache[key] = entry  # keep the most recently used entry last
    entries = list(_cache.items())
    excess = sum(U.nbytes for _, (_, U) in entries) - MAX_BYTES
    for old, (_, U) in entries:
        if excess <= 0:
            break
        _cache.pop(old, None)
        excess -= U.nbytes
    return entry[1]
