"""Register the kernels that call NVIDIA's libraries.

This module does not import CuPy, because machines without a GPU import it too.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from dezero_core.extend import Kernel

TOLERANCE = 3e-5
"""Maximum relative error in float32; NVIDIA's libraries add the terms of a sum in other orders."""

PRIORITY = 1
"""These kernels are tried before the kernels of `dezero_cuda.kernels`."""

MODULES = {
    "matmul": "products",
    "conv2d": "convolutions",
    "conv2d_grad_x": "convolutions",
    "conv2d_grad_W": "convolutions",
    "conv2d_grads": "convolutions",
}
"""A dictionary from ops to the modules with the kernel, which has the name of the op. The function
that returns whether the kernel supports a call is named ``supports_`` and the op."""


def deferred(module: str, name: str, run_name: str) -> Callable[..., Any]:
    """Return a function that imports ``name`` from a module of this package when first called."""
    found: list[Callable[..., Any]] = []

    def run(*arguments: Any) -> Any:
        if not found:
            found.append(getattr(import_module(f"dezero_cuda.{module}"), name))
        return found[0](*arguments)

    run.__name__ = run_name
    return run


def library_kernels() -> list[Kernel]:
    """Return the kernels that call cuBLAS and cuDNN."""
    return [
        Kernel(
            op, "cuda", deferred(module, op, f"{module}_{op}"),
            deferred(module, f"supports_{op}", f"supports_{op}"), TOLERANCE, PRIORITY,
        )
        for op, module in MODULES.items()
    ]  # fmt: skip
