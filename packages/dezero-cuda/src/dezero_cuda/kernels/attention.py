"""Compute attention by two matmuls, with a launch of ``attention.cu`` between them."""

from __future__ import annotations

import math

import cupy
import numpy as np

from .elementwise import scaled_where
from .layouts import Array, contiguous
from .matmuls import matmul
from .module import NULL, launch_rows

STRIDES = np.dtype([("b", "i8"), ("h", "i8"), ("t", "i8"), ("s", "i8")])
"""The struct ``Strides`` of ``attention.cu``."""


def attention(
    q: Array, k: Array, v: Array, mask: Array | None, keep: Array | None,
    causal: bool, scale: float, dropout: float, needs_workspace: bool,
) -> tuple[Array, Array | None]:  # fmt: skip
    """Return softmax(scale q k^T + mask) v, and the weights before dropout or None."""
    kind, shape = q.dtype.type, (*q.shape[:-1], k.shape[-2])
    weights = contiguous(matmul(q, k.swapaxes(-1, -2)))
    dropped = NULL if keep is None else cupy.empty(shape, q.dtype)
    masks = *mask_arguments(mask, shape), NULL if keep is None else contiguous(keep)
    numbers = kind(scale), kind(1 / (1 - dropout)), np.int32(causal)
    sizes = np.int64((1, 1, *shape)[-3]), np.int64(shape[-2])
    rows = math.prod(shape[:-1])
    arrays = weights, *masks, dropped
    launch_rows("attention_weights", q.dtype.char, rows, shape[-1], *arrays, *numbers, *sizes)
    y = matmul(weights if keep is None else dropped, v)
    return y, weights if needs_workspace else None


def mask_arguments(mask: Array | None, shape: tuple[int, ...]) -> tuple[Array, np.ndarray]:
    """Return a mask as the kernel reads it: its array, or a null pointer, and its strides."""
    if mask is None:
        return NULL, np.zeros(1, STRIDES)
    strides = (0, 0, *cupy.broadcast_to(mask, shape).strides)[-4:]
    return mask, np.array([tuple(step // mask.dtype.itemsize for step in strides)], STRIDES)


def attention_grad(
    gy: Array, y: Array, weights: Array, q: Array, k: Array, v: Array, keep: Array | None,
    causal: bool, scale: float, dropout: float,
) -> tuple[Array, Array, Array]:  # fmt: skip
    """Return the gradients of q, k and v."""
    kind, factor = q.dtype.type, 1 / (1 - dropout)
    g, weights = contiguous(matmul(gy, v.swapaxes(-1, -2))), contiguous(weights)
    keeps = NULL if keep is None else contiguous(keep)
    size = weights.shape[-1]
    arrays = g, weights, keeps, kind(scale), kind(factor)
    launch_rows("attention_weights_grad", q.dtype.char, weights.size // size, size, *arrays)
    dropped = weights if keep is None else scaled_where(weights, keep, factor)
    return matmul(g, k), matmul(g.swapaxes(-1, -2), q), matmul(dropped.swapaxes(-1, -2), gy)
