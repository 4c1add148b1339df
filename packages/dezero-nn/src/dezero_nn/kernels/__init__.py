"""Compute ops faster for NumPy arrays.

A kernel is kept if it saves at least 5 % of the time of one benchmark. A test compares each kernel
with the portable definition of its op.
"""

from __future__ import annotations

from dezero_core.extend import Kernel

from . import (
    channels,
    im2col,
    masks,
    matmul,
    pooling,
    recurrent,
    separate,
    sigmoid,
    updates,
    winograd,
)
from .memory import keep_freed_memory

MODULES = (
    channels, im2col, masks, matmul, pooling, recurrent, separate, sigmoid, updates, winograd,
)  # fmt: skip
"""The modules that define kernels; each lists its kernels in ``KERNELS``."""


def all_kernels() -> list[Kernel]:
    """Return all kernels of this package; called just before the first kernel runs."""
    keep_freed_memory()
    return [kernel for module in MODULES for kernel in module.KERNELS]
