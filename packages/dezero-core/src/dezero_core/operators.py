"""The operators and methods of Variable, one line each, bound here to keep `variable` free of ops.

Comparisons have no derivative: they give plain arrays of bools. Type checkers read the signatures
in the class.
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
from .functions.shape import reshape, transpose
from .graph import unchain_backward
from .variable import Variable
from .variable_hooks import register_hook


def _transpose(x: Variable, *axes: Any) -> Variable:
    """``x.transpose()``, ``x.transpose(1, 0)`` and ``x.transpose((1, 0))``, as in NumPy."""
    return transpose(x, _unpacked(axes) if axes else None)


def _rows(x: Variable) -> Iterator[Variable]:
    """Yield ``x[0]``, ``x[1]``, ...: separate calls, so that each can have its own backward."""
    if x.ndim == 0:
        raise TypeError("iteration over a Variable without axes: it has no rows")
    return (x[i] for i in range(len(x)))


def _reshaped(x: Variable, *lengths: Any, shape: Any = None) -> Variable:
    """``x.reshape(2, 3)``, ``x.reshape((2, 3))`` and ``x.reshape(shape=(2, 3))``, as in NumPy."""
    return reshape(x, _unpacked(lengths) if lengths else shape)


def _transposed(x: Variable) -> Variable:
    """``x.T``; a Parameter that waits for its data has no such attribute."""
    if x.data is None:
        raise AttributeError("T: this Variable has no data yet")
    return transpose(x)


def _unpacked(lengths: tuple[Any, ...]) -> Any:
    """``f(2, 3)``, ``f((2, 3))`` and ``f(None)`` name the same thing."""
    return lengths[0] if len(lengths) == 1 else lengths


Variable.__add__ = add
Variable.__radd__ = lambda x1, x0: add(x0, x1)
Variable.__sub__ = sub
Variable.__rsub__ = lambda x1, x0: sub(x0, x1)
Variable.__mul__ = mul
Variable.__rmul__ = lambda x1, x0: mul(x0, x1)
Variable.__truediv__ = div
Variable.__rtruediv__ = lambda x1, x0: div(x0, x1)
Variable.__pow__ = pow
Variable.__rpow__ = lambda x1, x0: pow(x0, x1)
Variable.__matmul__ = matmul
Variable.__rmatmul__ = lambda x1, x0: matmul(x0, x1)
Variable.__neg__ = neg
Variable.__pos__ = pos
Variable.__abs__ = abs
Variable.__getitem__ = get_item
Variable.__iter__ = _rows
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
Variable.reshape = _reshaped
Variable.sum = sum
Variable.mean = mean
Variable.max = max
Variable.min = min
Variable.transpose = _transpose
Variable.T = property(_transposed)
