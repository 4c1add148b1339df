"""Create oneDNN's memory descriptors, which state the layout of an array in memory."""

from __future__ import annotations

import math
from collections.abc import Sequence
from ctypes import c_int, c_int64, c_void_p
from typing import Any

import numpy as np

from .library import Handle, library
from .pointers import address_of, has_layout

FLOAT32, ANY_LAYOUT, LAYOUT_OF_ARGUMENT = 3, 1, 255
"""oneDNN's enum values: the dtype float32, "any layout", and the query for an argument's layout."""

ALIGNMENT = 64
"""Size of a cache line in bytes; arrays start at a multiple of this size."""

F4, BYTES = "float32", "uint8"
"""The dtypes of oneDNN's arguments: float32 in C order, and uint8 in an internal layout."""

Shape = tuple[int, ...]
Layout = Handle | c_void_p


def covers(*arrays: np.ndarray) -> bool:
    """Return whether all arguments are nonempty float32 arrays."""
    return all(
        type(array) is np.ndarray and array.dtype == np.float32 and array.size > 0
        for array in arrays
    )


def contiguous(x: np.ndarray) -> np.ndarray:
    """Return ``x`` if it is aligned float32 in C order, else a copy with these properties."""
    return x if has_layout(x, F4, x.shape) else np.array(x, F4, order="C", subok=False)


def integers(values: Sequence[int]) -> Any:
    """Return a C array of 64-bit integers."""
    return (c_int64 * len(values))(*values)


def layout(shape: Shape, strides: Shape | None = None) -> Handle:
    """Return the layout of a float32 array in C order, or with ``strides`` in elements."""
    if strides is None:
        strides = tuple(math.prod(shape[axis + 1 :]) for axis in range(len(shape)))
    sizes = len(shape), integers(shape), c_int(FLOAT32)
    return Handle("memory_desc", "memory_desc_create_with_strides", *sizes, integers(strides))


def channels_last(shape: Shape) -> Handle:
    """Return the channels-last layout of images (N, C, H, W)."""
    _, C, H, W = shape
    return layout(shape, (C * H * W, 1, W * C, C))


def open_layout(shape: Shape) -> Handle:
    """Return a float32 layout that oneDNN chooses itself."""
    sizes = len(shape), integers(shape), c_int(FLOAT32)
    return Handle("memory_desc", "memory_desc_create_with_tag", *sizes, c_int(ANY_LAYOUT))


def required_layout(description: Handle, argument: int) -> c_void_p:
    """Return the layout that an operation requires for an argument, owned by ``description``."""
    query = c_int(LAYOUT_OF_ARGUMENT), c_int(argument)
    return c_void_p(library().dnnl_primitive_desc_query_md(description, *query))


def size_in_bytes(layout: Layout) -> int:
    """Return the size in bytes of an array in this layout."""
    return int(library().dnnl_memory_desc_get_size(layout))


def aligned_bytes(count: int) -> np.ndarray:
    """Return ``count`` uninitialised bytes that start at a cache line."""
    memory = np.empty(count + ALIGNMENT, np.uint8)
    start = -address_of(memory, BYTES, memory.shape) % ALIGNMENT
    return memory[start : start + count]
