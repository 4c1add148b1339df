"""Keep some freed memory at hand: two settings of the C library's allocator.

A training step frees as much as it allocates, in arrays of megabytes. By default glibc returns
such memory to the system at once, and the next array costs a page fault for every 4 kB: a sixth of
a convolutional network's step. Two numbers tell glibc to keep a little of it:

    an array of up to 64 MiB      comes from the heap, and its pages are reused by the next one
    a larger one                  comes from the system and is returned when it is freed, as before
    more than 128 MiB             free at the end of the heap are returned to the system

The settings belong to the process, also to a program that DeZero is only a part of: hence small
numbers, which leave about 100 MB resident after a gigabyte was freed. They are made when the first
kernel is about to run; importing DeZero sets nothing. ``DEZERO_KEEP_MEMORY=0`` in the environment,
set by then, leaves the allocator alone, and so do the environment variables that set the same two
numbers. Other C libraries (musl, macOS's, Windows's) are left alone: memory is returned, or kept,
as it is without DeZero. An allocator that replaces glibc's does not read the two numbers.

docs/adr/0009 weighs this against a pool of our own.
"""

from __future__ import annotations

import ctypes
import os
import platform

MMAP_THRESHOLD, TRIM_THRESHOLD = -3, -1
"""The numbers of the two settings in <malloc.h>."""

LARGEST_KEPT = (64 << 20, 32 << 20)
"""Bytes of an array up to which it comes from the heap; older versions of glibc take the second."""

MOST_KEPT = 128 << 20
"""Free bytes at the end of the heap above which they are returned to the system."""


def keep_freed_memory() -> bool:
    """Tell the allocator to keep some of what is freed; return whether it was told."""
    theirs = {"MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_", "GLIBC_TUNABLES"}
    if os.environ.get("DEZERO_KEEP_MEMORY") == "0" or theirs & set(os.environ):
        return False
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    told = any(mallopt(MMAP_THRESHOLD, size) for size in LARGEST_KEPT)
    return bool(told and mallopt(TRIM_THRESHOLD, MOST_KEPT))
