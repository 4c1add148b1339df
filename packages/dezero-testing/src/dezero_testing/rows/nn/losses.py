"""Define the rows of losses with a reduction; each reference adds up the losses one by one."""

from __future__ import annotations

from typing import Any

import numpy as np

from dezero_core import Variable
from dezero_core.extend import backend_of
from dezero_core.testing import HostArray
from dezero_nn import functions as F

from ...op_case import OpCase

LABELLED = (((4, 3), (4,)), ((1, 3), (1,)), ((3,), ()))
WEIGHTS = (0.5, 1.0, 2.0)
"""Weights of three classes."""


def cases() -> list[OpCase]:
    """Return the rows of this module."""
    return [*cross_entropies()]


def cross_entropies() -> list[OpCase]:
    """Return the rows of the cross entropy, with labels and with probabilities."""
    return [
        OpCase("cross_entropy", F.cross_entropy, _cross_entropy, LABELLED, integers={1: 3}),
        OpCase(
            "cross_entropy settings",
            lambda x, t: F.cross_entropy(x, t, _weights(x), ignore_index=1, label_smoothing=0.1),
            lambda x, t: _cross_entropy(x, t, WEIGHTS, ignored=1, smoothing=0.1),
            (((5, 3), (5,)), ((1, 3), (1,))),
            integers={1: 3},
        ),
        OpCase(
            "cross_entropy axis",
            lambda x, t: F.cross_entropy(x, t, _weights(x), reduction="sum", axis=0),
            lambda x, t: _losses(np.moveaxis(x, 0, -1), t, WEIGHTS)[0].sum(),
            (((3, 2, 2), (2, 2)), ((3, 0), (0,))),
            integers={1: 3},
        ),
        OpCase(
            "cross_entropy none",
            lambda x, t: F.cross_entropy(x, t, reduction="none"),
            lambda x, t: _losses(np.moveaxis(x, 1, -1), t)[0],
            (((2, 3, 2), (2, 2)), ((1, 3), (1,))),
            integers={1: 3},
        ),
        OpCase(
            "cross_entropy probabilities",
            lambda x, t: F.cross_entropy(x, t, _weights(x), label_smoothing=0.1),
            lambda x, t: (
                -((0.9 * t + 0.1 / 3) * np.log(_softmax(x)) * WEIGHTS).sum() / max(x.size // 3, 1)
            ),
            (((4, 3), (4, 3)), ((3,), (3,))),
            low=0.1,
        ),
        OpCase(
            "nll_loss",
            lambda x, t: F.nll_loss(x, t) + (x * x).sum(),
            lambda x, t: (
                -np.mean([row[i] for row, i in zip(x.reshape(-1, 3), t.ravel(), strict=True)])
                + np.square(x).sum()
            ),
            LABELLED,
            integers={1: 3},
        ),
    ]


def _weights(x: Variable) -> Any:
    return backend_of(x.data).asarray(list(WEIGHTS))


def _softmax(x: HostArray) -> Any:
    e = np.exp(x.astype("float64"))
    return e / e.sum(axis=-1, keepdims=True)


def _losses(
    x: HostArray,
    t: HostArray,
    weights: tuple[float, ...] = (1.0, 1.0, 1.0),
    ignored: int = -100,
    smoothing: float = 0.0,
) -> Any:
    """Return the losses of rows in the shape of ``t``, and their weights as a list."""
    found, counted = [], []
    for p, label in zip(_softmax(x).reshape(-1, 3), t.ravel(), strict=True):
        q = [(1 - smoothing) * (c == label) + smoothing / 3 for c in range(3)]
        loss = -sum(w * a * b for w, a, b in zip(weights, q, np.log(p), strict=True))
        found.append(0.0 if label == ignored else loss)
        counted.append(0.0 if label == ignored else weights[label])
    return np.array(found, x.dtype).reshape(t.shape), counted


def _cross_entropy(x: HostArray, t: HostArray, *weights: Any, **settings: Any) -> Any:
    losses, counted = _losses(x, t, *weights, **settings)
    return losses.sum() / (sum(counted) or 1.0)
