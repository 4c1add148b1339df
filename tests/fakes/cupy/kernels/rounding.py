"""Convert between float32 and the bits of bfloat16."""

from __future__ import annotations

from typing import Any

import numpy as np


def to_bfloat16(x: Any, y: Any, n: int) -> None:
    bits = np.ascontiguousarray(x, np.float32).view(np.uint32).astype(np.uint64)
    nearest = (bits + 0x7FFF + (bits >> np.uint64(16) & np.uint64(1))) >> np.uint64(16)
    y[...] = np.where(np.isnan(x), 0x7FC0, nearest.astype(np.uint16))


def from_bfloat16(x: Any, y: Any, n: int) -> None:
    y[...] = (np.ascontiguousarray(x).astype(np.uint32) << 16).view(np.float32)
