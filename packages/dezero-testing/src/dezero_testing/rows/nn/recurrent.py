"""Define the rows of recurrent ops, except `lstm`, whose rows are in `basic`."""

from __future__ import annotations

from typing import Any

import numpy as np

from dezero_core.backends.host import HostArray
from dezero_nn import functions as F

from ...op_case import OpCase

SEQUENCES, SHORT_SEQUENCES = (
    tuple(((T, N, C), (3 * H, C), (3 * H, H), (3 * H,), (3 * H,), (N, H)) for T, N, C, H in sizes)
    for sizes in (((3, 2, 3, 2), (1, 1, 1, 1), (2, 0, 1, 2)), ((2, 1, 1, 1),))
)


def cases() -> list[OpCase]:
    """Return the rows of `gru`."""
    return [
        OpCase("gru", F.gru, _gru_reference, SEQUENCES, order=1),
        OpCase("gru twice", F.gru, _gru_reference, SHORT_SEQUENCES),
    ]


def _gru_reference(
    x: HostArray, Wx: HostArray, Wh: HostArray, bx: HostArray, bh: HostArray, h: HostArray
) -> Any:
    states: list[Any] = []
    for step in x:
        rx, zx, nx = np.split(step @ Wx.T + bx, 3, axis=1)
        rh, zh, nh = np.split(h @ Wh.T + bh, 3, axis=1)
        r, z = (1 / (1 + np.exp(-gate)) for gate in (rx + rh, zx + zh))
        h = (1 - z) * np.tanh(nx + r * nh) + z * h
        states.append(h)
    return np.stack(states)
