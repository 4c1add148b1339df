"""Launch the kernels of ``rounding.cu``, which convert float32 to bfloat16 and back.

The bits of bfloat16 are stored as uint16, because the arrays are only passed to NVIDIA's libraries.
CuPy 14 accepts the dtype bfloat16 of the package ml_dtypes, which DeZero does not require.
"""

from __future__ import annotations

import cupy
import numpy as np

from .layouts import Array, as_dense
from .module import launch


def to_bfloat16(x: Array) -> Array:
    """Return the bits of float32 ``x``, rounded to bfloat16, in the same memory order."""
    x = as_dense(x)
    y = cupy.empty_like(x, dtype=np.uint16)
    launch("to_bfloat16", "f", x.size, x, y)
    return y


def from_bfloat16(x: Array) -> Array:
    """Return float32 numbers for the bits of bfloat16 numbers, in the same memory order."""
    y = cupy.empty_like(x, dtype=np.float32)
    launch("from_bfloat16", "f", x.size, x, y)
    return y
