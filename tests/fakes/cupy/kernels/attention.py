"""Compute the weights of attention and their gradient."""

from __future__ import annotations

from typing import Any

import numpy as np


def attention_weights(
    scores: Any, mask: Any, strides: Any, keep: Any, dropped: Any, scale: Any, factor: Any,
    causal: int, H: int, queries: int, S: int, wide: int, rows: int,
) -> None:  # fmt: skip
    x = scores * scale
    if isinstance(mask, np.ndarray):
        steps = [int(step) * mask.itemsize for step in strides][-scores.ndim :]
        x += np.lib.stride_tricks.as_strided(mask, scores.shape, steps, writeable=False)
    if causal:
        x += np.triu(np.full((queries, S), -np.inf, x.dtype), k=1 + S - queries)
    top = x.max(axis=-1, keepdims=True)
    e = np.exp(x - np.where(top == -np.inf, 0, top))
    scores[...] = e / np.maximum(e.sum(axis=-1, keepdims=True), 0.5)
    if isinstance(dropped, np.ndarray):
        dropped[...] = np.where(keep, scores * factor, 0)


def attention_weights_grad(
    g: Any, weights: Any, keep: Any, scale: Any, factor: Any, S: int, wide: int, rows: int
) -> None:
    if isinstance(keep, np.ndarray):
        g[...] = np.where(keep, g * factor, 0)
    g[...] = weights * (g - (g * weights).sum(axis=-1, keepdims=True)) * scale
