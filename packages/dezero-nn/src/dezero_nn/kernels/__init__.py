"""Kernels of ops for NumPy arrays, where they save 5 % or more of a row of the benchmark.

A test compares each with the portable definition of its op.
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
"""The modules with kernels; each lists its own in ``KERNELS``."""


def all_kernels() -> list[Kernel]:
    """Return the kernels of this package; called just before the first of them runs."""
    keep_freed_memory()
    return [kernel for module in MODULES for kernel in module.KERNELS]
