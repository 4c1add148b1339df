"""Compute layer and RMS normalisation of rows."""

from __future__ import annotations

from typing import Any

import numpy as np


def is_array(x: Any) -> bool:
    return isinstance(x, np.ndarray)


def layer_norm(
    x: Any, gamma: Any, beta: Any, y: Any, mean: Any, inverse: Any,
    eps: Any, C: int, wide: int, rows: int,
) -> None:  # fmt: skip
    x, y = x.reshape(rows, C), y.reshape(rows, C)
    centre = x.mean(axis=1, keepdims=True)
    scale = 1 / np.sqrt(((x - centre) ** 2).mean(axis=1, keepdims=True) + eps)
    y[...] = (x - centre) * scale * (gamma.ravel() if is_array(gamma) else 1)
    if is_array(beta):
        y += beta.ravel()
    mean[...], inverse[...] = centre.reshape(mean.shape), scale.reshape(mean.shape)


def rms_norm(
    x: Any, gamma: Any, y: Any, inverse: Any, eps: Any, C: int, wide: int, rows: int
) -> None:
    x, y = x.reshape(rows, C), y.reshape(rows, C)
    scale = 1 / np.sqrt((x * x).mean(axis=1, keepdims=True) + eps)
    y[...] = x * scale * (gamma.ravel() if is_array(gamma) else 1)
    inverse[...] = scale.reshape(inverse.shape)


def norm_grad(
    gy: Any, x: Any, gamma: Any, mean: Any, inverse: Any, gx: Any, C: int, wide: int, rows: int
) -> None:
    g = gy.reshape(rows, C) * (gamma.ravel() if is_array(gamma) else 1)
    scale = inverse.reshape(rows, 1)
    n = (x.reshape(rows, C) - (mean.reshape(rows, 1) if is_array(mean) else 0)) * scale
    products = (g * n).mean(axis=1, keepdims=True)
    sums = g.mean(axis=1, keepdims=True) if is_array(mean) else 0
    gx.reshape(rows, C)[...] = (g - n * products - sums) * scale
