"""The compiled kernels: the only module that touches CuPy's way to compile and launch."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import cupy
import numpy as np

from dezero_core.extend import once

THREADS = 256
"""Threads of a block."""

MOST_BLOCKS = 1 << 16
"""Blocks of a launch; each thread goes on to the next element that is nobody's."""

C_TYPES = {"f": "float", "d": "double"}
"""What SCALAR stands for, by the dtype's letter."""


def source() -> str:
    """The text of ``kernels.cu``."""
    return files(__package__).joinpath("kernels.cu").read_text("utf-8")


@once
def compiled(letter: str) -> Any:
    """The module for one precision, compiled at first use."""
    return cupy.RawModule(code=f"#define SCALAR {C_TYPES[letter]}\n{source()}")


def launch(name: str, result: Any, *arguments: Any, threads: int | None = None) -> None:
    """Run kernel ``name`` with one thread for each element of ``result``.

    Args:
        name: as in ``kernels.cu``.
        result: the array that the kernel fills; its dtype says which precision runs.
        arguments: what comes before the number of elements, in order.
        threads: how many instead, such as one for each row.
    """
    n = result.size if threads is None else threads
    if n == 0:
        return
    blocks = min((n + THREADS - 1) // THREADS, MOST_BLOCKS)
    function = compiled(result.dtype.char).get_function(name)
    with result.device:
        function((blocks,), (THREADS,), (*arguments, np.int64(n)))
