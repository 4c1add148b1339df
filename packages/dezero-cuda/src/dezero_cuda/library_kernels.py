"""Register the kernels that call NVIDIA's libraries, and the kernels that split a batch.

This module does not import CuPy, because machines without a GPU import it too.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from dezero_core.extend import Kernel

TOLERANCE = 3e-5
"""Maximum relative error in float32; NVIDIA's libraries add the terms of a sum in other orders."""

LIBRARIES, SPLIT = 2, 1
"""Priorities: cuBLAS and cuDNN are tried first, then convolutions of a split batch, and last the
kernels of `dezero_cuda.kernels`, which have priority 0."""

MODULES = {
    "products": (LIBRARIES, ["matmul"]),
    "convolutions": (LIBRARIES, ["conv2d", "conv2d_grad_x", "conv2d_grad_W", "conv2d_grads"]),
    "attention": (LIBRARIES, ["attention", "attention_grad"]),
    "column_buffers": (SPLIT, ["conv2d", "conv2d_grad_x", "conv2d_grad_W"]),
}
"""A dictionary from modules to the priority and the ops of their kernels. A kernel has the name of
its op. ``supports_`` and the name of the op form the name of the function that checks a call."""


def import_later(module: str, name: str, run_name: str) -> Callable[..., Any]:
    """Return a function that imports ``name`` from a module of this package when first called."""
    found: list[Callable[..., Any]] = []

    def run(*arguments: Any) -> Any:
        if not found:
            found.append(getattr(import_module(f"dezero_cuda.{module}"), name))
        return found[0](*arguments)

    run.__name__ = run_name
    return run


def library_kernels() -> list[Kernel]:
    """Return the kernels that call cuBLAS and cuDNN, and those that split a batch."""
    return [
        Kernel(
            op,
            "cuda",
            import_later(module, op, f"{module}_{op}"),
            import_later(module, f"supports_{op}", f"supports_{op}"),
            TOLERANCE,
            priority,
        )
        for module, (priority, names) in MODULES.items()
        for op in names
    ]
