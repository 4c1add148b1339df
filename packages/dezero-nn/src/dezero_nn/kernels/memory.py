"""Keep some freed memory for reuse, by two settings of the C library's allocator.

A training step frees as much as it allocates, in arrays of megabytes. By default glibc returns
such memory to the system at once, and the next array costs a page fault for every 4 kB: a sixth of
a convolutional network's step. Two settings tell glibc to keep a little of it:

    arrays of up to 64 MiB     come from the heap; the next array reuses their pages
    larger arrays              come from the system, and go back to it when they are freed
    the end of the heap        goes back to the system if more than 128 MiB are free there

The settings hold for the whole process, also if DeZero is only a part of the program. The numbers
are therefore small: at most about 120 MiB stay resident after a gigabyte was freed. They are set
just before the first kernel runs; importing DeZero sets nothing. If ``DEZERO_KEEP_MEMORY=0`` is in
the environment by then, or a variable that sets either number for glibc, nothing is set. With other
C libraries (musl, macOS, Windows) nothing changes. docs/adr/0009 weighs this against a pool.
"""

from __future__ import annotations

import ctypes
import os
import platform

MMAP_THRESHOLD, TRIM_THRESHOLD = -3, -1
"""Keys of the two settings in <malloc.h>."""

MAX_HEAP_ARRAYS = (64 << 20, 32 << 20)
"""Maximum bytes of an array on the heap; older versions of glibc accept only the second value.
The CNN and the VGG-like network of the benchmark need 32 MiB. Half as much brings their page faults
back; with twice as much, up to twice the memory stays resident."""

MAX_FREE = 128 << 20
"""Maximum free bytes that may stay at the end of the heap: two of the largest arrays. Half as much
brings page faults back (docs/performance.md); twice as much stays resident."""


def keep_freed_memory() -> bool:
    """Let the allocator keep some freed memory; return whether both settings were accepted."""
    theirs = {"MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_", "GLIBC_TUNABLES"}
    if os.environ.get("DEZERO_KEEP_MEMORY") == "0" or theirs & set(os.environ):
        return False
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    accepted = any(mallopt(MMAP_THRESHOLD, size) for size in MAX_HEAP_ARRAYS)
    return bool(accepted and mallopt(TRIM_THRESHOLD, MAX_FREE))
