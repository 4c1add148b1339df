"""Check the arguments of a kernel against its parameters in C, which CuPy does not do.

CuPy passes an argument by its own size and type: a kernel with a parameter ``int`` that is launched
with a Python number reads the first half of 8 bytes.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import numpy as np

TYPES = {
    "int": "int32", "Index": "int64", "Word64": "uint64", "float": "float32", "double": "float64",
    "unsigned char": "uint8", "unsigned short": "uint16",
}  # fmt: skip
"""A dictionary from types of C to dtypes."""

MAX_GRID, MAX_THREADS = ((1 << 31) - 1, 65535, 65535), 1024
"""The limits of CUDA: the numbers of blocks along each axis of a grid, and of threads per block."""


@lru_cache(maxsize=256)
def of_kernel(code: str, name: str) -> tuple[tuple[str, bool], ...]:
    """Return (dtype, whether it is a pointer) for each parameter; the dtype of a struct is ""."""
    types = {**TYPES, "T": TYPES[re.findall(r"#define SCALAR (\w+)", code)[0]]}
    text = re.findall(rf"^KERNEL {name}\(([^)]*)\)", code, re.MULTILINE)[0]
    for macro, words in re.findall(r"#define (WINDOWS) *\\\n(.*)", code):
        text = re.sub(rf"\b{macro}\b", words, text)
    found = []
    for parameter in text.split(","):
        kind = parameter.replace("const ", "").strip().rpartition(" ")[0]
        found.append((types.get(kind.rstrip("*"), ""), "*" in kind))
    return tuple(found)


def require(name: str, types: tuple[tuple[str, bool], ...], arguments: tuple[Any, ...]) -> None:
    """Raise an AssertionError if an argument does not have the type of its parameter."""
    assert len(types) == len(arguments), f"{name} has {len(types)} parameters"
    for number, ((dtype, is_pointer), x) in enumerate(zip(types, arguments, strict=True)):
        what = f"{name}, argument {number}: {type(x).__name__} {getattr(x, 'dtype', x)}"
        if is_pointer and not isinstance(x, np.generic | np.ndarray):
            same = dtype == x.dtype or (dtype == "uint8" and x.dtype == bool)
            assert same, f"{what}, expected an array of {dtype}"
        elif is_pointer:
            assert type(x) is np.uint64 and x == 0, f"{what}, expected an array or NULL"
        elif dtype:
            assert isinstance(x, np.generic) and x.dtype == dtype, f"{what}, expected {dtype}"
        else:
            assert isinstance(x, np.ndarray) and x.shape == (1,), f"{what}, expected a struct"


def require_sizes(grid: tuple[int, ...], block: tuple[int, ...]) -> None:
    """Raise an AssertionError if CUDA does not accept the sizes of a launch."""
    assert all(0 < n <= limit for n, limit in zip(grid, MAX_GRID, strict=False)), f"grid {grid}"
    assert 0 < block[0] <= MAX_THREADS and len(block) == 1, f"block {block}"
