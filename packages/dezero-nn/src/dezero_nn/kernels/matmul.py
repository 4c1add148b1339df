"""Split large matmuls over the threads of BLAS, or over the workers of `parallel_for`.

After a matmul, BLAS's threads keep polling for work for a while, on the cores that a convolution
needs next. With this polling, a training step of a convolutional network took 1.5 times as long as
without it. So once a thread has split work with `parallel_for`, its matmuls use single-threaded
BLAS and are split over the workers:

      x (n, k)  @  [ W (k, m/2) | W (k, m/2) ]  =  [ y (n, m/2) | y (n, m/2) ]

In a thread that has not used `parallel_for`, BLAS splits the matmuls, which is faster than
splitting them over the workers. The rounding errors of a matmul depend on how the matmul is split.
So the bits of the result depend on whether the calling thread has split work before, but not on
other threads.
"""

from __future__ import annotations

import numpy as np

from dezero_core.extend import Kernel

from ..blas import BLAS_THREADS
from ..parallel import has_split_work, parallel_for

MIN_WORK = 1 << 18
"""Multiply-adds up to which OpenBLAS uses one thread, whatever its thread count. The limit is from
OpenBLAS's source. With a lower limit, small matmuls would take about 3 us longer for a lock; with a
higher limit, the bits of some matmuls would depend on other threads."""

VECTOR = 32
"""Factor that multiplies the multiply-adds of a matrix-vector product, because OpenBLAS splits such
products from 10^4 elements on: 2^18 / 10^4, rounded up."""


def supports_matmul(x: np.ndarray, W: np.ndarray) -> bool:
    """Return whether ``x @ W`` is a large matmul of arrays with one dtype, float32 or float64."""
    return bool(
        type(x) is type(W) is np.ndarray
        and x.dtype == W.dtype
        and x.dtype.char in "fd"
        and count_multiply_adds(x, W) > MIN_WORK
    )


def count_multiply_adds(x: np.ndarray, W: np.ndarray) -> int:
    """Return the multiply-adds of ``x @ W``, times `VECTOR` if ``x`` or ``W`` is a vector."""
    rows, columns = x.shape[-2] if x.ndim > 1 else 1, W.shape[-1] if W.ndim > 1 else 1
    work = max(x.size * columns, W.size * rows)
    return work * VECTOR if rows == 1 or columns == 1 else work


def matmul(x: np.ndarray, W: np.ndarray) -> np.ndarray:
    """Return ``x @ W`` for all shapes that `numpy.matmul` accepts."""
    if W.ndim == 2 < x.ndim and x.size > x.shape[-1]:  # one large matmul, not a stack of small ones
        return matmul(x.reshape(-1, x.shape[-1]), W).reshape(*x.shape[:-1], W.shape[1])
    if not has_split_work():
        if BLAS_THREADS.is_one():
            return np.matmul(x, W)
        with BLAS_THREADS.using(single=False):
            return np.matmul(x, W)
    work = count_multiply_adds(x, W)
    is_stack = x.ndim == W.ndim > 2 and len(x) == len(W)
    if not (is_stack or x.ndim == W.ndim == 2) or 1 in (x.shape[-2], W.shape[-1]):
        return parallel_for(1, work, lambda part: np.matmul(x, W))[0]  # memory-bound
    if is_stack:
        return np.concatenate(parallel_for(len(x), work, lambda part: np.matmul(x[part], W[part])))
    y = np.empty((len(x), W.shape[1]), x.dtype)
    if y.shape[0] > y.shape[1]:
        parallel_for(y.shape[0], work, lambda part: np.matmul(x[part], W, out=y[part]))
    else:
        parallel_for(y.shape[1], work, lambda part: np.matmul(x, W[:, part], out=y[:, part]))
    return y


KERNELS = [
    Kernel("matmul", "numpy", matmul, supports_matmul),
]
