"""Check the arguments that all losses share, and reduce the losses of elements to one number."""

from __future__ import annotations

from collections.abc import Callable
from reprlib import repr as shortened
from typing import Any

from dezero_core import Variable, as_variable
from dezero_core.arguments import as_number
from dezero_core.diagnosis import broadcast_shape
from dezero_core.dtypes import as_floating, call_widened
from dezero_core.errors import ArgumentError, ShapeError
from dezero_core.extend import backend_of
from dezero_core.functions import astype, broadcast_to, mean, sum
from dezero_core.variable import Operand

from .labels import require_library

REDUCTIONS = "mean", "sum", "none"
"""The values of the argument ``reduction`` of a loss."""


def require_reduction(op: str, reduction: object, allowed: tuple[str, ...] = REDUCTIONS) -> None:
    """Raise `ArgumentError` unless ``reduction`` is one of the allowed words."""
    if not isinstance(reduction, str) or reduction not in allowed:
        words = ", ".join(map(repr, allowed))
        raise ArgumentError(f"{op}: reduction {shortened(reduction)}: expected one of {words}")


def reduced(op: str, losses: Variable, reduction: str) -> Variable:
    """Return the mean of ``losses``, their sum, or ``losses`` themselves.

    Args:
        op: the name of the loss, for error messages.
        losses: the loss of each element, any shape.
        reduction: ``"mean"`` (over all elements), ``"sum"`` or ``"none"``.

    Raises:
        ShapeError: there are no elements to average.
    """
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


def loss_of_alike(
    op: str,
    losses: Callable[..., Variable],
    reduction: str,
    *xs: Operand,
    allowed: tuple[str, ...] = REDUCTIONS,
) -> Any:
    """Return the mean or sum of ``losses(*xs)``, computed in at least single precision.

    Args:
        op: the name of the loss, for error messages.
        losses: a function that returns the loss of each element.
        reduction: see `reduced`.
        *xs: arrays of equal shapes; see `alike_floats`.
        allowed: the words to show in the error for an unknown ``reduction``.
    """
    require_reduction(op, reduction, allowed)
    return call_widened(lambda *xs: reduced(op, losses(*xs), reduction), *alike_floats(op, *xs))


def in_shape_of(op: str, name: str, value: Operand, x: Variable) -> Variable:
    """Return an argument of a loss, such as weights, in the dtype and shape of ``x``.

    Raises:
        ShapeError: ``value`` does not broadcast to ``x``.
        BackendMismatch: ``value`` and ``x`` are arrays of different libraries.
    """
    if isinstance(value, int | float):
        value = backend_of(x.data).scalar_like(value, x.data)
    array = as_variable(value)
    require_library(op, name, array.data, x.data)
    if broadcast_shape(array.shape, x.shape) != tuple(x.shape):
        raise ShapeError(
            f"{op}: {name} {tuple(array.shape)} does not broadcast to x {tuple(x.shape)}"
        )
    return broadcast_to(array if array.dtype == x.dtype else astype(array, x.dtype), x.shape)


def as_positive(op: str, name: str, value: object) -> float:
    """Return a positive number; any other number raises `ArgumentError`."""
    number = as_number(op, name, value)
    if not number > 0:
        raise ArgumentError(f"{op}: {name} {number}: expected a positive number")
    return number
