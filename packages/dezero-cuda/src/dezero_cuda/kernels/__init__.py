"""Kernels of named ops for CuPy: one launch where the portable definition takes several.

The bodies are in ``kernels.cu``, what they are given in `launches`, compiling in `module`. This
page registers them, and imports no CuPy: kernels are asked for on machines without a GPU too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dezero_core.extend import Kernel

PRECISIONS = ("f", "d")
"""Single and double, by the letters of their dtypes."""


def supports(x: Any, *arguments: Any) -> bool:
    """Single or double precision."""
    return x.dtype.char in PRECISIONS


def supports_two(x: Any, other: Any, *arguments: Any) -> bool:
    """Two arrays of one shape and dtype, single or double."""
    return supports(x) and other.dtype == x.dtype and other.shape == x.shape


def supports_gradient(gy: Any, x: Any, *arguments: Any) -> bool:
    """The gradient of a number, and scores of single or double precision."""
    return supports(x)


def supports_masked(x: Any, mask: Any, scale: float) -> bool:
    """Numbers of single or double precision, and bools."""
    return supports(x) and mask.dtype.char == "?" and mask.shape == x.shape


def supports_update(ps: Any, *others: Any) -> bool:
    """More than one parameter."""
    return len(ps) > 1


def launched(name: str) -> Callable[..., Any]:
    """The function of that name in `launches`, which is imported when it is first called."""

    def run(*arguments: Any) -> Any:
        from . import launches, updates

        return getattr(updates if name == "update" else launches, name)(*arguments)

    run.__name__ = name
    return run


def all_kernels() -> list[Kernel]:
    """Every kernel of this package."""
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
