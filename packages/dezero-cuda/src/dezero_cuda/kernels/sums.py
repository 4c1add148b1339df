"""Launch the kernels of ``sums.cu``: sums over rows and over channels."""

from __future__ import annotations

import math
from typing import Any

import cupy
from numpy import int64

from .layouts import Array, contiguous, in_order_of, is_channels_last
from .module import BLOCK, THREADS, function

TERMS = 256
"""Maximum number of terms that a thread adds one after the other in one launch."""

COLUMNS = 32
"""The number of columns of a block, as in ``sums.cu``."""

MIN_ROWS = 512
"""If there are fewer rows than this, they are not split to use more blocks (not tuned)."""

MIN_BLOCKS = 256
"""The number of blocks up to which long sums are split: about two for each of 132 processors of an
H100 (not tuned)."""

MAX_PARTS = 65535
"""The largest number of parts of a sum: CUDA's limit for the second axis of a grid."""


def sum_of_all(x: Array) -> Array:
    """Sum a contiguous array to shape (): one block sums a short array, and CuPy a long array."""
    if x.size > TERMS * THREADS:
        return x.sum()
    y = cupy.empty((), x.dtype)
    function("total", x.dtype.char)((1,), BLOCK, (x, y, int64(x.size)))
    return y


def sums_of_columns(name: str, count: int, A: int, C: int, *arrays: Any) -> list[Array]:
    """Return ``count`` arrays (C,), each a sum over the rows of arrays in the memory order (A, C).

    Args:
        name: the kernel, which computes ``count`` sums.
        count: 1 or 2.
        A, C: the numbers of rows and columns.
        arrays: the first arguments of the kernel; the sums have the dtype of the first array.
    """
    blocks = max(-(-C // COLUMNS), 1)
    longest = -(-A // (TERMS * THREADS // COLUMNS))
    parts = max(longest, min(-(-A // MIN_ROWS), -(-MIN_BLOCKS // blocks)), 1)
    parts = min(parts, MAX_PARTS)
    sums = new_sums(count, parts, C, arrays[0].dtype)
    if C:
        sizes = int64(C), int64(max(-(-A // parts), 1)), int64(A)
        function(name, arrays[0].dtype.char)((blocks, parts), BLOCK, (*arrays, *sums, *sizes))
    return sum_parts(sums, parts, C)


def sums_of_images(name: str, count: int, A: int, C: int, B: int, *arrays: Any) -> list[Array]:
    """Return ``count`` arrays (C,), each a sum over A and B of arrays in the order (A, C, B)."""
    longest = -(-A * B // (TERMS * THREADS))
    parts = max(min(A, MAX_PARTS, max(longest, -(-MIN_BLOCKS // max(C, 1)))), 1)
    sums = new_sums(count, parts, C, arrays[0].dtype)
    if C:
        sizes = int64(C), int64(B), int64(max(-(-A // parts), 1)), int64(A)
        function(name, arrays[0].dtype.char)((C, parts), BLOCK, (*arrays, *sums, *sizes))
    return sum_parts(sums, parts, C)


def new_sums(count: int, parts: int, C: int, dtype: Any) -> list[Array]:
    """Return uninitialized arrays for the sums of all parts."""
    return [cupy.empty((parts, C) if parts > 1 else (C,), dtype) for _ in range(count)]


def sum_parts(sums: list[Array], parts: int, C: int) -> list[Array]:
    """Add the sums of all parts."""
    if parts == 1:
        return sums
    return [sums_of_columns("column_sums", 1, parts, C, y)[0] for y in sums]


def channel_sum(g: Array) -> Array:
    """Return the sum over each channel of ``g`` (N, C, ...)."""
    g = g if g.ndim == 4 and is_channels_last(g) else contiguous(g)
    return sums_of_channels("sums", 1, g, g)[0]


def channel_sums(g: Array, x: Array, shift: Array) -> tuple[Array, Array]:
    """Return the sums of g and of g (x - shift) over each channel."""
    x = x if x.ndim == 4 and is_channels_last(x) else contiguous(x)
    y, products = sums_of_channels("products", 2, x, in_order_of(x, g), x, contiguous(shift))
    return y, products


def sums_of_channels(name: str, count: int, x: Array, *arrays: Any) -> list[Array]:
    """Run the kernel for the memory order of ``x``: channels last, or C order."""
    N, C, *rest = x.shape
    B = math.prod(rest)
    if B == 1 or not x.flags.c_contiguous:
        return sums_of_columns(f"column_{name}", count, N * B, C, *arrays)
    return sums_of_images(f"image_{name}", count, N, C, B, *arrays)


def supports_sum(x: Array, axis: Any) -> bool:
    """Return whether `sum_of_rows` can sum ``x``: over its first axes, but not over all."""
    axes = axis if isinstance(axis, tuple) else (axis,)
    return (
        x.dtype.char in "fd"
        and axes == tuple(range(len(axes)))
        and 0 < len(axes) < x.ndim
        and bool(x.flags.c_contiguous)
    )


def sum_of_rows(x: Array, count: int, keepdims: bool) -> Array:
    """Return the sum of an array in C order over its first ``count`` axes."""
    A, shape = math.prod(x.shape[:count]), x.shape[count:]
    (y,) = sums_of_columns("column_sums", 1, A, math.prod(shape), x)
    shape = (1,) * count + shape if keepdims else shape
    return y if y.shape == shape else y.reshape(shape)
