"""Move arrays between libraries through the host; DeZero never moves an array implicitly."""

from __future__ import annotations

from collections import Counter

from .host import HOST
from .interface import Array, ArrayBackend
from .registry import backend_of, on_device_of

transfers: Counter[str] = Counter()
"""The number of arrays copied ``"to_host"`` and ``"from_host"`` since the program began."""


def move(x: Array, to: ArrayBackend) -> Array:
    """Copy ``x`` to backend ``to``; if ``x`` is an array of that backend, return ``x`` itself."""
    source = backend_of(x)
    if source is to:
        return x
    if source.name != HOST:
        transfers["to_host"] += 1
        x = source.to_numpy(x)
    if to.name != HOST:
        transfers["from_host"] += 1
        x = to.from_numpy(x)
    return x


def match_device(x: Array, y: Array) -> Array:
    """Move ``x`` to the library and device of ``y``."""
    backend = backend_of(y)
    with on_device_of(y):
        x = move(x, backend)
        if backend.on_device is None or backend.device(x) == backend.device(y):
            return x
        return backend.to_device(x, backend.device(y))
