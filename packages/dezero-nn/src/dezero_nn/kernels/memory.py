"""Memory that was freed stays at hand: a setting of the C library's allocator.

A training step frees as much as it asks for, in arrays of megabytes. As it is set by default, glibc
gives such memory back to the system at once, and the next array costs a page fault for every 4 kB:
a sixth of a convolutional network's step. Two numbers tell it to keep what it has. The setting is
the process's, its peak stays the same, and memory is given back when the process ends, or by
``malloc_trim``. ``DEZERO_KEEP_MEMORY=0`` in the environment leaves the allocator alone, as do other
C libraries than glibc and the environment variables that set the same two numbers.

docs/adr/0009 weighs this against a pool of our own.
"""

from __future__ import annotations

import ctypes
import os
import platform

MMAP_THRESHOLD, TRIM_THRESHOLD = -3, -1
"""Their numbers in <malloc.h>."""

LARGEST = 1 << 30
"""Arrays of up to a gigabyte come from the heap; larger ones from the system, as before."""


def keep_freed_memory() -> bool:
    """Tell the allocator to keep what is freed; return whether it was told."""
    theirs = {"MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_", "GLIBC_TUNABLES"}
    if os.environ.get("DEZERO_KEEP_MEMORY") == "0" or theirs & set(os.environ):
        return False
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return bool(mallopt(MMAP_THRESHOLD, LARGEST) and mallopt(TRIM_THRESHOLD, 2**31 - 1))
