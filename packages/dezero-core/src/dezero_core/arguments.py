"""Convert integer, shape, axis and scalar arguments from every form that NumPy accepts.

When an op is called, it converts each argument once with these functions. All later code gets
Python numbers and tuples of Python numbers, which do not change the dtype of an array.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from numbers import Integral, Real
from operator import index
from reprlib import repr as shortened
from typing import Any, SupportsIndex, TypeGuard

from .errors import ArgumentError, ArgumentTypeError, ShapeError

Axis = int | tuple[int, ...] | None
"""An axis, a tuple of axes, or None for all axes."""
MIN, MAX = -(2**63), 2**63 - 1
"""The smallest and the largest integer that arrays hold."""
AxisLike = SupportsIndex | Sequence[SupportsIndex] | None
"""The type of an argument that `as_axes` converts to `Axis`; integer arrays are also accepted."""


def as_integer(op: str, name: str, value: object, minimum: int = MIN, maximum: int = MAX) -> int:
    """Return ``value`` as an int.

    Args:
        op: the name of the op or layer, for the error message.
        name: the name of the parameter, for the error message.
        value: an int, a NumPy integer, or a 0-d integer array or Variable.
        minimum, maximum: the range of values allowed.

    Raises:
        ArgumentTypeError: ``value`` is not an integer. Floats and bools also raise this error.
        ArgumentError: ``value`` is below ``minimum`` or above ``maximum``.
    """
    if type(value) is not int:
        try:
            if type(value).__name__ == "bool":  # a bool of Python or NumPy
                raise TypeError
            value = index(value)  # type: ignore[arg-type]
        except TypeError:
            raise ArgumentTypeError(
                f"{op}: {name} {shortened(value)} ({type(value).__name__}): expected an integer"
                + ("; int() converts it" if isinstance(value, float) else "")
            ) from None
    if not minimum <= value <= maximum:
        limit = f"below {minimum}" if value < minimum else f"above {maximum}"
        raise ArgumentError(f"{op}: {name} {value} is {limit}")
    return int(value)


def as_integers(op: str, name: str, values: object) -> tuple[int, ...]:
    """Return ``values`` as a tuple of ints; an integer gives a tuple of length 1.

    Args:
        op, name: as for `as_integer`.
        values: an integer, or a list, tuple, range or one-dimensional array of integers.

    Raises:
        ArgumentTypeError: ``values`` is not an integer or a sequence of integers.
    """
    items: Any = values if is_sequence(values) else (values,)
    return tuple([n if type(n) is int and abs(n) < MAX else as_integer(op, name, n) for n in items])


def is_sequence(values: object) -> TypeGuard[Iterable[Any]]:
    """Return whether ``values`` is a list, a tuple, a range, or an array that is not 0-d."""
    return isinstance(values, list | tuple | range) or getattr(values, "ndim", 0) > 0


def as_shape(op: str, shape: object, name: str = "shape") -> tuple[int, ...]:
    """Return ``shape`` as a tuple of ints, unchanged if it is one already; see `as_integers`."""
    if type(shape) is tuple:
        for length in shape:
            if type(length) is not int:
                break
        else:
            return shape
    return as_integers(op, name, shape)


def require_bool(op: str, name: str, value: object, advice: str = "") -> None:
    """Raise `ArgumentTypeError` unless ``value`` is a bool of Python or NumPy."""
    if not isinstance(value, bool) and type(value).__name__ != "bool":
        if name == "keepdims":  # ``sum(0, 1)`` may mean two axes
            advice = "; pass several axes as a tuple, such as axis=(0, 1)"
        what = f"{op}: {name} {shortened(value)} ({type(value).__name__})"
        raise ArgumentTypeError(f"{what}: expected True or False{advice}")


def as_axes(op: str, axis: object, keepdims: object = False) -> Axis:
    """Return ``axis`` as an int, a tuple of ints, or None.

    Args:
        op: the name of the op, for the error message.
        axis: None, an integer, or a list, tuple or one-dimensional array of integers.
        keepdims: the argument of a reduction, which must be a bool.

    Raises:
        ArgumentTypeError: ``axis`` is not None, an integer or a sequence of integers; or
            ``keepdims`` is not a bool.
    """
    if keepdims is not False:
        require_bool(op, "keepdims", keepdims)
    if axis is None or type(axis) is int:
        return axis
    return as_shape(op, axis, "axis") if is_sequence(axis) else as_integer(op, "axis", axis)


def normalize_axes(op: str, axis: Axis, ndim: int) -> tuple[int, ...]:
    """Return ``axis`` as a tuple of integers in [0, ``ndim``); None means all axes.

    Raises:
        ShapeError: an axis is out of range or repeated.
    """
    if axis is None:
        return tuple(range(ndim))
    axes = (axis,) if isinstance(axis, int) else axis
    for a in axes:
        if not -ndim <= a < ndim:
            raise ShapeError(
                f"{op}: axis {a} does not exist: there are {ndim} axes; expected an axis in "
                f"[{-ndim}, {ndim})"
            )
    positive = tuple([a % ndim for a in axes])
    if len(set(positive)) < len(positive):
        raise ShapeError(f"{op}: axis {axis} names an axis twice")
    return positive


def as_number(op: str, name: str, value: Any) -> float:
    """Return a factor, rate or bound as a Python number, so that array dtypes do not change.

    Args:
        op, name: as for `as_integer`.
        value: a real number of Python or NumPy, or a 0-d array that holds one.

    Raises:
        ArgumentTypeError: ``value`` is not a real number. Bools and Variables also raise this
            error; converting a Variable would lose its graph.
    """
    if type(value) is float or type(value) is int:
        return value
    has_graph = hasattr(value, "requires_grad")
    has_no_axes = isinstance(value, Real) or getattr(value, "shape", None) == ()
    try:
        if has_graph or not has_no_axes or type(value).__name__ == "bool":
            raise TypeError
        return index(value) if isinstance(value, Integral) else float(value)
    except (TypeError, ValueError):
        raise ArgumentTypeError(
            f"{op}: {name} {shortened(value)} ({type(value).__name__}): expected a number"
            + ("; float() converts it without its graph" if has_graph else "")
        ) from None
