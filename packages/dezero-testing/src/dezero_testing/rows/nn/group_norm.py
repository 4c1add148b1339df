"""Define the rows of group, instance and local response normalisation."""

from __future__ import annotations

from typing import Any

import numpy as np

from dezero_core.backends.host import HostArray
from dezero_nn import functions as F

from ...op_case import OpCase

GROUPED = (((1, 4, 2), (4,), (4,)), ((1, 2, 1, 2), (2,), (2,)), ((0, 2, 2), (2,), (2,)))
CHANNELS = (((2, 2, 3), (2,), (2,)), ((1, 1, 2, 2), (1,), (1,)), ((2, 0, 2), (0,), (0,)))


def cases() -> list[OpCase]:
    """Return the rows of this module."""
    return [
        OpCase(
            "group_norm",
            lambda x, gamma, beta: F.group_norm(x, 2, gamma, beta, eps=0.1),
            lambda x, gamma, beta: _normalised(x, 2, gamma, beta),
            GROUPED,
        ),
        OpCase(
            "group_norm without gamma",
            lambda x: F.group_norm(x, 1, eps=0.1),
            lambda x: _normalised(x, 1, np.ones(2), np.zeros(2)),
            (((2, 2, 2),), ((3, 2),)),
        ),
        OpCase(
            "instance_norm",
            lambda x, gamma, beta: F.instance_norm(x, gamma, beta, eps=0.1),
            lambda x, gamma, beta: _normalised(x, x.shape[1], gamma, beta),
            CHANNELS,
        ),
        OpCase(
            "local_response_norm",
            lambda x: F.local_response_norm(x, 3, 0.5, 0.75, 2.0),
            lambda x: _divided(x, 1, 1),
            (((1, 4, 2),), ((2, 1, 1, 2),), ((0, 2, 2),)),
        ),
        OpCase(
            "local_response_norm even",
            lambda x: F.local_response_norm(x, 2, 0.5, 0.75, 2.0),
            lambda x: _divided(x, 1, 0),
            (((1, 3, 2),),),
        ),
    ]


def _normalised(x: HostArray, groups: int, gamma: HostArray, beta: HostArray) -> Any:
    """Normalise one group of one example at a time."""
    y, size = np.empty_like(x), x.shape[1] // max(groups, 1)
    for n, g in np.ndindex(len(x), groups):
        part = x[n, g * size : (g + 1) * size]
        y[n, g * size : (g + 1) * size] = (part - part.mean()) / np.sqrt(part.var() + 0.1)
    shape = (-1, *[1] * (x.ndim - 2))
    return (y * gamma.reshape(shape) + beta.reshape(shape)).astype(x.dtype)


def _divided(x: HostArray, before: int, after: int) -> Any:
    """Divide by the power of the mean square of the channels from -before to +after."""
    squares = np.pad(x**2, [(0, 0), (before, after)] + [(0, 0)] * (x.ndim - 2))
    size = before + 1 + after
    mean = np.stack([squares[:, i : i + x.shape[1]] for i in range(size)]).sum(0) / size
    return x / (2 + 0.5 * mean) ** 0.75
