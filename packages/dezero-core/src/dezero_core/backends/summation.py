"""Sum NumPy arrays accurately over any axes (docs/adr/0020).

NumPy adds pairwise along the axis that is innermost in memory, and sequentially along the others:
in float32, the mean of 20 million rows of 0.1 comes out as 0.105. A long sum over outer axes is
therefore split into partial sums of few terms, which are summed in the same way:

      rows 0 ... n - 1   seen as (k, m)      m partial sums of k terms      their sum
      +-----------------------------+
      | 0      1      ...    m - 1  |
      | m      m + 1  ...    2m - 1 |  -->   [ 0 + m + ...  |  1 + (m + 1) + ...  |  ... ]  -->  y
      | ...                         |
      +-----------------------------+

Adding whole lines of this picture is also faster than adding the rows of x, which may be short.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..arguments import Axis
from .host import HostArray

MAX_TERMS = 512
"""Maximum number of terms to add sequentially. Splitting a shorter sum costs more than it saves."""

GROUP = MAX_TERMS // 2
"""Maximum number of terms in a partial sum; measured in docs/adr/0020. With 128 terms, the
partial sums of 1000 rows of 1000 elements exceed a core's 32 KiB L1 cache, and summing takes a
sixth longer than with 256. With 512 terms, the rounding error is two to four times as large as with
256."""


def sum_in_blocks(x: HostArray, axis: Axis, keepdims: Any, dtype: Any = None) -> HostArray:
    """Return the sum of floating-point ``x`` over ``axis``, like ``np.sum`` but more accurately.

    Args:
        x: a NumPy array or scalar of any layout.
        axis: an integer, a tuple of integers, or None for all axes.
        keepdims: leave summed axes in place with length 1.
        dtype: the dtype to add in and to return (default that of ``x``).
    """
    if x.size > MAX_TERMS and x.ndim > 1:
        x = sum_in_groups(x, axis, dtype)
    total: HostArray = np.add.reduce(x, axis=axis, dtype=dtype, keepdims=keepdims)
    return total


def sum_in_groups(x: HostArray, axis: Axis, dtype: Any) -> HostArray:
    """Return partial sums of ``x``, of which NumPy adds at most `MAX_TERMS` sequentially."""
    axes = range(x.ndim) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    summed = {a % x.ndim for a in axes}
    if len(summed) == x.ndim and x.flags.forc:
        return x
    while math.prod([x.shape[a] for a in summed]) > MAX_TERMS:
        outer = summed - pairwise_axes(x, summed)
        if math.prod([x.shape[a] for a in outer]) <= MAX_TERMS:
            break
        x = partial_sums(x, max(outer, key=lambda a: int(x.shape[a])), dtype)
    return x


def pairwise_axes(x: HostArray, summed: set[int]) -> set[int]:
    """Return the summed axes along which NumPy adds pairwise.

    NumPy adds pairwise along the innermost axes in memory that are contiguous with each other.
    NumPy orders axes by their nonzero strides.
    """
    axes = [a for a in reversed(range(x.ndim)) if x.shape[a] > 1]
    steps = {a: abs(x.strides[a]) for a in axes}
    if steps[axes[0]] > 0:
        axes.sort(key=lambda a: steps[a] or math.inf)
    found: set[int] = set()
    following = steps[axes[0]]
    for a in axes:
        if a not in summed or steps[a] != following:
            break
        found.add(a)
        following = steps[a] * x.shape[a]
    return found


def partial_sums(x: HostArray, axis: int, dtype: Any) -> HostArray:
    """Split the n terms along an axis into ``ceil(n / GROUP)`` groups; return each group's sum."""
    n, before = x.shape[axis], (slice(None),) * axis
    m = -(-n // GROUP)
    k = n // m
    lines = x[*before, : k * m].reshape(*x.shape[:axis], k, m, *x.shape[axis + 1 :])
    sums: HostArray = np.add.reduce(lines, axis=axis, dtype=dtype)
    if k * m < n:
        sums[*before, : n - k * m] += x[*before, k * m :]
    return sums


SPREAD = 8
"""Maximum ratio of target elements to added values at which `scatter_add` adds in double precision.
Adding 1024 rows of 128 values to twice as many elements took 1.6 times as long in double as in
single precision, and to 8 times as many elements 2.6 times as long."""


def scatter_add(x: HostArray, index: Any, values: HostArray) -> None:
    """Add ``values`` to ``x`` at ``index``; duplicate indices add up.

    NumPy adds the values for one element of the target sequentially. Many single-precision values
    are therefore added in double precision, and each sum is rounded once.
    """
    terms = values.size  # the maximum number of values for one element
    is_integers = type(index) is np.ndarray and index.dtype.kind in "iu"
    if is_integers and x.ndim > 1 and x.flags.c_contiguous:
        terms, row = np.bincount(index.reshape(-1) % len(x)).max(initial=0), math.prod(x.shape[1:])
        # NumPy adds to single elements five times as fast as to rows
        index = (index.reshape(-1, 1).astype(np.intp) * row + np.arange(row)).reshape(-1)
        x, values = x.reshape(-1), values.reshape(-1)
    if x.dtype.char != "f" or terms <= MAX_TERMS or x.size > SPREAD * values.size:
        np.add.at(x, index, values)
        return
    wide = x.astype("float64")
    np.add.at(wide, index, values.astype("float64"))
    x[...] = wide
