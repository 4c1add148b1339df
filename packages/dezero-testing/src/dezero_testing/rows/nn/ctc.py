"""Define the rows of the CTC loss; the reference lists every alignment."""

from __future__ import annotations

from itertools import groupby, product
from typing import Any

import numpy as np

from dezero_core import Variable
from dezero_core.backends.host import HostArray
from dezero_core.extend import backend_of
from dezero_nn import functions as F

from ...op_case import OpCase


def cases() -> list[OpCase]:
    """Return the rows of this module."""
    return [
        OpCase(
            "ctc_loss",
            lambda x: F.ctc_loss(x, _labels(x, [[1]]), [3], [1]),
            lambda x: _loss(x[:, 0], [1]),
            (((3, 1, 2),),),
        ),
        OpCase(
            "ctc_loss batch",
            lambda x: (
                F.ctc_loss(x, _labels(x, [1, 1, 2]), [4, 2], [2, 1], reduction="none")
                + (x * x).sum()
            ),
            lambda x: (
                np.array([_loss(x[:, 0], [1, 1]), _loss(x[:2, 1], [2])], x.dtype)
                + np.square(x).sum()
            ),
            (((4, 2, 3),),),
            order=1,
        ),
        OpCase(
            "ctc_loss one sequence",
            lambda x: F.ctc_loss(x, _labels(x, [0, 1]), 3, 2, blank=2) + (x * x).sum(),
            lambda x: _loss(x, [0, 1], blank=2) / 2 + np.square(x).sum(),
            (((3, 3),),),
            order=1,
        ),
    ]


def _labels(x: Variable, labels: list[Any]) -> Any:
    return backend_of(x.data).asarray(labels)


def _loss(x: HostArray, labels: list[int], blank: int = 0) -> Any:
    total = 0.0
    for path in product(range(x.shape[1]), repeat=len(x)):
        if [state for state, _ in groupby(path) if state != blank] == labels:
            total += np.exp(sum(float(x[t, state]) for t, state in enumerate(path)))
    return -np.log(total)
