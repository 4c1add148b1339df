"""Multiply matrices with the best kernel of the op ``matmul``, for other kernels."""

from __future__ import annotations

from dezero_core.extend import ops

from .layouts import Array


def matmul(x: Array, y: Array) -> Array:
    """Return ``x @ y``, computed by the best kernel."""
    return ops["matmul"](x, y)
