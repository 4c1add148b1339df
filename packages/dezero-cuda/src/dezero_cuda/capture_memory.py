"""Allocate the memory of captured graphs, and return it to the device with the graph.

A pool of CuPy 14 differs from what a graph needs in two ways (cupy/cuda/memory.pyx). If the device
is full, the pool returns its free blocks to the device, although the kernels of a graph write to
them in each replay. And the free blocks are never returned if the pool itself is deleted.
"""

from __future__ import annotations

from collections import deque
from threading import Lock
from typing import Any

import cupy

OUT_OF_MEMORY = 2
"""The number of the error cudaErrorMemoryAllocation of the CUDA runtime."""

_waiting: deque[tuple[Any, cupy.cuda.Device]] = deque()
"""The pools of deleted graphs, with their devices; arrays still use a part of their memory."""

_freeing = Lock()


def new_pool() -> cupy.cuda.MemoryPool:
    """Return an empty pool on the current device, whose blocks stay at their addresses.

    The memory that eager steps have freed is first returned to the device, for the graph.
    """
    free_waiting()
    cupy.get_default_memory_pool().free_all_blocks()
    pool = cupy.cuda.MemoryPool(allocate)
    pool.set_limit(size=0)  # at the limit of CUPY_GPU_MEMORY_LIMIT, the pool would free blocks
    return pool


def allocate(size: int) -> cupy.cuda.MemoryPointer:
    """Allocate memory on the current device.

    Raises:
        MemoryError: the device is full. After a CUDARuntimeError, the pool would free its blocks.
    """
    try:
        return cupy.cuda.MemoryPointer(cupy.cuda.Memory(size), 0)
    except cupy.cuda.runtime.CUDARuntimeError as error:
        if error.status != OUT_OF_MEMORY:
            raise
        raise MemoryError(f"Out of memory allocating {size:,} bytes for a graph") from error


def release(pool: cupy.cuda.MemoryPool, device: cupy.cuda.Device) -> None:
    """Return the memory of a deleted graph to the device, except what arrays still use."""
    with device:
        pool.free_all_blocks()
        if pool.total_bytes():
            _waiting.append((pool, device))


def free_waiting() -> None:
    """Return the memory of deleted graphs to the device, if no array uses it any more."""
    with _freeing:
        for _ in range(len(_waiting)):
            release(*_waiting.popleft())
