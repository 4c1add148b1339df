"""Bind operators and methods to Variable here, so that the module `variable` imports no op.

Comparisons have no derivative, so they return boolean arrays. Type checkers read the
signatures at the end of the class Variable.
"""

# mypy: disable-error-code="assignment, method-assign, misc"

from __future__ import annotations

from collections.abc import Callable, Iterator
from operator import eq, ge, gt, le, lt, ne
from typing import Any, NoReturn

from . import functions
from .backward import backward
from .errors import ArgumentTypeError
from .functions.arithmetic import abs, add, div, mul, neg, pos, pow, sub
from .functions.casting import astype
from .functions.comparison import compare
from .functions.cumulative import prod
from .functions.exponential import exp, log, sqrt
from .functions.indexing import get_item
from .functions.linalg import matmul
from .functions.moments import std, var
from .functions.reduction import argmax, argmin, max, mean, min, sum
from .functions.rounding import floor_divide, remainder
from .functions.selection import clip
from .functions.shape import expand_dims, flatten, reshape, squeeze, transpose
from .functions.trigonometric import tanh
from .graph import unchain_backward
from .hints import bind_functions
from .variable import Lengths, Parameter, Variable, no_data
from .variable_hooks import register_hook


def iterate(x: Variable) -> Iterator[Variable]:
    """Yield ``x[0]``, ``x[1]``, ...; each is a separate call with its own backward."""
    if x.ndim == 0:
        raise TypeError("iteration over a Variable without axes: it has no rows")
    return (x[i] for i in range(len(x)))


def reshape_to(x: Variable, *lengths: Lengths, shape: Lengths | None = None) -> Variable:
    """Return ``x`` with a new shape, given as ``2, 3``, as ``(2, 3)`` or as ``shape=(2, 3)``."""
    lengths_or_shape: Any = unpack(lengths) if lengths else shape
    return reshape(x, lengths_or_shape)


def transpose_axes(x: Variable, *axes: Lengths | None) -> Variable:
    """Return ``x`` with permuted axes, given as ``1, 0`` or as ``(1, 0)``; reversed by default."""
    return transpose(x, unpack(axes) if axes else None)


def flatten_from(x: Variable, start_axis: int = 0, end_axis: int = -1) -> Variable:
    """Return ``x`` with the axes from ``start_axis`` to ``end_axis`` joined; by default, all."""
    return flatten(x, start_axis, end_axis)


def transposed(x: Variable) -> Variable:
    """Return ``x`` with its axes reversed; raise AttributeError if ``x`` has no data yet."""
    if x.data is None:
        raise no_data(x, "T")
    return transpose(x)


def unpack(lengths: tuple[Any, ...]) -> Any:
    """Return the only element of a tuple, else the tuple, so ``f(2, 3)`` means ``f((2, 3))``."""
    return lengths[0] if len(lengths) == 1 else lengths


def reflect(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the method that Python calls if only the right operand is a Variable."""
    return lambda x1, x0: function(x0, x1)


def refuse_in_place(x: Parameter, other: object) -> NoReturn:
    """Raise an error for ``x += other``, which would only bind the name to a new Variable."""
    raise ArgumentTypeError("Parameter: += makes a new Variable; write x.data += y, or z = x + y")


OPERATORS = {
    "add": add, "sub": sub, "mul": mul, "truediv": div, "pow": pow, "matmul": matmul,
    "floordiv": floor_divide, "mod": remainder,
    "divmod": lambda x0, x1: (floor_divide(x0, x1), remainder(x0, x1)),
}  # fmt: skip
"""A dictionary from the names of binary operators to the functions that compute them."""

METHODS = (
    abs, argmax, argmin, astype, backward, clip, exp, expand_dims, log, matmul, max, mean, min, pow,
    prod, register_hook, sqrt, squeeze, std, sum, tanh, unchain_backward, var,
)  # fmt: skip
"""The functions that are methods of Variables under the same name."""

for _name, _function in OPERATORS.items():
    setattr(Variable, f"__{_name}__", _function)
    setattr(Variable, f"__r{_name}__", reflect(_function))
    setattr(Parameter, f"__i{_name}__", refuse_in_place)
for _function in METHODS:
    setattr(Variable, _function.__name__, _function)
for _function in (neg, pos, abs):
    setattr(Variable, f"__{_function.__name__}__", _function)
for _op in (eq, ne, lt, le, gt, ge):
    _method = (lambda op: lambda x0, x1: compare(op, x0, x1))(_op)
    setattr(Variable, f"__{_op.__name__}__", _method)

Variable.__getitem__ = get_item
Variable.__iter__ = iterate
Variable.dot = matmul
Variable.flatten, Variable.reshape, Variable.transpose = flatten_from, reshape_to, transpose_axes
for _name in ("flatten", "reshape", "transpose"):
    getattr(Variable, _name).__qualname__ = f"Variable.{_name}"  # the name in Python's errors
    getattr(Variable, _name).__name__ = _name
Variable.T = property(transposed)
bind_functions(functions.__all__, Variable)
