"""Softmax cross entropy in one go: a number for each row, and no one-hot labels.

Of each row of scores x, with its label t, one needs its largest m, the sum z of exp(x - m), and
the score at the label:  loss = log z - (x[t] - m),  gradient = exp(x - m) / z, less 1 at t.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dezero_core.dtypes import sum_over
from dezero_core.extend import backend_of


def supports_scores(x: Any, t: Any) -> bool:
    """Scores of single or double precision."""
    return type(x) is np.ndarray and x.dtype.char in "fd"


def supports_scores_grad(gy: Any, x: Any, t: Any) -> bool:
    """As `supports_scores`."""
    return supports_scores(x, t)


def softmax_cross_entropy(x: Any, t: Any) -> Any:
    """Minus the mean of log softmax(x)[t], without axes."""
    shifted = below_largest(x)
    z = sum_over(np.exp(shifted), backend_of(x), 1)
    picked = shifted[np.arange(len(x)), t.reshape(-1)]
    return np.asarray((np.log(z).sum() - picked.sum()) / x.dtype.type(len(x)))


def softmax_cross_entropy_grad(gy: Any, x: Any, t: Any) -> Any:
    """softmax(x) less the one-hot labels, times gy / N."""
    gx = below_largest(x)
    np.exp(gx, out=gx)
    gx /= sum_over(gx, backend_of(x), 1, keepdims=True)
    gx[np.arange(len(x)), t.reshape(-1)] -= 1
    gx *= x.dtype.type(gy / len(x))
    return gx


def below_largest(x: Any) -> Any:
    """x - m, row by row: its exponentials cannot overflow."""
    return x - x.max(axis=1, keepdims=True)
