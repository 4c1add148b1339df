"""Batch normalisation in three readings of x, and its gradient in two of x and gy.

Written as formulas each of them makes five to ten arrays as large as the images. Here a few images
at a time are treated from beginning to end, in buffers that stay in the cache:

      sums      images [ few ][ few ]...      x - mean, times g, added up: into (C,)
      results   images [ few ][ few ]...      x - mean, times b, plus a g, plus c: into y
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..threads import in_parts

BLOCK = 1 << 18
"""Bytes of images treated at a time."""


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


def batch_norm(x: Any, gamma: Any, beta: Any, eps: float) -> tuple[Any, Any, Any]:
    """Mean, then variance around it, then the result."""
    rows, y = as_rows(x), np.empty(x.shape, x.dtype)
    m, zero = x.dtype.type(x.size // x.shape[1]), np.zeros(x.shape[1], x.dtype)

    def add_up(part: slice) -> Any:
        return sum((np.einsum("ncp->c", rows[few]) for few in blocks(rows, part)), zero)

    def add_squares(part: slice) -> Any:
        total = zero
        for few in blocks(rows, part):
            centred = rows[few] - mean[:, np.newaxis]
            total = total + np.einsum("ncp,ncp->c", centred, centred)
        return total

    mean = sum(shared(x, add_up), zero) / m
    var = sum(shared(x, add_squares), zero) / m
    scale = (gamma / np.sqrt(var + x.dtype.type(eps)))[:, np.newaxis]

    def compute(part: slice) -> None:
        for few in blocks(rows, part):
            result = as_rows(y)[few]
            np.subtract(rows[few], mean[:, np.newaxis], out=result)
            result *= scale
            result += beta[:, np.newaxis]

    shared(x, compute)
    return y, mean, var


def channel_sum(g: Any) -> Any:
    """The sum of each channel; einsum is several times as fast as sum over two axes."""
    rows = as_rows(g)
    return sum(shared(g, lambda part: np.einsum("ncp->c", rows[part])), np.zeros(1, g.dtype))


def channel_sums(g: Any, x: Any, shift: Any) -> tuple[Any, Any]:
    """The sum of g, and that of g times what x is above ``shift``."""
    g_rows, x_rows, zero = as_rows(g), as_rows(x), np.zeros(x.shape[1], x.dtype)

    def add_up(part: slice) -> Any:
        total, product = zero, zero
        for few in blocks(x_rows, part):
            shifted = x_rows[few] - shift[:, np.newaxis]
            total = total + np.einsum("ncp->c", g_rows[few])
            product = product + np.einsum("ncp,ncp->c", shifted, g_rows[few])
        return total, product

    totals, products = zip(*shared(x, add_up), strict=True)
    return sum(totals, zero), sum(products, zero)


def channel_sum_of(g: Any, x: Any, shift: Any, a: Any, b: Any, c: Any) -> Any:
    """``a g + b (x - shift) + c``."""
    y = np.empty(x.shape, x.dtype)
    g_rows, x_rows, y_rows = as_rows(g), as_rows(x), as_rows(y)
    shift, a, b, c = (number[:, np.newaxis] for number in (shift, a, b, c))

    def compute(part: slice) -> None:
        for few in blocks(x_rows, part):
            result = y_rows[few]
            np.subtract(x_rows[few], shift, out=result)
            result *= b
            result += a * g_rows[few]
            result += c

    shared(x, compute)
    return y


def as_rows(x: Any) -> Any:
    """(N, C, ...) as (N, C, P)."""
    return x.reshape(*x.shape[:2], -1)


def shared(x: Any, job: Any) -> list[Any]:
    """What ``job`` gives for the images of each thread."""
    return in_parts(len(x), 16.0 * x.size, job)


def blocks(rows: Any, part: slice) -> Iterator[slice]:
    """The images of a part, a few at a time."""
    step = max(1, BLOCK // rows[0].nbytes)
    for start in range(part.start, part.stop, step):
        yield slice(start, min(start + step, part.stop))
