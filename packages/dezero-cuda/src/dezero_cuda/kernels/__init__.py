"""Register kernels for CuPy, which launch fewer CUDA kernels than the portable code.

The ``.cu`` files contain the CUDA code, one family of kernels each; `module` compiles and launches
them, and the other modules pass the arguments. This module does not import CuPy, because machines
without a GPU import it too.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from math import prod
from typing import Any

from dezero_core.extend import Array, Kernel

PRECISIONS = ("f", "d")
"""NumPy's dtype characters of float32 and float64."""

MAX_TAPS = 256
"""Maximum number of elements in a window of max pooling, whose position is stored in one byte."""

Pair = tuple[int, int]


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


def supports_rows(x: Array, axis: Any) -> bool:
    """Return whether ``x`` is float32 or float64, and ``axis`` is its last axis."""
    return supports(x) and x.ndim > 0 and axis in (-1, x.ndim - 1)


def supports_two_rows(gy: Array, y: Array, axis: Any) -> bool:
    """Return whether `supports_two` and `supports_rows` are both True."""
    return supports_two(gy, y) and supports_rows(y, axis)


def supports_all(x: Array, *others: Any) -> bool:
    """Return whether all arrays are float32, or all are float64."""
    return supports(x) and all(
        other.dtype == x.dtype for other in others if hasattr(other, "dtype")
    )


def supports_scores(x: Array, t: Array) -> bool:
    """Return whether the scores are float32 or float64, and there is at least one class."""
    return supports(x) and x.shape[-1] > 0


def supports_scaled(x: Array, t: Array, scale: Array, needs_gx: bool) -> bool:
    """Return whether `supports_scores` is True, and the scales have the dtype of the scores."""
    return supports_scores(x, t) and scale.dtype == x.dtype


def supports_norm(x: Array, *others: Any) -> bool:
    """Return whether `supports_all` is True, and ``x`` has elements."""
    return x.size > 0 and supports_all(x, *others)


def supports_attention(q: Array, k: Array, v: Array, *others: Any) -> bool:
    """Return whether the arrays have at most four axes and equal leading axes, and are not empty.

    All arrays that are not boolean must be float32, or all must be float64.
    """
    arrays = [other for other in others if hasattr(other, "dtype") and other.dtype.char != "?"]
    return (
        supports_all(q, k, v, *arrays)
        and q.ndim <= 4
        and q.shape[:-2] == k.shape[:-2] == v.shape[:-2]
        and all(x.size for x in (q, k, v))
    )


def supports_attention_grad(gy: Array, y: Array, workspace: Array, *others: Any) -> bool:
    """Return whether `supports_attention` is True for the arguments of the op."""
    return supports_all(gy, y, workspace) and supports_attention(*others)


def supports_max(x: Array, kernel: Pair, *settings: Any) -> bool:
    """Return whether ``x`` is float32 or float64, and a position in a window fits into a byte."""
    return supports(x) and prod(kernel) <= MAX_TAPS


def supports_max_grad(gy: Array, index: Array, shape: Any, kernel: Pair, *settings: Any) -> bool:
    """Return whether ``gy`` is float32 or float64, and a position in a window fits into a byte."""
    return supports(gy) and prod(kernel) <= MAX_TAPS


def supports_update(ps: list[Array], *others: Any) -> bool:
    """Return whether there is more than one parameter to update."""
    return len(ps) > 1


def supports_fused(ps: list[Array], gs: list[Array], states: list[Any], *others: Any) -> bool:
    """Return whether all parameters, gradients and states are float32, or all are float64."""
    arrays = [*gs, *(x for state in states for x in state.values() if hasattr(x, "dtype"))]
    return supports_all(ps[0], *ps, *arrays)


def supports_clip(gs: list[Array], max_norm: float) -> bool:
    """Return whether all gradients are float32, or all are float64."""
    return supports_all(gs[0], *gs)


TABLE: dict[str, dict[str, Callable[..., bool]]] = {
    "elementwise": {
        "sigmoid": supports,
        "relu": supports,
        "gelu": supports,
        "silu": supports,
        "add_relu": supports_two,
        "sigmoid_grad": supports_two,
        "tanh_grad": supports_two,
        "relu_grad": supports_two,
        "scaled_where": supports_masked,
    },
    "softmax": {
        "softmax": supports_rows,
        "log_softmax": supports_rows,
        "softmax_grad": supports_two_rows,
        "cross_entropy": supports_scaled,
        "softmax_cross_entropy": supports_scores,
        "softmax_cross_entropy_grad": supports_gradient,
    },
    "attention": {"attention": supports_attention, "attention_grad": supports_attention_grad},
    "norms": {
        "layer_norm": supports_norm,
        "rms_norm": supports_norm,
        "layer_norm_grad": supports_norm,
        "rms_norm_grad": supports_norm,
    },
    "batch_norm": {"batch_norm": supports_norm, "channel_sum_of": supports_all},
    "sums": {"channel_sum": supports, "channel_sums": supports_all},
    "windows": {
        "im2col": supports,
        "col2im": supports,
        "max_pool2d": supports_max,
        "max_pool2d_values": supports_max,
        "max_pool2d_grad": supports_max_grad,
        "average_pool2d": supports,
        "average_pool2d_grad": supports,
    },
    "recurrent": {
        "lstm": supports_all,
        "lstm_grad": supports_all,
        "gru": supports_all,
        "gru_grad": supports_all,
    },
    "fused": {
        "sgd": supports_fused,
        "momentum_sgd": supports_fused,
        "adam_update": supports_fused,
        "clip_norm": supports_clip,
    },
    "updates": {"update": supports_update},
}
"""A dictionary from modules to the ops of their kernels, with the check of each kernel's calls."""


def imported(module: str, op: str) -> Callable[..., Any]:
    """Return a function that imports the kernel of an op at its first call, and runs it."""
    kernel: Callable[..., Any] | None = None

    def run(*arguments: Any) -> Any:
        nonlocal kernel
        if kernel is None:
            kernel = getattr(import_module(f".{module}", __package__), op)
        return kernel(*arguments)

    run.__name__ = op
    return run


def all_kernels() -> list[Kernel]:
    """Return every kernel of this package."""
    return [
        Kernel(op, "cuda", imported(module, op), check)
        for module, ops in TABLE.items()
        for op, check in ops.items()
    ]
