"""What this package registers with DeZero: kernels for NumPy, and the rows of its ops."""

from __future__ import annotations

from typing import Any

from dezero_core.hookspecs import DEZERO_API, hookimpl

__all__ = ["DEZERO_API", "dezero_kernels", "dezero_op_cases"]


@hookimpl
def dezero_kernels() -> list[Any]:
    """The NumPy kernels of `dezero_nn.kernels`."""
    from .kernels import all_kernels

    return all_kernels()


@hookimpl
def dezero_op_cases() -> list[Any]:
    """The rows of `dezero_nn.op_cases`, and the checks of `dezero_nn.conformance`."""
    from .conformance import checks
    from .op_cases import rows

    return [*rows(), *checks()]
