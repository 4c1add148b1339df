"""Copy NumPy arrays into memory that C functions must not get: misaligned or read-only."""

from __future__ import annotations

from typing import Any

import numpy as np


def misaligned(x: Any) -> Any:
    """Return a copy of an array that starts one byte after an aligned address."""
    memory = np.zeros(x.nbytes + 1, "uint8")
    moved = memory[1:].view(x.dtype).reshape(x.shape)
    moved[...] = x
    return moved


def read_only(x: Any) -> Any:
    """Return a read-only copy of an array."""
    x = x.copy()
    x.flags.writeable = False
    return x
