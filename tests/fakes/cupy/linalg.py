"""Compute the functions of cupy.linalg with NumPy's."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import graphs
from .array import _launcher

NAMES = """
    cholesky det eigh eigvalsh inv lstsq matrix_power matrix_rank norm pinv qr slogdet solve svd
    tensorinv tensorsolve
""".split()


def __getattr__(name: str) -> Any:
    if name not in NAMES:
        raise AttributeError(f"module 'cupy.linalg' has no attribute {name!r}")
    if name not in ("norm", "matrix_power", "matrix_rank"):
        graphs.refuse_library("cuBLAS" if name in ("det", "slogdet") else "cuSOLVER")
    return _launcher(name, getattr(np.linalg, name))
