"""Compile the kernels of the ``.cu`` files at first use, and launch them."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import cupy
import numpy as np

from dezero_core.extend import once

from .sources import C_TYPES, OPTIONS, families, source

THREADS = 256
"""The number of threads per block (not tuned): a multiple of 32, the size of a warp."""

MAX_BLOCKS = 1 << 16
"""Maximum number of blocks per launch (not tuned). If there are more elements than threads, each
thread computes several elements."""

PACK_BYTES = 16
"""The size in bytes of the loads and stores of ``map`` in ``common.cuh``."""

NULL = np.uint64(0)
"""A null pointer as the argument of a kernel."""

BLOCK = (THREADS,)


@once
def compiled(family: str, letter: str) -> Any:
    """Return the module of one file for one dtype; CuPy compiles it for each device."""
    code = f"#define SCALAR {C_TYPES[letter]}\n{source(family)}"
    return cupy.RawModule(code=code, options=OPTIONS)


@once
def function(name: str, letter: str) -> Any:
    """Return kernel ``name`` for one dtype, ready to be launched."""
    return compiled(families()[name], letter).get_function(name)


@lru_cache(maxsize=1024)
def grid_of_elements(n: int, width: int = 1) -> tuple[tuple[int], np.int64]:
    """Return the grid for n elements, ``width`` of them per thread, and n as an argument."""
    blocks = -(-n // (THREADS * width))
    return (min(blocks, MAX_BLOCKS),), np.int64(n)


def launch(name: str, letter: str, n: int, *arguments: Any, width: int = 1) -> None:
    """Run a kernel on n elements; if n is 0, do nothing.

    The current device must be that of the arrays.

    Args:
        name: the name in the ``.cu`` file.
        letter: the dtype character that selects the compiled module.
        n: the number of elements, which is also the last argument of the kernel.
        arguments: the other arguments of the kernel.
        width: the number of elements of each thread (default 1).
    """
    if n:
        grid, count = grid_of_elements(n, width)
        function(name, letter)(grid, BLOCK, (*arguments, count))


WIDE = 512
"""A block computes each row that has more elements than this; a warp computes a shorter row (not
tuned)."""


@lru_cache(maxsize=1024)
def grid_of_rows(rows: int, size: int) -> tuple[tuple[int], tuple[Any, ...]]:
    """Return the grid for rows of ``size`` elements, and the last three arguments of the kernel."""
    is_wide = size > WIDE
    blocks = rows if is_wide else -(-rows * 32 // THREADS)
    return (min(blocks, MAX_BLOCKS),), (np.int64(size), np.int32(is_wide), np.int64(rows))


def launch_rows(name: str, letter: str, rows: int, size: int, *arguments: Any) -> None:
    """Run a kernel on rows of ``size`` contiguous elements; if there are none, do nothing."""
    if rows and size:
        grid, last = grid_of_rows(rows, size)
        function(name, letter)(grid, BLOCK, (*arguments, *last))
