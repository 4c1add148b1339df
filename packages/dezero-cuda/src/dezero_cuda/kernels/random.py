"""Launch the kernels of ``random.cu``: random numbers by Philox, drawn on the device."""

from __future__ import annotations

from typing import Any

import cupy
import numpy as np

from .layouts import Array
from .module import NULL, launch

GROUP = 4
"""The number of float32 elements that a thread draws at once, as in ``random.cu``."""


def uniform(shape: tuple[int, ...], dtype: Any, seed: int, draw: Any) -> Array:
    """Return random numbers in [0, 1), which depend only on ``seed``, ``draw``, shape and dtype.

    Args:
        shape, dtype: the shape and dtype of the result, float32 or float64.
        seed: an integer from 0 to 2**64 - 1.
        draw: the number of the draw: an integer, or a 0-d array of uint64 that the kernel reads
            when it runs. Draws with different numbers are independent.
    """
    y = cupy.empty(shape, dtype)
    launch("uniform", y.dtype.char, y.size, y, *draw_arguments(draw), np.uint64(seed), width=GROUP)
    return y


def bernoulli(p: float, x: Array, seed: int, draw: Any) -> Array:
    """Return booleans in the shape of ``x``, true where a number of `uniform` is below ``p``.

    Args:
        p: the probability of True.
        x: an array with the shape of the result.
        seed, draw: as for `uniform`.
    """
    y = cupy.empty(x.shape, np.bool_)
    numbers = np.float32(p), *draw_arguments(draw), np.uint64(seed)
    launch("bernoulli", "f", y.size, y, *numbers, width=GROUP)
    return y


def draw_arguments(draw: Any) -> tuple[Any, np.uint64]:
    """Return the number of a draw as a pointer, which may be null, and an offset."""
    if isinstance(draw, cupy.ndarray):
        return draw, np.uint64(0)
    return NULL, np.uint64(draw)
