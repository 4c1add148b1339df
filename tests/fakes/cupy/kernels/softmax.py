"""Compute softmax and cross entropy of rows."""

from __future__ import annotations

from typing import Any

import numpy as np


def shifted(x: Any, C: int) -> Any:
    rows = x.reshape(-1, C)
    return rows - rows.max(axis=1, keepdims=True)


def softmax(x: Any, y: Any, C: int, wide: int, rows: int) -> None:
    p = np.exp(shifted(x, C))
    y.reshape(-1, C)[...] = p / p.sum(axis=1, keepdims=True)


def log_softmax(x: Any, y: Any, C: int, wide: int, rows: int) -> None:
    z = shifted(x, C)
    y.reshape(-1, C)[...] = z - np.log(np.exp(z).sum(axis=1, keepdims=True))


def softmax_grad(gy: Any, y: Any, gx: Any, C: int, wide: int, rows: int) -> None:
    g, p = gy.reshape(-1, C), y.reshape(-1, C)
    gx.reshape(-1, C)[...] = p * (g - (g * p).sum(axis=1, keepdims=True))


def cross_entropy(
    x: Any, t: Any, scale: Any, losses: Any, gx: Any, C: int, wide: int, rows: int
) -> None:
    z, each, t = shifted(x, C), np.arange(rows), t.ravel()
    p = np.exp(z)
    total = p.sum(axis=1)
    s = scale if isinstance(scale, np.ndarray) else np.full(rows, 1 / rows, x.dtype)
    is_class = (t >= 0) & (t < C)
    with np.errstate(invalid="ignore"):
        loss = (np.log(total) - z[each, np.where(is_class, t, 0)]) * s
    loss = np.where(is_class, loss, np.nan)
    losses[...] = np.where(s == 0, 0, loss) if isinstance(scale, np.ndarray) else loss
    if isinstance(gx, np.ndarray):
        gx[...] = (p / total[:, None] - (np.arange(C) == t[:, None])) * s[:, None]


def softmax_cross_entropy_grad(
    gy: Any, x: Any, t: Any, gx: Any, C: int, wide: int, rows: int
) -> None:
    scale, losses = np.full(rows, gy / rows, x.dtype), np.empty(rows, x.dtype)
    cross_entropy(x, t, scale, losses, gx, C, wide, rows)
