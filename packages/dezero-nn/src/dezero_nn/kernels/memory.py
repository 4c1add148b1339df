"""Keep some freed memory for reuse, by two settings of glibc's allocator.

A training step frees as much memory as it allocates, in arrays of megabytes. By default glibc
returns such memory to the system at once, and the next array causes a page fault for every 4 kB.
These faults took a sixth of the time of a convolutional network's training step. Two settings avoid
these page faults:

    arrays of up to 64 MiB     come from the heap; the next array reuses their pages
    larger arrays              come from the system, and go back to it when they are freed
    free memory at the end     goes back to the system if it is more than 128 MiB

The settings apply to the whole process, even if DeZero is only a part of the program. Both limits
are therefore low: about 120 MiB stay resident after a gigabyte was freed. The heap shrinks only
from its end: a small block in use behind freed arrays keeps their memory resident. DeZero changes
the settings just before it runs the first kernel, not when it is imported. DeZero does not change
the settings if the environment has ``DEZERO_KEEP_MEMORY=0`` or one of glibc's own variables for
these limits, or if the C library is not glibc (musl, macOS, Windows). docs/adr/0009 compares these
settings with a memory pool.
"""

from __future__ import annotations

import ctypes
import os
import platform

MMAP_THRESHOLD, TRIM_THRESHOLD = -3, -1
"""The parameters of ``mallopt`` for the two settings, from <malloc.h>."""

MAX_HEAP_ARRAYS = (64 << 20, 32 << 20)
"""Maximum bytes of an array on the heap; if glibc refuses the first value, the second is used. The
CNN and the VGG-like network of the benchmark have arrays of up to 32 MiB. Estimate: a limit below
32 MiB would bring back the page faults for the arrays of these networks; twice the limit would
double the memory that may stay resident."""

MAX_FREE = 128 << 20
"""Maximum free bytes that stay at the end of the heap: the size of two of the largest arrays on the
heap. Estimate: half this limit would bring back page faults; twice this limit would double the
memory that may stay resident."""


def keep_freed_memory() -> bool:
    """Let glibc keep some freed memory; return whether it accepted both settings."""
    theirs = {"MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_", "GLIBC_TUNABLES"}
    if os.environ.get("DEZERO_KEEP_MEMORY") == "0" or theirs & set(os.environ):
        return False
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    accepted = any(mallopt(MMAP_THRESHOLD, size) for size in MAX_HEAP_ARRAYS)
    return bool(accepted and mallopt(TRIM_THRESHOLD, MAX_FREE))
