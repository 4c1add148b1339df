"""The book's ``dezero.utils``: pictures of graphs, checks of gradients, files, sizes.

``cache_dir`` is the folder that `get_file` downloads to, looked up when it is read.
"""

from __future__ import annotations

from typing import Any

from dezero_core import functions as F
from dezero_core import get_dot_graph, plot_dot_graph
from dezero_core.extend import unwrap
from dezero_core.functions.reduction import kept_shape
from dezero_core.testing import array_allclose, array_equal, gradient_check, numerical_grad
from dezero_io.data.download import cache_folder, get_file, show_progress
from dezero_nn import get_conv_outsize, get_deconv_outsize, pair

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
    "pair",
    "plot_dot_graph",
    "reshape_sum_backward",
    "show_progress",
    "sum_to",
]


def sum_to(x: Any, shape: tuple[int, ...]) -> Any:
    """An array summed to ``shape``, the reverse of a broadcast."""
    return unwrap(F.sum_to(x, shape))


def logsumexp(x: Any, axis: int = 1) -> Any:
    """The logarithm of the sum of exp along an axis, which stays with length 1; of arrays."""
    return unwrap(F.logsumexp(x, axis, keepdims=True))


def reshape_sum_backward(gy: Any, x_shape: Any, axis: Any, keepdims: bool) -> Any:
    """The gradient of a sum over axes, in a shape that broadcasts to ``x_shape``."""
    return gy.reshape(kept_shape(tuple(x_shape), axis))


def max_backward_shape(x: Any, axis: Any) -> tuple[int, ...]:
    """The shape of ``x`` with reduced axes at length 1."""
    return kept_shape(tuple(x.shape), axis)


def __getattr__(name: str) -> Any:
    if name == "cache_dir":
        return str(cache_folder())
    raise AttributeError(f"module 'dezero.utils' has no attribute {name!r}")
