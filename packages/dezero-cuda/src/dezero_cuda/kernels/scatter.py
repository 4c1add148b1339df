"""Add values at indices that may repeat, in the same order every time (docs/adr/0008)."""

from __future__ import annotations

import math
from typing import Any

import cupy
from numpy import int64

from .layouts import Array, contiguous
from .module import launch


def scatter_add(x: Array, index: Any, values: Array) -> None:
    """Add ``values`` to ``x[index]`` in place; values at repeated indices are all added.

    The indices are sorted, so that values for the same row, or element, are neighbours.

    Args:
        x: an array of float32 or float64 in C order.
        index: an array of integers for the first axis, or any other index with arrays.
        values: an array with the shape and dtype of ``x[index]``.
    """
    if is_integer_array(index):
        ids, size = index.ravel() % max(x.shape[0], 1), math.prod(x.shape[1:])
    else:
        ids, size = cupy.arange(x.size).reshape(x.shape)[index].ravel(), 1
    ids = ids if ids.dtype == int64 else ids.astype(int64)
    arrays = contiguous(values), ids, cupy.argsort(ids), x
    launch("add_rows", x.dtype.char, ids.size * size, *arrays, int64(size))


def is_integer_array(index: Any) -> bool:
    """Return whether an index is one array of integers."""
    return isinstance(index, cupy.ndarray) and index.dtype.kind in "iu"
