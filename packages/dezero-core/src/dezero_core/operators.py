"""Bind operators and methods to Variable here, so that the module `variable` imports no op.

Comparisons have no derivative, so they return boolean arrays. Type checkers read the
signatures at the end of the class Variable.
"""

# mypy: disable-error-code="assignment, method-assign, misc"

from __future__ import annotations

from collections.abc import Iterator
from operator import eq, ge, gt, le, lt, ne
from typing import Any

from .backward import backward
from .functions.arithmetic import abs, add, div, mul, neg, pos, pow, sub
from .functions.comparison import compare
from .functions.indexing import get_item
from .functions.linalg import matmul
from .functions.reduction import max, mean, min, sum
from .functions.rounding import floor_divide, remainder
from .functions.shape import reshape, transpose
from .graph import unchain_backward
from .variable import Lengths, Variable
from .variable_hooks import register_hook


def iterate(x: Variable) -> Iterator[Variable]:
    """Yield ``x[0]``, ``x[1]``, ...; each is a separate call with its own backward."""
    if x.ndim == 0:
        raise TypeError("iteration over a Variable without axes: it has no rows")
    return (x[i] for i in range(len(x)))


def reshape_to(x: Variable, *lengths: Lengths, shape: Lengths | None = None) -> Variable:
    """Return ``x`` with a new shape, given as ``2, 3``, as ``(2, 3)`` or as ``shape=(2, 3)``."""
    lengths_or_shape: Any = unpacked(lengths) if lengths else shape
    return reshape(x, lengths_or_shape)


def transpose_axes(x: Variable, *axes: Lengths | None) -> Variable:
    """Return ``x`` with permuted axes, given as ``1, 0`` or as ``(1, 0)``; reversed by default."""
    return transpose(x, unpacked(axes) if axes else None)


def transposed(x: Variable) -> Variable:
    """Return ``x`` with its axes reversed; raise AttributeError if ``x`` has no data yet."""
    if x.data is None:
        raise AttributeError("T: this Variable has no data yet")
    return transpose(x)


def unpacked(lengths: tuple[Any, ...]) -> Any:
    """Return the only element of a tuple, else the tuple, so ``f(2, 3)`` means ``f((2, 3))``."""
    return lengths[0] if len(lengths) == 1 else lengths


Variable.__add__ = add
Variable.__radd__ = lambda x1, x0: add(x0, x1)
Variable.__sub__ = sub
Variable.__rsub__ = lambda x1, x0: sub(x0, x1)
Variable.__mul__ = mul
Variable.__rmul__ = lambda x1, x0: mul(x0, x1)
Variable.__truediv__ = div
Variable.__rtruediv__ = lambda x1, x0: div(x0, x1)
Variable.__floordiv__ = floor_divide
Variable.__rfloordiv__ = lambda x1, x0: floor_divide(x0, x1)
Variable.__mod__ = remainder
Variable.__rmod__ = lambda x1, x0: remainder(x0, x1)
Variable.__divmod__ = lambda x0, x1: (floor_divide(x0, x1), remainder(x0, x1))
Variable.__rdivmod__ = lambda x1, x0: (floor_divide(x0, x1), remainder(x0, x1))
Variable.__pow__ = pow
Variable.__rpow__ = lambda x1, x0: pow(x0, x1)
Variable.__matmul__ = matmul
Variable.__rmatmul__ = lambda x1, x0: matmul(x0, x1)
Variable.__neg__ = neg
Variable.__pos__ = pos
Variable.__abs__ = abs
Variable.__getitem__ = get_item
Variable.__iter__ = iterate
Variable.__eq__ = lambda x0, x1: compare(eq, x0, x1)
Variable.__ne__ = lambda x0, x1: compare(ne, x0, x1)
Variable.__lt__ = lambda x0, x1: compare(lt, x0, x1)
Variable.__le__ = lambda x0, x1: compare(le, x0, x1)
Variable.__gt__ = lambda x0, x1: compare(gt, x0, x1)
Variable.__ge__ = lambda x0, x1: compare(ge, x0, x1)

Variable.backward = backward
Variable.unchain_backward = unchain_backward
Variable.register_hook = register_hook
Variable.matmul = matmul
Variable.dot = matmul
Variable.reshape = reshape_to
Variable.sum = sum
Variable.mean = mean
Variable.max = max
Variable.min = min
Variable.transpose = transpose_axes
Variable.T = property(transposed)
