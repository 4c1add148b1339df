"""Batch normalisation in two readings of x, and its gradient in two of x and gy.

Written as formulas each of them makes five to ten arrays as large as the images. Here a few images
at a time are treated from beginning to end, in buffers that stay in the cache:

      sums      images [ few ][ few ]...      x, x**2, g, g x added up: (C,) in double precision
      results   images [ few ][ few ]...      x * b, plus g * a, plus c: into y

Sums of one channel of one image are products of vectors, which BLAS computes at the speed of the
memory; what they are shifted by is subtracted from the totals: sum of (x - s)**2 = sum of x**2 -
..., in double precision. Digits are lost where a mean is many times the deviation from it: there
the deviations themselves are squared.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from dezero_core.dtypes import sum_over
from dezero_core.extend import backend_of

from ..parallel import parallel_for

BLOCK = 1 << 18
"""Bytes of images treated at a time."""

TERMS = 512
"""Maximum number of terms to add one after the other in single precision (docs/adr/0020)."""

RUN = 4 * TERMS
"""Maximum elements of a channel in one einsum, whose vectors have at least 4 lanes."""

DOT = 32 * TERMS
"""Maximum elements of a channel in one dot product; OpenBLAS adds in 32 lanes with AVX2."""


def supports_channels(x: Any, *others: Any) -> bool:
    """Contiguous arrays of one dtype, single or double precision, of at least two axes."""
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


FAR = 4.0
"""How many deviations a mean may be from 0 for the variance to be computed from the totals."""


def batch_norm(x: Any, gamma: Any, beta: Any, eps: float) -> tuple[Any, Any, Any]:
    """Mean and variance, then the result."""
    m = x.size // x.shape[1]
    total, square = totals(x, x)
    mean = total / m
    var = square / m - mean * mean
    if not np.all(mean * mean <= FAR**2 * var):  # also where something is inf or nan
        var = squared_deviations(x, mean) / m
    scale = gamma / np.sqrt(var + eps)
    mean, var, b, c = (a.astype(x.dtype) for a in (mean, var, scale, beta - mean * scale))
    return combined([(x, b)], c), mean, var


def squared_deviations(x: Any, mean: Any) -> Any:
    """The sum of ``(x - mean)**2`` of each channel."""
    rows, shift = as_rows(x), mean.astype(x.dtype)[:, np.newaxis]

    def add_up(part: slice) -> Any:
        deviations = (rows[few] - shift for few in short_blocks(rows, part))
        return sum(np.vecdot(d, d).sum(axis=0, dtype=float) for d in deviations)

    return sum(shared(x, add_up))


def channel_sum(g: Any) -> Any:
    """The sum of each channel."""
    rows = as_rows(g)
    return sum(shared(g, lambda part: channel_totals(rows[part])), np.zeros(1, g.dtype))


def channel_totals(rows: Any) -> Any:
    """Return the sum of each channel of (N, C, P).

    einsum sums runs of each channel. It takes a third of the time of NumPy's pairwise sum, and is
    as accurate on short runs.
    """
    (N, C, P), backend = rows.shape, backend_of(rows)
    if N * P <= TERMS:
        return np.einsum("ncp->c", rows)
    count = P // RUN
    runs = rows[:, :, : count * RUN].reshape(N, C, count, RUN)
    total = sum_over(np.einsum("ncp->nc", rows[:, :, count * RUN :]), backend, 0)
    return total + sum_over(np.einsum("ncrp->ncr", runs), backend, (0, 2)) if count else total


def channel_sums(g: Any, x: Any, shift: Any) -> tuple[Any, Any]:
    """The sum of g, and that of g times what x is above ``shift``."""
    total, product = totals(g, x)
    return total.astype(x.dtype), (product - shift * total).astype(x.dtype)


def channel_sum_of(g: Any, x: Any, shift: Any, a: Any, b: Any, c: Any) -> Any:
    """``a g + b (x - shift) + c``."""
    return combined([(x, b), (g, a)], c - b * shift)


def totals(g: Any, x: Any) -> tuple[Any, Any]:
    """The sums of g and of g x for each channel, in double precision."""
    g_rows, x_rows = as_rows(g), as_rows(x)
    ones = np.ones(g_rows.shape[2], g.dtype)

    def add_up(part: slice) -> Any:
        total, product = np.zeros((2, x.shape[1]))
        for few in short_blocks(x_rows, part):
            total += (g_rows[few] @ ones[few[2]]).sum(axis=0, dtype=float)
            product += np.vecdot(g_rows[few], x_rows[few]).sum(axis=0, dtype=float)
        return total, product

    of_g, of_product = zip(*shared(x, add_up), strict=True)
    return sum(of_g), sum(of_product)


def combined(terms: list[tuple[Any, Any]], c: Any) -> Any:
    """The sum of ``x * a`` over all (x, a), plus c: a and c are numbers of the channels."""
    (x, _), y = terms[0], np.empty(terms[0][0].shape, terms[0][0].dtype)
    rows, y_rows = [as_rows(x) for x, _ in terms], as_rows(y)
    factors, c = [a[:, np.newaxis] for _, a in terms], c[:, np.newaxis]

    def compute(part: slice) -> None:
        for few in blocks(y_rows, part):
            result = np.multiply(rows[0][few], factors[0], out=y_rows[few])
            for other, factor in zip(rows[1:], factors[1:], strict=True):
                result += other[few] * factor
            result += c

    shared(x, compute)
    return y


def as_rows(x: Any) -> Any:
    """(N, C, ...) as (N, C, P)."""
    return x.reshape(*x.shape[:2], -1)


def shared(x: Any, job: Any) -> list[Any]:
    """What ``job`` gives for the images of each thread."""
    return parallel_for(len(x), 16.0 * x.size, job)


def blocks(rows: Any, part: slice) -> Iterator[slice]:
    """The images of a part, a few at a time."""
    step = max(1, BLOCK // rows[0].nbytes)
    for start in range(part.start, part.stop, step):
        yield slice(start, min(start + step, part.stop))


def short_blocks(rows: Any, part: slice) -> Iterator[tuple[slice, slice, slice]]:
    """Yield indices that cover the images of `blocks`, with at most `DOT` elements a channel."""
    for few in blocks(rows, part):
        for first in range(0, rows.shape[2], DOT):
            yield few, slice(None), slice(first, first + DOT)
