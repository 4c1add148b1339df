"""Define the rows of functions that draw random numbers.

Each row chooses arguments for which the result does not depend on the random numbers.
"""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import numpy as np

from dezero_core import Variable
from dezero_core.extend import backend_of
from dezero_core.functions import sum
from dezero_nn import functions as F
from dezero_nn.functions.dropout import Dropout

from ...op_case import OpCase

ROWS = (((2, 3),), ((1, 1),))


def cases() -> list[OpCase]:
    """Return the rows of this module."""
    return [*dropouts(), *samples()]


def dropouts() -> list[OpCase]:
    """Return the rows of dropout of channels."""
    found = [
        OpCase(name, lambda x, op=op: op(x, 0.0) * 2, lambda x: 2 * x, (shapes, ((0, *shapes[0]),)))
        for name, op, shapes in (
            ("dropout1d", F.dropout1d, ((2, 3),)),
            ("dropout3d", F.dropout3d, ((2, 1, 1, 2),)),
        )
    ]
    return [
        *found,
        OpCase("dropout2d", lambda x: F.dropout2d(x, 0.0) * 2, lambda x: 2 * x, (((1, 2, 1, 2),),)),
        OpCase(
            "dropout2d mask",
            lambda x: Dropout(2.0)(x, _mask(x)) + sum(x),
            lambda x: x * np.array([2, 0], x.dtype).reshape(1, 2, 1, 1) + x.sum(),
            (((2, 2, 1, 2),),),
        ),
        OpCase("alpha_dropout", lambda x: F.alpha_dropout(x, 0.0) * 2, lambda x: 2 * x),
    ]


def _mask(x: Variable) -> Any:
    return backend_of(x.data).asarray([[[[True]], [[False]]]])


def _without_noise(x: Variable, **settings: Any) -> Any:
    with patch("dezero_nn.functions.sampling.gumbel_noise", lambda shape, like: 0.0):
        return F.gumbel_softmax(x, tau=0.5, **settings)


def samples() -> list[OpCase]:
    """Return the rows of functions that draw samples."""
    return [
        OpCase("bernoulli", lambda x: F.bernoulli(x > 0), lambda x: 1.0 * (x > 0), ROWS, order=0),
        OpCase(
            "multinomial",
            lambda x: sum(F.multinomial(x * x + 1.0, 3), -1),
            lambda x: np.full(x.shape[:-1], 3),
            (((2, 3),), ((3,),), ((0, 3),)),
            order=0,
        ),
        OpCase(
            "multinomial replacement",
            lambda x: F.multinomial(
                backend_of(x.data).asarray([[0.0, 0.5], [2.0, 0.0]]), 3, replacement=True
            ),
            lambda x: np.array([[1] * 3, [0] * 3]),
            ROWS,
            order=0,
        ),
        OpCase(
            "gumbel_softmax",
            _without_noise,
            lambda x: np.exp(2 * x) / np.exp(2 * x).sum(axis=-1, keepdims=True),
            (((2, 3),), ((1, 1),), ((0, 2),)),
        ),
        OpCase(
            "gumbel_softmax hard",
            lambda x: _without_noise(x, hard=True, axis=0),
            lambda x: 1.0 * (x == x.max(axis=0)),
            (((3, 2),), ((1, 1),)),
            order=0,
        ),
        OpCase(
            "one_hot",
            lambda t: F.one_hot(t, 3),
            lambda t: np.eye(3)[t],
            (((2, 2),), ((0,),), ((),)),
            integers={0: 3},
            order=0,
        ),
    ]
