"""The rows of dezero-nn's op table."""

from __future__ import annotations

from typing import Any

import numpy as np

from dezero_core.extend import OpCase

from . import functions as F

ROWS_OF_SCORES = (((4, 3),), ((1, 2),))
LABELLED = (((4, 3), (4,)), ((2, 3), (2, 1)), ((1, 3), (1,)))
AFFINE = (((3, 4), (4, 2), (2,)), ((2, 3, 4), (4, 2), (2,)), ((1, 1), (1, 1), (1,)))


def rows() -> list[OpCase]:
    """Activations, the affine map, dropout, the loss and the accuracy."""
    return [
        OpCase("sigmoid", F.sigmoid, lambda x: 1 / (1 + np.exp(-x))),
        OpCase("relu", lambda x: F.relu(x) + F.relu(-2 * x), _leaky),
        OpCase("softmax", F.softmax, _softmax, ROWS_OF_SCORES),
        OpCase("softmax axis", lambda x: F.softmax(x, -3), _softmax_first, (((3, 1, 2),),)),
        OpCase("linear", F.linear, lambda x, W, b: np.einsum("...i,io->...o", x, W) + b, AFFINE),
        OpCase("linear nobias", F.linear, lambda x, W: np.dot(x, W), (((3, 4), (4, 2)),)),
        OpCase("dropout", lambda x: F.dropout(x, 0.0) * 2, lambda x: 2 * x),
        OpCase(
            "softmax_cross_entropy",
            F.softmax_cross_entropy,
            _cross_entropy,
            LABELLED,
            integers={1: 3},
        ),
        OpCase("accuracy", F.accuracy, _accuracy, LABELLED, integers={1: 3}, order=0),
    ]


def _leaky(x: Any) -> Any:
    """relu(x) + relu(-2x): every element passes on one side, so no gradient is zero."""
    return (np.abs(x) + x) / 2 + np.abs(x) - x


def _softmax(x: Any) -> Any:
    return np.stack([np.exp(row) / np.exp(row).sum() for row in x])


def _softmax_first(x: Any) -> Any:
    return np.exp(x) / np.exp(x).sum(axis=0)


def _cross_entropy(x: Any, t: Any) -> Any:
    p = _softmax(x.astype("float64"))
    return -np.mean([np.log(row[label]) for row, label in zip(p, t.ravel(), strict=True)])


def _accuracy(y: Any, t: Any) -> Any:
    return np.mean([int(np.argmax(row)) == label for row, label in zip(y, t.ravel(), strict=True)])
