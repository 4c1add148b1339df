"""Add rows of values to the rows of an array that ids select."""

from __future__ import annotations

from typing import Any

import numpy as np


def add_rows(values: Any, ids: Any, order: Any, x: Any, D: int, n: int) -> None:
    sums = np.zeros((x.size // D, D))
    np.add.at(sums, ids[order], values.reshape(-1, D)[order])
    x += sums.reshape(x.shape).astype(x.dtype)
