"""The part of cupy.random that the backend uses."""

from __future__ import annotations

from typing import Any

import numpy as np

from .array import _counts, ndarray


class _Generator:
    def __init__(self, seed: int) -> None:
        self._host = np.random.default_rng(seed)

    def random(self, size: Any = None, dtype: Any = np.float64) -> ndarray:
        return self._drawn(self._host.random(size, dtype=dtype))

    def standard_normal(self, size: Any = None, dtype: Any = np.float64) -> ndarray:
        return self._drawn(self._host.standard_normal(size, dtype=dtype))

    def integers(self, low: int, high: Any = None, size: Any = None, dtype: Any = int) -> ndarray:
        return self._drawn(self._host.integers(low, high, size, dtype=dtype))

    def _drawn(self, numbers: Any) -> ndarray:
        _counts["launches"] += 1
        return ndarray(np.asarray(numbers))


def default_rng(seed: int) -> _Generator:
    _counts["launches"] += 1  # the states of the device's threads
    return _Generator(seed)
