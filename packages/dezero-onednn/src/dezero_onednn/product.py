"""Products of matrices by oneDNN: it needs no copy of either, and no other threads than ours.

      x (n, k)  @  [ W (k, m/2) | W (k, m/2) ]  =  [ y (n, m/2) | y (n, m/2) ]

Each thread does a part of the longer side of the result.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dezero_core.pointers import address_of
from dezero_nn.parallel import get_num_threads, has_split_work, parallel_for

from .library import computing, one_thread, require_success
from .operation import F4

LEAST_WORK, FEWEST_ROWS = 1 << 22, 8
"""Multiplications, and rows on both sides, below which NumPy is faster."""

N, T = b"N", b"T"
"""BLAS's words for a matrix whose rows have no gaps, and for one whose columns have none."""


def supports_matmul(x: Any, W: Any) -> bool:
    """Return whether both are large float32 matrices, in C order or transposed.

    In a thread that has not convolved yet, BLAS's own threads are faster.
    """
    return bool(
        type(x) is type(W) is np.ndarray
        and x.ndim == W.ndim == 2
        and x.dtype == W.dtype == np.float32
        and x.shape[1] == W.shape[0]
        and x.size * W.shape[1] >= LEAST_WORK
        and min(*x.shape, W.shape[1]) >= FEWEST_ROWS
        and (has_split_work() or get_num_threads() == 1)
        and all(order(matrix) and matrix.flags.aligned for matrix in (x, W))
    )


def order(x: Any) -> bytes:
    """`N` or `T`; empty if it is neither, or if rows overlap."""
    (down, across), (rows, columns) = x.strides, x.shape
    if across == x.itemsize and down >= columns * x.itemsize:
        return N
    return T if down == x.itemsize and across >= rows * x.itemsize else b""


def step_of(x: Any) -> int:
    """Elements from the beginning of a row (or column) to that of the next."""
    return max(x.strides) // x.itemsize


def onednn_matmul(x: Any, W: Any) -> Any:
    """``x @ W``."""
    y = np.empty((x.shape[0], W.shape[1]), x.dtype)

    def compute(part: slice) -> None:
        if y.shape[0] > y.shape[1]:
            multiply(x[part], W, y[part])
        else:
            multiply(x, W[:, part], y[:, part])

    parallel_for(max(y.shape), x.size * W.shape[1], compute)
    return y


def multiply(x: Any, W: Any, y: Any) -> None:
    """``x @ W`` into ``y``, in this thread."""
    (rows, terms), columns = x.shape, W.shape[1]
    operands = matrix(x, (rows, terms)), matrix(W, (terms, columns))
    with one_thread():
        status = computing().dnnl_sgemm(
            order(x), order(W), rows, columns, terms, 1.0, *operands[0], *operands[1], 0.0,
            *matrix(y, (rows, columns), writable=True),
        )  # fmt: skip
    require_success("sgemm", status)


def matrix(x: Any, shape: tuple[int, int], writable: bool = False) -> tuple[int, int]:
    """Return the address of a matrix and its leading dimension, in elements."""
    step = step_of(x)
    strides = (step * 4, 4) if order(x) == N else (4, step * 4)
    return address_of(x, F4, shape, writable=writable, strides=strides), step
