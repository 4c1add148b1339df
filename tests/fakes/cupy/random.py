"""The part of cupy.random that the backend uses."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import graphs
from .array import _counts, ndarray


class _Generator:
    def __init__(self, seed: int) -> None:
        self._host = np.random.default_rng(seed)

    def random(self, size: Any = None, dtype: Any = np.float64) -> ndarray:
        return self._drawn("random", size, dtype=dtype)

    def standard_normal(self, size: Any = None, dtype: Any = np.float64) -> ndarray:
        return self._drawn("standard_normal", size, dtype=dtype)

    def integers(self, low: int, high: Any = None, size: Any = None, dtype: Any = int) -> ndarray:
        return self._drawn("integers", low, high, size, dtype=dtype)

    def _drawn(self, method: str, *arguments: Any, **keywords: Any) -> ndarray:
        _counts["launches"] += 1
        draw = getattr(self._host, method)
        state = self._host.bit_generator.state
        numbers = graphs.compute(method, lambda: np.asarray(draw(*arguments, **keywords)), [], {})
        if graphs.recording() is not None:
            self._host.bit_generator.state = state  # the state advances when the graph is replayed
        return ndarray(numbers)


def default_rng(seed: int) -> _Generator:
    _counts["launches"] += 1  # the states of the device's threads
    return _Generator(seed)
