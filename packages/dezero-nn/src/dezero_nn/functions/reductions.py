"""Check the arguments that all losses share, and reduce the losses of elements to one number."""

from __future__ import annotations

from typing import Any

from dezero_core import Variable, as_variable
from dezero_core.dtypes import as_floating
from dezero_core.errors import ArgumentError, ShapeError
from dezero_core.functions import mean, sum
from dezero_core.variable import Operand

REDUCTIONS = "mean", "sum", "none"
"""The values of the argument ``reduction`` of a loss."""


def require_reduction(op: str, reduction: object, allowed: tuple[str, ...] = REDUCTIONS) -> None:
    """Raise `ArgumentError` unless ``reduction`` is one of the allowed words."""
    if reduction not in allowed:
        words = ", ".join(map(repr, allowed))
        raise ArgumentError(f"{op}: reduction {reduction!r}: expected one of {words}")


def reduced(op: str, losses: Variable, reduction: str) -> Variable:
    """Return the mean of ``losses``, their sum, or ``losses`` themselves.

    Args:
        op: the name of the loss, for error messages.
        losses: the loss of each element, any shape.
        reduction: ``"mean"`` (over all elements), ``"sum"`` or ``"none"``.

    Raises:
        ArgumentError: ``reduction`` is another value.
        ShapeError: there are no elements to average.
    """
    require_reduction(op, reduction)
    if reduction == "none":
        return losses
    if reduction == "mean" and losses.size == 0:
        shape = tuple(losses.shape)
        raise ShapeError(f"{op}: shape {shape} has no elements to average; reduction='sum' gives 0")
    return sum(losses) if reduction == "sum" else mean(losses)


def alike_floats(op: str, *xs: Operand) -> list[Any]:
    """Return the arguments of a loss as floating-point Variables, which must have equal shapes.

    Integers are converted to the dtype of the first argument, if that is floating point.

    Raises:
        ShapeError: the shapes differ, even if they would broadcast.
    """
    first = as_variable(as_floating(xs[0]))
    rest = [as_variable(as_floating(as_variable(x), first)) for x in xs[1:]]
    shapes = [tuple(x.shape) for x in (first, *rest)]
    if len(set(shapes)) > 1:
        shown = ", ".join(map(str, shapes))
        raise ShapeError(f"{op}: shapes {shown}: expected equal shapes; reshape or broadcast first")
    return [first, *rest]
