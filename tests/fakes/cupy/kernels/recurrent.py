"""Compute one step of an LSTM or a GRU."""

from __future__ import annotations

from typing import Any

import numpy as np


def squash(x: Any) -> Any:
    small = np.exp(-np.abs(x))
    return np.where(x < 0, small, 1).astype(x.dtype) / (1 + small)


def lstm_step(
    from_x: Any, from_h: Any, b: Any, c: Any, hs: Any, cells: Any, t: int, N: int, n: int
) -> None:
    a = ((from_x[t] + from_h) + b[:, None]).reshape(4, -1, N)
    i, f, u, o = squash(a[0]), squash(a[1]), np.tanh(a[2]), squash(a[3])
    cell = f * (cells[t - 1, 4] if t else c) + i * u
    cells[t] = i, f, u, o, cell
    hs[t] = o * np.tanh(cell)


def lstm_step_grad(
    cells: Any, c: Any, ghs: Any, gh: Any, gc: Any, ga: Any, t: int, is_last: int, n: int
) -> None:
    i, f, u, o, cell = cells[t]
    squashed, before = np.tanh(cell), cells[t - 1, 4] if t else c
    g = (ghs[t] if isinstance(ghs, np.ndarray) else 0) + (0 if is_last else gh)
    of_c = g * o * (1 - squashed * squashed) + gc
    parts = of_c * u * (i * (1 - i)), of_c * before * (f * (1 - f)), of_c * i * (1 - u * u)
    ga[t] = np.stack([*parts, g * squashed * (o * (1 - o))]).reshape(ga.shape[1:])
    gc[...] = of_c * f


def gru_step(
    from_x: Any, from_h: Any, bx: Any, bh: Any, h: Any, hs: Any, gates: Any, t: int, N: int, n: int
) -> None:
    ax = (from_x[t] + bx[:, None]).reshape(3, -1, N)
    ah = (from_h + bh[:, None]).reshape(3, -1, N)
    r, z = squash(ax[0] + ah[0]), squash(ax[1] + ah[1])
    candidate, before = np.tanh(ax[2] + r * ah[2]), hs[t - 1] if t else h
    gates[t] = r, z, candidate, ah[2]
    hs[t] = candidate + z * (before - candidate)


def gru_step_grad(
    gates: Any, hs: Any, h: Any, ghs: Any, gh: Any, carried: Any, gax: Any, gah: Any,
    t: int, is_last: int, n: int,
) -> None:  # fmt: skip
    r, z, candidate, m = gates[t]
    before = hs[t - 1] if t else h
    g = ghs[t] + (0 if is_last else gh + carried)
    gn = g * (1 - z) * (1 - candidate * candidate)
    gr, gz = gn * m * r * (1 - r), g * (before - candidate) * z * (1 - z)
    gax[t] = np.stack([gr, gz, gn]).reshape(gax.shape[1:])
    gah[t] = np.stack([gr, gz, gn * r]).reshape(gah.shape[1:])
    carried[...] = g * z
