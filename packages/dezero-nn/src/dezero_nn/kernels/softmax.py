"""Compute softmax and log_softmax over the last axis, with the sums of rows by BLAS.

Shifting a row by its maximum prevents overflow: exp(x - max). Finding the maximum of each row takes
half as long as exp. If no element is large and no row is small, exp(x) is as accurate without the
shift:

    largest element below MOST, and smallest sum of a row above LEAST:    exp(x)
    otherwise:                                                            exp(x - max of the row)
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from dezero_core.extend import Kernel

from ..parallel import parallel_for

MOST, LEAST = 30.0, 1e-10
"""Limits of rows that are not shifted. 8192 times exp(30) is 9e16, and float32 ends at 3e38.
Elements that float32 rounds to 0, below 1e-38, are less than 1e-28 of the sum of their row. exp(60)
would still fit; with MOST = 15, more rows are shifted."""

LONGEST = 1 << 13
"""Maximum length of a row. BLAS adds the elements of a row in a few sequential sums, in single
precision, with an error of up to 2e-6 for this length. With twice the length, the error doubles."""

BLOCK = 1 << 18
"""Elements of a block of rows, 1 MB of float32. Blocks depend only on the shape, so that results
have the same bits for any number of threads. With a quarter of this size, 4096 rows of 64 elements
took 1.07 times as long (AVX2); with four times this size, fewer arrays are split over threads."""

COST = 100
"""Cost of an element in multiply-adds, for `parallel_for`: about 2 ns on an AVX2 core. With half
this cost, arrays twice as large run on one thread; with twice this cost, arrays that take 0.2 ms
are split, which saves nothing."""

WriteRows = Callable[[np.ndarray, np.ndarray], None]


def supports_softmax(x: np.ndarray, axis: object) -> bool:
    """Return whether ``axis`` is the last axis of a nonempty float32 or float64 array."""
    return bool(
        type(x) is np.ndarray
        and x.dtype.char in "fd"
        and x.size > 0
        and axis in (-1, x.ndim - 1)
        and 0 < x.ndim
        and x.shape[-1] <= LONGEST
    )


def softmax(x: np.ndarray, axis: int) -> np.ndarray:
    """Return exp(x) divided by the sums of its rows."""
    return by_rows(write_softmax, x)


def log_softmax(x: np.ndarray, axis: int) -> np.ndarray:
    """Return x minus the log of the sums of the rows of exp(x)."""
    return by_rows(write_log_softmax, x)


def supports_softmax_grad(gy: np.ndarray, y: np.ndarray, axis: object) -> bool:
    """Return whether `supports_softmax` accepts ``gy``, and ``y`` has its shape and dtype."""
    return supports_softmax(gy, axis) and (gy.shape, gy.dtype) == (y.shape, y.dtype)


def softmax_grad(gy: np.ndarray, y: np.ndarray, axis: int) -> np.ndarray:
    """Return y (gy - sum of gy y)."""
    gx = np.empty(y.shape, y.dtype)
    np.subtract(gy, np.vecdot(gy, y)[..., np.newaxis], out=gx)
    gx *= y
    return gx


def by_rows(write: WriteRows, x: np.ndarray) -> np.ndarray:
    """Return an array of the shape of ``x``, written by blocks of rows."""
    y = np.empty(x.shape, x.dtype)
    rows, out = x.reshape(-1, x.shape[-1]), y.reshape(-1, x.shape[-1])
    size = max(1, BLOCK // x.shape[-1])
    starts = range(0, len(rows), size)

    def compute(part: slice) -> None:
        for start in starts[part]:
            write(rows[start : start + size], out[start : start + size])

    parallel_for(len(starts), COST * x.size, compute)
    return y


def write_softmax(x: np.ndarray, y: np.ndarray) -> None:
    """Write the softmax of each row of ``x`` to ``y``."""
    sums, _ = write_exp(x, y)
    y *= np.reciprocal(sums)[:, np.newaxis]


def write_log_softmax(x: np.ndarray, y: np.ndarray) -> None:
    """Write the log of the softmax of each row of ``x`` to ``y``."""
    sums, shift = write_exp(x, y)
    np.log(sums, out=sums)
    if shift is None:
        np.subtract(x, sums[:, np.newaxis], out=y)
    else:
        np.subtract(x, shift, out=y)
        y -= sums[:, np.newaxis]


def write_exp(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """Write exp(x - shift) to ``y``; return the sums of its rows, and the shift or None."""
    ones = np.ones(x.shape[1], x.dtype)
    if x.max() < MOST:
        np.exp(x, out=y)
        sums = y @ ones
        if sums.min() > LEAST:
            return sums, None
    # NumPy vectorises argmax of short rows, but not max: 0.4 and 0.9 ns per element
    shift = np.take_along_axis(x, x.argmax(1)[:, np.newaxis], 1)
    np.subtract(x, shift, out=y)
    np.exp(y, out=y)
    return y @ ones, shift


KERNELS = [
    Kernel("softmax", "numpy", softmax, supports_softmax),
    Kernel("softmax_grad", "numpy", softmax_grad, supports_softmax_grad),
    Kernel("log_softmax", "numpy", log_softmax, supports_softmax),
]
