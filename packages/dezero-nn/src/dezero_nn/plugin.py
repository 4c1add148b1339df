"""Register the NumPy kernels of this package with DeZero."""

from __future__ import annotations

from typing import Any

from dezero_core.extend import DEZERO_API, hookimpl

__all__ = ["DEZERO_API", "dezero_kernels"]


@hookimpl
def dezero_kernels() -> list[Any]:
    """Return the NumPy kernels of `dezero_nn.kernels`."""
    from .kernels import all_kernels

    return all_kernels()
