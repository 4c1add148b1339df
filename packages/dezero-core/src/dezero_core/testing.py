"""Compare gradients with central differences, and arrays with each other (book step 10).

`dezero_testing.gradients` also checks higher derivatives.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .backends.host import HostArray
from .backends.interface import Array
from .backends.registry import backend_of
from .config import using_config
from .variable import Operand, Scalar, Variable, unwrap


def central_differences(f: Callable[[HostArray], float], x: HostArray, eps: float) -> HostArray:
    """Return the derivative of ``f``, which returns a number, for each element of ``x``."""
    numeric = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        values = []
        for step in (eps, -eps):
            moved = x.copy()
            moved[index] += step
            values.append(f(moved))
        numeric[index] = (values[0] - values[1]) / (2 * eps)
    return numeric


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
    library = backend_of(unwrap(x))

    def total(point: HostArray) -> Any:
        return np.sum(_on_host(f(library.from_numpy(point), *args, **kwargs)))

    with using_config("update_buffers", False):
        return central_differences(total, _on_host(x).astype(np.float64), eps)


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
