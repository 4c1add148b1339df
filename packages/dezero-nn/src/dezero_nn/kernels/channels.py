"""Compute batch normalisation in two passes over x, and its gradient in two passes over x and gy.

Written as array expressions, the normalisation and its gradient would each need five to ten
temporaries as large as the images. This module processes a block of a few images at a time, so that
temporaries stay in the cache:

      sums      [ block ][ block ]...      sums of x, x**2, g and g x for each channel, in float64
      results   [ block ][ block ]...      y = b x + a g + c, with b, a and c of each channel

BLAS computes the sums as dot products, as fast as memory delivers x. The variance is the mean of
x**2 minus the square of the mean of x, in float64. If the mean is many times the standard
deviation, this subtraction would lose digits, so the squared deviations from the mean are summed
instead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import numpy as np

from dezero_core.dtypes import MAX_TERMS
from dezero_core.extend import Kernel

from ..parallel import parallel_for

T = TypeVar("T")
Block = tuple[slice, slice, slice]

BLOCK_BYTES = 1 << 18
"""Bytes of images in a block: a quarter of a 1 MB L2 cache, so that an input, a result and a
temporary fit in the cache. Estimate: half or twice this size changes the time by less than 10 %."""

MAX_POSITIONS = 32 * MAX_TERMS
"""Maximum length of a float32 dot product. With AVX2, OpenBLAS adds in 32 lanes, and each lane may
add `MAX_TERMS` numbers. Twice this length would lose up to one more bit of precision; half this
length would need more BLAS calls for large images."""

MAX_MEAN = 4.0
"""Maximum ratio of mean to standard deviation at which the variance is computed from the sum of
x**2. If the mean is 4 times the standard deviation, the mean of x**2 is 17 times the variance, so 4
bits of the float32 products cancel. With a maximum of 8, 6 bits would cancel; with a maximum of 2,
more calls would have to read the images twice."""


def supports_channels(x: np.ndarray, *others: Any) -> bool:
    """Return whether all arrays are C-contiguous with one dtype, float32 or float64."""
    return bool(
        type(x) is np.ndarray
        and x.dtype.char in "fd"
        and x.ndim > 1
        and x.size > 0
        and x.flags.c_contiguous
        and all(
            other.dtype == x.dtype and other.flags.c_contiguous
            for other in others
            if isinstance(other, np.ndarray)
        )
    )


def batch_norm(
    x: np.ndarray, gamma: np.ndarray, beta: np.ndarray, eps: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the normalised images, and each channel's mean and variance."""
    m = x.size // x.shape[1]
    total, square = totals(x, x)
    mean = total / m
    var = square / m - mean * mean
    if not np.all(mean * mean <= MAX_MEAN**2 * var):  # also if mean or var is nan
        var = squared_deviations(x, mean) / m
    scale = gamma / np.sqrt(var + eps)
    mean, var, b, c = (a.astype(x.dtype) for a in (mean, var, scale, beta - mean * scale))
    return combine([(x, b)], c), mean, var


def channel_sums(g: np.ndarray, x: np.ndarray, shift: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the sums of g and of g (x - shift) for each channel."""
    total, product = totals(g, x)
    return total.astype(x.dtype), (product - shift * total).astype(x.dtype)


def channel_sum_of(
    g: np.ndarray, x: np.ndarray, shift: np.ndarray, a: np.ndarray, b: np.ndarray, c: np.ndarray
) -> np.ndarray:
    """Return ``a g + b (x - shift) + c``, where a, b, c and shift have one value per channel."""
    return combine([(x, b), (g, a)], c - b * shift)


def totals(g: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the sums of g and of g x for each channel, in float64."""
    g_rows, x_rows = as_rows(g), as_rows(x)
    ones = np.ones(g_rows.shape[2], g.dtype)

    def add_up(part: slice) -> np.ndarray:
        sums = np.zeros((2, x.shape[1]))
        for block in blocks(x_rows, part):
            sums[0] += (g_rows[block] @ ones[block[2]]).sum(axis=0, dtype=float)
            sums[1] += np.vecdot(g_rows[block], x_rows[block]).sum(axis=0, dtype=float)
        return sums

    total, product = np.sum(for_images(x, add_up), axis=0)
    return total, product


def squared_deviations(x: np.ndarray, mean: np.ndarray) -> Any:
    """Return the sum of (x - mean)**2 for each channel, in float64."""
    rows, shift = as_rows(x), mean.astype(x.dtype)[:, np.newaxis]

    def add_up(part: slice) -> Any:
        deviations = (rows[block] - shift for block in blocks(rows, part))
        return sum(np.vecdot(d, d).sum(axis=0, dtype=float) for d in deviations)

    return sum(for_images(x, add_up))


def combine(terms: list[tuple[np.ndarray, np.ndarray]], c: np.ndarray) -> np.ndarray:
    """Return the sum of x * a over all pairs (x, a), plus c; a and c have shape (C,)."""
    y = np.empty(terms[0][0].shape, terms[0][0].dtype)
    y_rows, c = as_rows(y), c[:, np.newaxis]
    (x_rows, a), *others = [(as_rows(x), factor[:, np.newaxis]) for x, factor in terms]

    def compute(part: slice) -> None:
        for block in blocks(y_rows, part):
            result = np.multiply(x_rows[block], a, out=y_rows[block])
            for rows, factor in others:
                result += rows[block] * factor
            result += c

    for_images(y, compute)
    return y


def as_rows(x: np.ndarray) -> np.ndarray:
    """Return images (N, C, ...) as a view (N, C, P)."""
    return x.reshape(*x.shape[:2], -1)


def for_images(x: np.ndarray, job: Callable[[slice], T]) -> list[T]:
    """Run ``job`` on parts of the batch in parallel; an element counts as 16 multiply-adds."""
    return parallel_for(len(x), 16.0 * x.size, job)


def blocks(rows: np.ndarray, part: slice) -> Iterator[Block]:
    """Yield the indices of blocks that together cover the images ``rows[part]``."""
    step = max(1, BLOCK_BYTES // rows[0].nbytes)
    for start in range(part.start, part.stop, step):
        images = slice(start, min(start + step, part.stop))
        for first in range(0, rows.shape[2], MAX_POSITIONS):
            yield images, slice(None), slice(first, first + MAX_POSITIONS)


KERNELS = [
    Kernel("batch_norm", "numpy", batch_norm, supports_channels),
    Kernel("channel_sums", "numpy", channel_sums, supports_channels),
    Kernel("channel_sum_of", "numpy", channel_sum_of, supports_channels),
]
