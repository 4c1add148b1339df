"""Add gradients to the ``grad`` of leaves, as unshared arrays in the dtype of the leaf."""

from __future__ import annotations

from typing import Any

from .backends.interface import Array
from .backends.precision import is_floating
from .backends.registry import backend_of
from .function import Function
from .functions.casting import astype
from .variable import AnyArray, Variable, unwrap


def is_shared(gx: Array | Variable, function: Function) -> bool:
    """Return whether the array of ``gx`` is a view, or an attribute of ``function`` holds it."""
    array = unwrap(gx)
    for held in vars(function).values():
        if held is array:
            return True
        if type(held) is tuple or type(held) is list:
            for x in held:
                if x is array or (type(x) is Variable and x.data is array):
                    return True
    return backend_of(array).is_view(array)


def in_dtype_of(x: Variable, g: AnyArray) -> Any:
    """Cast ``g`` to the dtype of ``x``, if ``x`` is floating point."""
    dtype = x.data.dtype
    if g.dtype == dtype or not is_floating(dtype, backend_of(x.data)):
        return g
    return astype(g, dtype)


def accumulate(x: Variable, g: AnyArray) -> None:
    """Add ``g``, an array or a Variable with a graph, to ``x.grad``, but not in place.

    The caller holds the lock `updating`, because other threads may add to the same ``grad``.
    """
    if x._grad is not None:
        g = in_dtype_of(x, (x._grad if isinstance(g, Variable) else x._grad.data) + g)
    x._grad = g if isinstance(g, Variable) else Variable(g, requires_grad=False)
