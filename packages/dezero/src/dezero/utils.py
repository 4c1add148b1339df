"""Provide the book's ``dezero.utils``: drawings of graphs, gradient checks and downloads.

The names of ``torch.nn.utils`` are here too.

``cache_dir`` is the folder that `get_file` downloads to, determined at each access.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dezero_core import Variable, get_dot_graph, plot_dot_graph
from dezero_core import functions as F
from dezero_core.arguments import Axis
from dezero_core.extend import Array, unwrap
from dezero_core.functions.reduction import kept_shape
from dezero_core.testing import array_allclose, array_equal, gradient_check, numerical_grad
from dezero_io.data.download import cache_folder, get_file, show_progress
from dezero_nn import get_conv_outsize, get_deconv_outsize, pair
from dezero_nn.utils import (
    pad_sequence,
    parameters_to_vector,
    spectral_norm,
    vector_to_parameters,
    weight_norm,
)

__all__ = [
    "array_allclose",
    "array_equal",
    "get_conv_outsize",
    "get_deconv_outsize",
    "get_dot_graph",
    "get_file",
    "gradient_check",
    "logsumexp",
    "max_backward_shape",
    "numerical_grad",
    "pad_sequence",
    "pair",
    "parameters_to_vector",
    "plot_dot_graph",
    "reshape_sum_backward",
    "show_progress",
    "spectral_norm",
    "sum_to",
    "vector_to_parameters",
    "weight_norm",
]


def sum_to(x: Array, shape: tuple[int, ...]) -> Array:
    """Sum an array to ``shape``, the reverse of a broadcast."""
    return unwrap(F.sum_to(x, shape))


def logsumexp(x: Array, axis: int = 1) -> Array:
    """Return log(sum(exp(x))) along an axis of an array; keep that axis with length 1."""
    return unwrap(F.logsumexp(x, axis, keepdims=True))


def reshape_sum_backward(
    gy: Variable, x_shape: Sequence[int], axis: Axis, keepdims: bool
) -> Variable:
    """Reshape the gradient of a sum over axes, so that it broadcasts to ``x_shape``."""
    return gy.reshape(kept_shape(tuple(x_shape), axis))


def max_backward_shape(x: Array | Variable, axis: Axis) -> tuple[int, ...]:
    """Return the shape of the maximum of ``x`` over ``axis`` with ``keepdims=True``."""
    return kept_shape(tuple(x.shape), axis)


def __getattr__(name: str) -> Any:
    if name == "cache_dir":
        return str(cache_folder())
    raise AttributeError(f"module 'dezero.utils' has no attribute {name!r}")
