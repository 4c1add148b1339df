"""Register kernels that build one node, or a few nodes, of an ONNX graph.

This module imports neither ndonnx nor spox, because every program that runs a named op calls the
hook `dezero_kernels`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dezero_core import Config
from dezero_core.dtypes import dtype_name
from dezero_core.extend import Kernel


def node(op: str) -> Callable[..., Any]:
    """Return the kernel of an op, which calls the function of this name in `nodes`."""

    def kernel(*arguments: Any) -> Any:
        import ndonnx as ndx
        from onnx.shape_inference import InferenceError

        from . import nodes

        build = getattr(nodes, op)
        try:
            result = build(*[a.unwrap_spox() if isinstance(a, ndx.Array) else a for a in arguments])
        except InferenceError as error:  # DeZero explains only a ValueError
            raise ValueError(str(error)) from error
        parts = result if isinstance(result, tuple) else (result,)
        arrays = tuple(None if part is None else ndx.asarray(part) for part in parts)
        return arrays if isinstance(result, tuple) else arrays[0]

    kernel.__name__ = op
    return kernel


def are_float32(*arguments: Any) -> bool | str:
    """Return True if all arrays are float32 and not empty; onnxruntime has few other kernels."""
    arrays = [a for a in arguments if hasattr(a, "dtype")]
    if any(dtype_name(a.dtype) != "float32" for a in arrays):
        return "an array is not float32"
    return all(0 not in a.shape for a in arrays) or "an array is empty"


def supports_axis(x: Any, axis: Any) -> bool | str:
    """Return whether one node can compute softmax along ``axis``."""
    return are_float32(x) if isinstance(axis, int) else "softmax of ONNX has one axis"


def supports_smooth(x: Any, *settings: Any) -> bool | str:
    """Return whether gelu or silu is needed without its derivative."""
    return are_float32(x) if not settings[-1] else "the derivative is needed"


def supports_shape(cols: Any, shape: Any, *settings: Any) -> bool | str:
    """Return whether one node can compute col2im."""
    return are_float32(cols) and (0 not in shape or "the result is empty")


def supports_transposed(gy: Any, W: Any, shape: Any, params: Any) -> bool | str:
    """Return whether one node can compute a transposed convolution."""
    return are_float32(gy, W) and (0 not in shape or "the result is empty")


def supports_affine(x: Any, gamma: Any, beta: Any, axes: int, eps: float) -> bool | str:
    """Return whether one node can compute layer normalisation."""
    if eps < 1e-12:
        return "ONNX adds eps in float32"
    return are_float32(*[a for a in (x, gamma, beta) if a is not None])


def supports_recurrent(*arguments: Any) -> bool | str:
    """Return whether one node can compute a recurrent op: no backward pass needs a workspace."""
    if Config.enable_backprop:
        return "the backward pass needs a workspace"
    return are_float32(*arguments)


def supports_attention(q: Any, k: Any, v: Any, mask: Any, keep: Any, *settings: Any) -> bool | str:
    """Return whether each query attends to a key, and no backward pass needs a workspace."""
    causal, *_, needs_workspace = settings
    if needs_workspace or keep is not None:
        return "the backward pass needs a workspace"
    if mask is not None or (causal and q.shape[-2] > k.shape[-2]):
        return "a query may attend to no key, and then the softmax of ONNX is NaN"
    return are_float32(q, k, v)


SUPPORTS: dict[str, Callable[..., bool | str]] = {
    "attention": supports_attention,
    "average_pool2d": are_float32,
    "batch_norm_inference": are_float32,
    "col2im": supports_shape,
    "conv2d": are_float32,
    "conv2d_grad_x": supports_transposed,
    "gelu": supports_smooth,
    "gru": supports_recurrent,
    "layer_norm": supports_affine,
    "log_softmax": supports_axis,
    "lstm": supports_recurrent,
    "matmul": are_float32,
    "max_pool2d_values": are_float32,
    "relu": are_float32,
    "sigmoid": are_float32,
    "silu": supports_smooth,
    "softmax": supports_axis,
}
"""A dictionary from the names of ops to functions that return whether their kernel can run."""


def all_kernels() -> list[Kernel]:
    """Return every kernel of this package."""
    return [Kernel(op, "onnx", node(op), supports) for op, supports in SUPPORTS.items()]
