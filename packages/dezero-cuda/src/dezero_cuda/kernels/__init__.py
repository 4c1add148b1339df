"""Register kernels for CuPy, which launch fewer CUDA kernels than the portable code.

``kernels.cu`` contains the CUDA code, `module` compiles it, and `launches` passes the arguments.
This module does not import CuPy, because machines without a GPU import it too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dezero_core.extend import Array, Kernel

PRECISIONS = ("f", "d")
"""NumPy's dtype characters of float32 and float64."""


def supports(x: Array, *arguments: Any) -> bool:
    """Return whether the array is float32 or float64."""
    return x.dtype.char in PRECISIONS


def supports_two(x: Array, other: Array, *arguments: Any) -> bool:
    """Return whether two arrays have equal shapes, and are both float32 or both float64."""
    return supports(x) and other.dtype == x.dtype and other.shape == x.shape


def supports_gradient(gy: Array, x: Array, *arguments: Any) -> bool:
    """Return whether the second array is float32 or float64."""
    return supports(x)


def supports_masked(x: Array, mask: Array, scale: float) -> bool:
    """Return whether ``x`` is float32 or float64, and the mask is boolean and of the same shape."""
    return supports(x) and mask.dtype.char == "?" and mask.shape == x.shape


def supports_update(ps: list[Array], *others: Any) -> bool:
    """Return whether there is more than one parameter to update."""
    return len(ps) > 1


def launched(name: str) -> Callable[..., Any]:
    """Return a function that imports the kernels when called, and runs the kernel ``name``."""

    def run(*arguments: Any) -> Any:
        from . import launches, updates

        return getattr(updates if name == "update" else launches, name)(*arguments)

    run.__name__ = name
    return run


def all_kernels() -> list[Kernel]:
    """Return every kernel of this package."""
    table: dict[str, Callable[..., bool]] = {
        "sigmoid": supports,
        "relu": supports,
        "sigmoid_grad": supports_two,
        "tanh_grad": supports_two,
        "relu_grad": supports_two,
        "scaled_where": supports_masked,
        "softmax_cross_entropy": supports,
        "softmax_cross_entropy_grad": supports_gradient,
        "im2col": supports,
        "col2im": supports,
        "max_pool2d": supports,
        "max_pool2d_grad": supports,
        "average_pool2d": supports,
        "average_pool2d_grad": supports,
        "update": supports_update,
    }
    return [Kernel(op, "cuda", launched(op), check) for op, check in table.items()]
