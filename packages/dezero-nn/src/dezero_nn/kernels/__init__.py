"""Define kernels, which are faster implementations of ops for NumPy arrays.

The package contains only kernels that save at least 5 % of the time of at least one benchmark. A
test compares each kernel with the portable definition of its op.
"""

from __future__ import annotations

from dezero_core.extend import Kernel

from . import (
    attention,
    channels,
    cross_entropy,
    gelu,
    gru,
    im2col,
    layer_norm,
    masks,
    matmul,
    pooling,
    recurrent,
    separate,
    sigmoid,
    softmax,
    updates,
    winograd,
)
from .memory import keep_freed_memory

MODULES = (
    attention, channels, cross_entropy, gelu, gru, im2col, layer_norm, masks, matmul, pooling,
    recurrent, separate, sigmoid, softmax, updates, winograd,
)  # fmt: skip
"""The modules that define kernels; each lists its kernels in ``KERNELS``."""


def all_kernels() -> list[Kernel]:
    """Return all kernels of this package; DeZero calls this before it first runs any kernel."""
    keep_freed_memory()
    return [kernel for module in MODULES for kernel in module.KERNELS]
