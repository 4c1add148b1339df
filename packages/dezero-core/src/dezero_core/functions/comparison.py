"""Compare arrays elementwise. A comparison returns a plain boolean array without a gradient."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from numbers import Number
from typing import Any, TypeGuard

from ..backends.interface import Array
from ..backends.registry import backend_of
from ..diagnosis import broadcast_shape, shape_of
from ..errors import ShapeError
from ..function import Function
from ..variable import Variable, unwrap

SYMBOLS = {
    operator.eq: "==",
    operator.ne: "!=",
    operator.lt: "<",
    operator.le: "<=",
    operator.gt: ">",
    operator.ge: ">=",
}
Comparison = Callable[[Any, Any], Any]
"""A comparison function of the module ``operator``, such as ``operator.lt``."""


class Compare(Function):
    """y = comparison(x0, x1), elementwise."""

    broadcasts = True

    def __init__(self, comparison: Comparison) -> None:
        self.comparison = comparison

    def forward(self, x0: Array, x1: Array) -> Array:
        return self.comparison(x0, x1)

    def diagnose(self, *arrays: Array) -> None:
        shapes = [shape_of(x) for x in arrays]
        if broadcast_shape(*shapes) is None:
            raise ShapeError(
                f"Compare: shapes {shapes[0]} {SYMBOLS[self.comparison]} {shapes[1]} do not "
                "broadcast; axes are matched from the last, and must be equal or 1; to find a "
                "Variable in a list, compare with `is`"
            )


def compare(comparison: Comparison, x0: Variable, x1: object) -> Any:
    """Return ``comparison(x0, x1)`` elementwise, as a plain boolean array.

    Args:
        comparison: ``operator.lt``, ``operator.eq``, ...
        x0: a Variable of any shape.
        x1: a Variable, an array or a number; lists and other sequences become an array.

    Returns:
        A boolean array. If ``x1`` has an unsupported type, such as None or a string, or if ``==``
        or ``!=`` compares a Variable whose ``data`` is None, the result is ``NotImplemented``. If
        the result is ``NotImplemented``, Python calls the reflected method of ``x1``. If the
        reflected method returns ``NotImplemented`` too, ``==`` and ``!=`` compare identity, and
        ``<``, ``<=``, ``>`` and ``>=`` raise TypeError.

    Raises:
        ShapeError: the shapes do not broadcast.
        BackendMismatch: the arrays are of different libraries or devices.
        UnsupportedType: ``x1`` holds something other than real numbers or bools.
    """
    is_equality = comparison is operator.eq or comparison is operator.ne
    if not holds_numbers(x1) or (is_equality and (x0.data is None or unwrap(x1) is None)):
        return NotImplemented
    operand: Any = backend_of(x0.data).asarray(list(x1)) if is_plain_sequence(x1) else x1
    return unwrap(Compare(comparison)(x0, operand))


def holds_numbers(x: object) -> bool:
    """Return whether ``x`` is a number, an array or a sequence, without checking its elements."""
    if isinstance(x, Variable | Number) or is_plain_sequence(x):
        return True
    return hasattr(type(x), "dtype") or hasattr(type(x), "__array__")


def is_plain_sequence(x: object) -> TypeGuard[Sequence[Any]]:
    """Return whether ``x`` is a sequence such as a list, but not a string."""
    return isinstance(x, Sequence) and not isinstance(x, str | bytes | bytearray)
