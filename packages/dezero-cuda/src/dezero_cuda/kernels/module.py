"""Compile and launch the kernels of ``kernels.cu``."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import cupy
import numpy as np

from dezero_core.extend import once

THREADS = 256
"""The number of threads per block (not tuned): a multiple of 32, the size of a warp."""

MAX_BLOCKS = 1 << 16
"""Maximum number of blocks per launch. Not tuned. If there are more elements than threads, each
thread computes several elements."""

C_TYPES = {"f": "float", "d": "double"}
"""A dictionary from dtype characters to the C types that replace SCALAR in ``kernels.cu``."""


def source() -> str:
    """Return the text of ``kernels.cu``."""
    return files(__package__).joinpath("kernels.cu").read_text("utf-8")


@once
def compiled(letter: str) -> Any:
    """Compile the kernels for one dtype at first use, and return the compiled module."""
    return cupy.RawModule(code=f"#define SCALAR {C_TYPES[letter]}\n{source()}")


def launch(name: str, result: cupy.ndarray, *arguments: Any, threads: int | None = None) -> None:
    """Run kernel ``name`` with one thread for each element of ``result``.

    Args:
        name: the name in ``kernels.cu``.
        result: the array that the kernel fills; its dtype selects the compiled module.
        arguments: the arguments of the kernel that precede the number of elements.
        threads: the number of threads; None (default) for one per element of ``result``.
    """
    n = result.size if threads is None else threads
    if n == 0:
        return
    blocks = min((n + THREADS - 1) // THREADS, MAX_BLOCKS)
    function = compiled(result.dtype.char).get_function(name)
    with result.device:
        function((blocks,), (THREADS,), (*arguments, np.int64(n)))
