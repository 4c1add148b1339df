"""Read and write memory at a raw address, as the stand-ins for NVIDIA's libraries do."""

from __future__ import annotations

from typing import Any

import numpy as np


class _Memory:
    def __init__(self, address: int, shape: Any, strides: Any, dtype: Any) -> None:
        self.__array_interface__ = {
            "data": (address, False),
            "shape": tuple(shape),
            "strides": tuple(stride * np.dtype(dtype).itemsize for stride in strides),
            "typestr": np.dtype(dtype).str,
            "version": 3,
        }


def array_at(address: int, shape: Any, strides: Any, dtype: Any) -> Any:
    """Return a view of memory; the strides are numbers of elements."""
    return np.asarray(_Memory(address, shape, strides, dtype))
