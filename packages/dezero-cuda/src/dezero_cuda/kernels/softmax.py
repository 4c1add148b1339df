"""Launch the kernels of ``softmax.cu`` along the last axis."""

from __future__ import annotations

import math
from functools import partial

import cupy
import numpy as np

from .layouts import Array, contiguous
from .module import NULL, launch_rows
from .sums import sum_of_all


def rows_of(x: Array) -> tuple[int, int]:
    """Return the number of rows of ``x`` (..., C), and the length C of a row."""
    return math.prod(x.shape[:-1]), x.shape[-1]


def map_rows(name: str, x: Array, axis: int) -> Array:
    """Launch a kernel that maps each row of ``x`` to a row."""
    x = contiguous(x)
    y = cupy.empty(x.shape, x.dtype)
    launch_rows(name, x.dtype.char, *rows_of(x), x, y)
    return y


softmax = partial(map_rows, "softmax")
log_softmax = partial(map_rows, "log_softmax")


def softmax_grad(gy: Array, y: Array, axis: int) -> Array:
    """Return y (gy - sum of gy y) for each row."""
    gy, y = contiguous(gy), contiguous(y)
    gx = cupy.empty(y.shape, y.dtype)
    launch_rows("softmax_grad", y.dtype.char, *rows_of(y), gy, y, gx)
    return gx


def labels_of(t: Array) -> Array:
    """Return labels as a contiguous array of int64."""
    return contiguous(t if t.dtype.char == "l" else t.astype(np.int64))


def cross_entropy(x: Array, t: Array, scale: Array, needs_gx: bool) -> tuple[Array, Array | None]:
    """Return the sum of the losses of all rows, and the gradient of the scores or None."""
    x, losses = contiguous(x), cupy.empty(x.shape[:1], x.dtype)
    gx = cupy.empty(x.shape, x.dtype) if needs_gx else None
    arrays = x, labels_of(t), contiguous(scale), losses, NULL if gx is None else gx
    launch_rows("cross_entropy", x.dtype.char, *x.shape, *arrays)
    return sum_of_all(losses), gx


def softmax_cross_entropy(x: Array, t: Array) -> Array:
    """Return the mean of the losses of all rows."""
    x, losses = contiguous(x), cupy.empty(x.shape[:1], x.dtype)
    launch_rows("cross_entropy", x.dtype.char, *x.shape, x, labels_of(t), NULL, losses, NULL)
    return sum_of_all(losses)


def softmax_cross_entropy_grad(gy: Array, x: Array, t: Array) -> Array:
    """Return the gradient of the scores."""
    x, gx = contiguous(x), cupy.empty(x.shape, x.dtype)
    gy = gy if gy.dtype == x.dtype else gy.astype(x.dtype)
    launch_rows("softmax_cross_entropy_grad", x.dtype.char, *x.shape, gy, x, labels_of(t), gx)
    return gx
