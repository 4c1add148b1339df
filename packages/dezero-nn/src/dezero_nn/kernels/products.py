"""Run large matmuls on BLAS's own threads or on those that convolutions use.

BLAS's threads, once they have worked, go on looking for work for a while, on the cores that the
threads of a convolution are about to need: a step of a convolutional network took half as long
again. So once a thread has convolved, its large matmuls keep BLAS at one thread, and are split
along the longer side of the result, or along the longest axis of a stack:

      x (n, k)  @  [ W (k, m/2) | W (k, m/2) ]  =  [ y (n, m/2) | y (n, m/2) ]

In other threads BLAS splits them faster than we do. The bits of a matmul depend on how it is split,
and hence on whether the thread has convolved, but not on what other threads do.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dezero_core.functions.linalg import matmul_shape

from ..blas import BLAS_THREADS
from ..parallel import has_split_work, parallel_for

MIN_WORK = 1 << 18
"""Multiply-adds up to which OpenBLAS uses one thread by itself, whatever its number."""

VECTOR = 32
"""Weight of a multiply-add with a vector: there OpenBLAS uses threads from 10^4 elements on."""


def are_matrices(x: Any, W: Any) -> bool:
    """Return whether both are float32 or both float64 matrices whose shapes match."""
    return bool(
        type(x) is type(W) is np.ndarray
        and x.ndim == W.ndim == 2
        and x.dtype == W.dtype
        and x.dtype.char in "fd"
        and x.shape[1] == W.shape[0]
    )


def supports_matmul(x: Any, W: Any) -> bool:
    """Return whether both are large float32 or float64 arrays of one dtype with matching shapes."""
    return bool(
        type(x) is type(W) is np.ndarray
        and x.dtype == W.dtype
        and x.dtype.char in "fd"
        and multiply_adds(x, W) > MIN_WORK
        and (are_matrices(x, W) or matmul_shape(x.shape, W.shape) is not None)
    )


def multiply_adds(x: Any, W: Any) -> int:
    """Return the multiply-adds of ``x @ W``, times `VECTOR` if one of them acts as a vector."""
    rows, columns = x.shape[-2:-1] or (1,), W.shape[-1:] if W.ndim > 1 else (1,)
    work = max(x.size * columns[0], W.size * rows[0])
    return work * VECTOR if 1 in (*rows, *columns) else work


def matmul(x: Any, W: Any) -> Any:
    """Return ``x @ W`` for all shapes that `numpy.matmul` takes, also stacks and vectors."""
    if has_split_work():
        return split_matmul(x, W)
    with BLAS_THREADS.using(single=False):
        return np.matmul(x, W)


def split_matmul(x: Any, W: Any) -> Any:
    """Return ``x @ W``; each thread computes a part of one axis of the result."""
    if W.ndim == 2 < x.ndim and x.flags.c_contiguous:  # one large matmul for a stack of small ones
        return split_matmul(x.reshape(-1, x.shape[-1]), W).reshape(*x.shape[:-1], W.shape[1])
    shape: Any = matmul_shape(x.shape, W.shape)
    y = np.empty(shape, x.dtype)
    if 1 in (x.ndim, W.ndim):  # BLAS reads the matrix once: threads would not be faster
        return parallel_for(1, multiply_adds(x, W), lambda part: np.matmul(x, W))[0]
    axis = longest_axis(y)

    def compute(part: slice) -> None:
        rows = along(x, axis, part) if axis != -1 else x
        columns = along(W, axis, part) if axis != -2 else W
        np.matmul(rows, columns, out=along(y, axis, part))

    parallel_for(y.shape[axis], multiply_adds(x, W), compute)
    return y


def longest_axis(y: Any) -> int:
    """Return the axis to split, counted from the end: a leading axis if there is a stack."""
    leading = y.shape[:-2]
    if max(leading, default=1) > 1:
        return leading.index(max(leading)) - y.ndim
    return -2 if y.shape[-2] > y.shape[-1] else -1


def along(x: Any, axis: int, part: slice) -> Any:
    """Return ``x`` at ``part`` of an axis counted from the end, or all of it if broadcast there."""
    if x.ndim < -axis or x.shape[axis] == 1:
        return x
    return x[(..., part, *[slice(None)] * (-axis - 1))]
