"""Draw random numbers by Philox 4x32-10."""

from __future__ import annotations

from typing import Any

import numpy as np


def philox(groups: int, number: int, seed: int) -> Any:
    """Return the four integers of each group of one draw, shape (groups, 4)."""
    low = np.uint64(0xFFFFFFFF)
    each = np.arange(groups, dtype=np.uint64)
    half = np.full_like(each, number >> 32)
    c = [each & low, each >> np.uint64(32), np.full_like(each, number & 0xFFFFFFFF), half]
    key0, key1 = seed & 0xFFFFFFFF, seed >> 32
    for _ in range(10):
        a, b = c[0] * np.uint64(0xD2511F53), c[2] * np.uint64(0xCD9E8D57)
        c = [
            (b >> np.uint64(32)) ^ c[1] ^ np.uint64(key0), b & low,
            (a >> np.uint64(32)) ^ c[3] ^ np.uint64(key1), a & low,
        ]  # fmt: skip
        key0, key1 = (key0 + 0x9E3779B9) & 0xFFFFFFFF, (key1 + 0xBB67AE85) & 0xFFFFFFFF
    return np.stack(c, axis=1)


def drawn(n: int, each: int, draw: Any, offset: Any, seed: Any) -> Any:
    number = int(offset) + (int(draw.ravel()[0]) if isinstance(draw, np.ndarray) else 0)
    return philox(-(-int(n) // each), number % 2**64, int(seed))


def uniform(y: Any, draw: Any, offset: Any, seed: Any, n: int) -> None:
    if y.dtype == np.float32:
        numbers = (drawn(n, 4, draw, offset, seed) >> np.uint64(8)).astype("f") * 2**-24
    else:
        four = drawn(n, 2, draw, offset, seed)
        wide = (four[:, 1::2] << np.uint64(32) | four[:, ::2]) >> np.uint64(11)
        numbers = wide * 2**-53
    y[...] = numbers.ravel()[: y.size].reshape(y.shape)


def bernoulli(y: Any, p: Any, draw: Any, offset: Any, seed: Any, n: int) -> None:
    numbers = np.empty(y.shape, "f")
    uniform(numbers, draw, offset, seed, n)
    y[...] = numbers < p
