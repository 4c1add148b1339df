"""Sigmoid in one array: tanh is vectorised, and writing in place saves three temporaries.

1 / (1 + exp(-x)) = (tanh(x / 2) + 1) / 2
"""

from __future__ import annotations

from typing import Any

import numpy as np


def supports_sigmoid(x: Any) -> bool:
    """Arrays of single or double precision; scalars have nothing to write into."""
    return isinstance(x, np.ndarray) and x.dtype.char in "fd"


def sigmoid(x: Any) -> Any:
    """The logistic function of ``x``, any shape, in a new array."""
    y = np.asarray(x * 0.5)
    np.tanh(y, out=y)
    y += 1.0
    y *= 0.5
    return y
