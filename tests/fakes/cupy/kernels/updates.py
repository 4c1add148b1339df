"""Updates of many tensors; the arguments are the structs of ``updates.cu``, with addresses."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np

C_TYPES = {"f": ctypes.c_float, "d": ctypes.c_double}


def at(address: int, size: int, letter: str) -> Any:
    """Return the elements at an address as an array."""
    return np.ctypeslib.as_array((C_TYPES[letter] * int(size)).from_address(int(address)))
