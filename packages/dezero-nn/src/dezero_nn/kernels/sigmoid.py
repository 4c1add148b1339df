"""Compute the sigmoid in one array: each of the four steps overwrites the previous result.

    -x  ->  exp(-x)  ->  1 + exp(-x)  ->  1 / (1 + exp(-x))

This needs no temporaries. NumPy vectorises exp for float32 and float64.
"""

from __future__ import annotations

import numpy as np

from dezero_core.extend import Kernel


def supports_sigmoid(x: np.ndarray) -> bool:
    """Return whether ``x`` is a float32 or float64 array with at least one axis."""
    return isinstance(x, np.ndarray) and x.dtype.char in "fd" and x.ndim > 0


def sigmoid(x: np.ndarray) -> np.ndarray:
    """Return the sigmoid of ``x`` in a new array."""
    return write_sigmoid(x, np.empty_like(x))


def write_sigmoid(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Write the sigmoid of ``x`` to ``y``, which may be ``x``, and return ``y``."""
    np.negative(x, out=y)
    with np.errstate(over="ignore"):  # where exp(-x) is inf, the result is 0
        np.exp(y, out=y)
    y += 1.0
    return np.reciprocal(y, out=y)


KERNELS = [
    Kernel("sigmoid", "numpy", sigmoid, supports_sigmoid),
]
