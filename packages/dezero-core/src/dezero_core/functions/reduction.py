"""Sums over axes."""

from __future__ import annotations

from typing import Any

from ..errors import ShapeError
from ..function import Function
from ..variable import Variable, get_array_module
from .broadcast import broadcast_to
from .shape import reshape

Axis = int | tuple[int, ...] | None


class Sum(Function):
    """y = sum of x over axes;  every element summed gets the gradient of its sum."""

    def __init__(self, axis: Axis, keepdims: bool) -> None:
        self.axis, self.keepdims = axis, keepdims

    def forward(self, x: Any) -> Any:
        xp = get_array_module(x)
        return xp.sum(x, axis=self.axis, keepdims=self.keepdims)

    def backward(self, gy: Any) -> Any:
        (x,) = self.inputs
        return broadcast_to(reshape(gy, kept_shape(x.shape, self.axis)), x.shape)

    def diagnose(self, *arrays: Any) -> None:
        (x,) = arrays
        raise ShapeError(f"Sum: axis {self.axis} for shape {tuple(x.shape)}")


def sum(x: Any, axis: Axis = None, keepdims: bool = False) -> Variable:
    """Return the sum of ``x`` over ``axis`` (book step 39).

    Args:
        x: any shape; float dtypes are kept, others add up as in NumPy.
        axis: one axis or several, negative ones from the end; None for all.
        keepdims: leave summed axes in place with length 1.

    Raises:
        ShapeError: an axis is out of range.
    """
    return Sum(axis, keepdims)(x)


def kept_shape(shape: tuple[int, ...], axis: Axis) -> tuple[int, ...]:
    """``shape`` with the reduced axes at length 1, as ``keepdims=True`` would leave it."""
    reduced = range(len(shape)) if axis is None else (axis,) if isinstance(axis, int) else axis
    ones = {a % len(shape) for a in reduced} if shape else set()
    return tuple(1 if a in ones else length for a, length in enumerate(shape))
