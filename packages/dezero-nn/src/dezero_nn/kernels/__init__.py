"""NumPy kernels of ops worth one. Each is held to its portable definition by a test."""

from __future__ import annotations

from dezero_core.extend import Kernel

from .sigmoid import sigmoid, supports_sigmoid


def all_kernels() -> list[Kernel]:
    """Every kernel of this package."""
    return [Kernel("sigmoid", "numpy", sigmoid, supports_sigmoid)]
