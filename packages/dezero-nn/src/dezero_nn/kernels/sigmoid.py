"""Sigmoid in one array: the four steps of the formula, each written over the one before.

    -x  ->  exp(-x)  ->  1 + exp(-x)  ->  1 / (1 + exp(-x))

No temporaries, and of NumPy's vectorised functions exp is the fastest.
"""

from __future__ import annotations

from typing import Any

import numpy as np


def supports_sigmoid(x: Any, *others: Any) -> bool:
    """Arrays of single or double precision; scalars have nothing to write into."""
    return isinstance(x, np.ndarray) and x.dtype.char in "fd" and x.ndim > 0


def sigmoid(x: Any) -> Any:
    """The logistic function of ``x``, any shape, in a new array."""
    return logistic(x, np.empty_like(x))


def logistic(x: Any, y: Any) -> Any:
    """The same in ``y``, which may be ``x``."""
    np.negative(x, out=y)
    with np.errstate(over="ignore"):  # where exp(-x) is inf, 1 / inf is the right 0
        np.exp(y, out=y)
    y += 1.0
    return np.reciprocal(y, out=y)


def sigmoid_grad(gy: Any, y: Any) -> Any:
    """``gy * y * (1 - y)``, in a new array."""
    gx = np.subtract(1, y)
    gx *= y
    gx *= gy
    return gx
