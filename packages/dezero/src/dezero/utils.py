"""Provide the book's ``dezero.utils``: drawings of graphs, gradient checks and downloads.

The names of ``torch.nn.utils`` are here too.

``cache_dir`` is the folder that `get_file` downloads to, determined at each access.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from dezero_core import Variable, get_dot_graph, plot_dot_graph, using_config
from dezero_core import functions as F
from dezero_core.arguments import Axis
from dezero_core.extend import Array, backend_of, unwrap
from dezero_core.functions.reduction import kept_shape
from dezero_core.hints import hinting
from dezero_core.variable import Operand, Scalar
from dezero_io.data.download import cache_folder, get_file, show_progress
from dezero_nn import get_conv_outsize, get_deconv_outsize, pair
from dezero_nn.hints import UTILS
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


def numerical_grad(
    f: Callable[..., Any], x: Array | Variable, *args: Any, eps: float = 1e-4, **kwargs: Any
) -> Any:
    """Return the derivative of the sum of ``f(x)`` by central differences (book step 10).

    Args:
        f: a function of an array, ``args`` and ``kwargs``; returns an array or a Variable.
        x: the point, a Variable or an array; it does not change.
        eps: step of the central differences (default 1e-4).

    Returns:
        a NumPy array of float64, with the shape of ``x``.
    """
    library, point = backend_of(unwrap(x)), _on_host(x).astype(np.float64)

    def total(index: tuple[int, ...], step: float) -> Any:
        moved = point.copy()
        moved[index] += step
        return np.sum(_on_host(f(library.from_numpy(moved), *args, **kwargs)))

    gradient = np.zeros_like(point)
    with using_config("update_buffers", False):
        for index in np.ndindex(point.shape):
            gradient[index] = (total(index, eps) - total(index, -eps)) / (2 * eps)
    return gradient


def gradient_check(
    f: Callable[..., Any],
    x: Array | Variable,
    *args: Any,
    rtol: float = 1e-4,
    atol: float = 1e-5,
    **kwargs: Any,
) -> bool:
    """Return whether backward and central differences give equal gradients (book step 10).

    Args:
        f: a function of a Variable, ``args`` and ``kwargs``; returns a Variable.
        x: the point, a Variable or an array; it does not change.
        rtol, atol: relative and absolute tolerance (default 1e-4 and 1e-5).
    """
    point = _on_host(x).astype(np.float64)
    variable = Variable(backend_of(unwrap(x)).from_numpy(point))
    with using_config("update_buffers", False):
        f(variable, *args, **kwargs).backward()
    found = 0.0 if variable.grad is None else _on_host(variable.grad)
    numeric = numerical_grad(f, variable, *args, **kwargs)
    return bool(np.allclose(found, numeric, rtol, atol))


def array_equal(a: Operand, b: Operand) -> bool:
    """Return whether two arrays or Variables have the same shape and elements."""
    return bool(np.array_equal(_on_host(a), _on_host(b)))


def array_allclose(a: Operand, b: Operand, rtol: float = 1e-4, atol: float = 1e-5) -> bool:
    """Return whether the elements of two arrays or Variables agree within a tolerance."""
    return bool(np.allclose(_on_host(a), _on_host(b), rtol, atol))


def _on_host(x: Operand) -> Any:
    """Return a Variable or array as a NumPy array, and a scalar as it is."""
    return x if isinstance(x, Scalar) else backend_of(unwrap(x)).to_numpy(unwrap(x))


_missing = hinting(__name__, UTILS)


def __getattr__(name: str) -> Any:
    return str(cache_folder()) if name == "cache_dir" else _missing(name)
