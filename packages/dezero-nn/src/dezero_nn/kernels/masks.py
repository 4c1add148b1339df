"""Compute relu, dropout and their gradients: keep the elements of x where a mask is true.

The mask is applied to the bits of x, without branches:

    mask as an integer     0 -> 00...0     1 -> (negated) 11...1
    bits of x & integer    0.0             x itself, also inf and nan

This is several times as fast as ``np.where``. The result is also right for inf and nan, unlike the
result of x * mask (inf * 0 is nan).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dezero_core.extend import Kernel

from ..parallel import parallel_for

INTEGER = {"f": np.int32, "d": np.int64}
"""The integer dtypes as wide as float32 and float64."""

COST = 16
"""Cost of an element in multiply-adds: these ops are memory-bound, at about 0.3 ns an element. With
this cost, arrays of at least 1.2 million elements are split over threads; with half the cost, this
limit would be 2.5 million; with twice the cost, 0.6 million."""

ZEROS: dict[str, np.ndarray] = {"f": np.zeros(1 << 16, np.float32), "d": np.zeros(1 << 16)}
"""Zeros of float32 and float64: ``np.maximum`` of two arrays takes a third of the time of
``np.maximum(x, 0)`` (docs/performance.md). 65536 zeros are enough for the activations of one image.
For larger arrays, the kernel calls ``np.maximum(x, 0)``."""


def supports_relu(x: np.ndarray) -> bool:
    """Return whether ``x`` is a float32 or float64 array with at least one axis."""
    return type(x) is np.ndarray and x.dtype.char in INTEGER and x.ndim > 0


def supports_masks(x: np.ndarray, other: np.ndarray, *settings: Any) -> bool:
    """Return whether the arrays have the same shape, and ``x`` is float32 or float64."""
    return supports_relu(x) and type(other) is np.ndarray and x.shape == other.shape


def relu(x: np.ndarray) -> np.ndarray:
    """Return ``x`` where it is positive, else 0; nan stays nan."""
    y, zeros = np.empty(x.shape, x.dtype), ZEROS[x.dtype.char]
    if x.size <= zeros.size:
        np.maximum(x, zeros[: x.size].reshape(x.shape), out=y)
    else:
        parallel_for(len(x), COST * x.size, lambda part: np.maximum(x[part], 0, out=y[part]))
    return y


def relu_grad(gy: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return ``gy`` where ``y`` is positive, else 0."""
    gx = np.empty(gy.shape, gy.dtype)
    parallel_for(len(gy), COST * gy.size, lambda part: keep_where(y[part] > 0, gy[part], gx[part]))
    return gx


def scaled_where(x: np.ndarray, mask: np.ndarray, scale: float) -> np.ndarray:
    """Return ``x`` times ``scale`` where the mask is true, else 0."""
    y = np.empty(x.shape, x.dtype)

    def compute(part: slice) -> None:
        keep_where(mask[part], x[part], y[part])
        y[part] *= scale

    parallel_for(len(x), COST * x.size, compute)
    return y


def keep_where(mask: np.ndarray, x: np.ndarray, y: np.ndarray) -> None:
    """Write to ``y``: ``x`` where ``mask`` is true, else 0."""
    integer = INTEGER[x.dtype.char]
    bits = y.view(integer)
    np.copyto(bits, mask)
    np.negative(bits, out=bits)
    np.bitwise_and(bits, x.view(integer), out=bits)


KERNELS = [
    Kernel("scaled_where", "numpy", scaled_where, supports_masks),
    Kernel("relu", "numpy", relu, supports_relu),
    Kernel("relu_grad", "numpy", relu_grad, supports_masks),
]
