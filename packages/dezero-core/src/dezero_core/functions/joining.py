"""Several arrays as one."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

from ..arguments import as_axis
from ..diagnosis import positions_of, shape_of
from ..errors import ArgumentError, ShapeError
from ..function import Function
from ..hints import hinted
from ..variable import Variable, get_array_module
from .indexing import get_item
from .shape import expand_dims, reshape


class Concat(Function):
    """y = the inputs one after another along an axis;  each gets its part of the gradient."""

    def __init__(self, axis: int) -> None:
        self.axis = axis

    def forward(self, *xs: Any) -> Any:
        xp = get_array_module(xs[0])
        return xp.concat(xs, axis=self.axis)

    def backward(self, gy: Any) -> Any:
        lengths = [x.shape[self.axis] for x in self.inputs]
        axis = self.axis % gy.ndim
        return tuple(
            get_item(gy, (slice(None),) * axis + (slice(stop - length, stop),)) if need else None
            for length, stop, need in zip(
                lengths, accumulate(lengths), self.needs_grad, strict=True
            )
        )

    def diagnose(self, *arrays: Any) -> None:
        shapes = [list(shape_of(x)) for x in arrays]
        axes = positions_of(self.axis, len(shapes[0]))
        if axes is not None and len({len(shape) for shape in shapes}) == 1:
            for shape in shapes:
                shape[axes[0]] = 0  # any length
        if axes is None or any(shape != shapes[0] for shape in shapes):
            raise ShapeError(
                f"Concat: shapes {', '.join(str(shape_of(x)) for x in arrays)} along axis "
                f"{self.axis}: all other axes must be equal"
            )


@hinted
def concat(xs: Sequence[Any], axis: int | None = 0) -> Variable:
    """Return the arrays ``xs`` joined along an axis they have.

    Args:
        xs: at least one; their shapes differ in ``axis`` only.
        axis: negative ones count from the end; None flattens the arrays first.

    Raises:
        ArgumentError: ``xs`` is empty.
        ArgumentTypeError: ``axis`` is not an integer.
        ShapeError: the shapes do not fit together.
    """
    xs = list(xs)
    if not xs:
        raise ArgumentError("concat: nothing to join; expected at least one array")
    if axis is None:
        return Concat(0)(*[reshape(x, (-1,)) for x in xs])
    return Concat(as_axis("concat", axis))(*xs)


@hinted
def stack(xs: Sequence[Any], axis: int = 0) -> Variable:
    """Return the arrays ``xs``, all of one shape, joined along a new axis.

    Raises:
        ArgumentError: ``xs`` is empty.
        ArgumentTypeError: ``axis`` is not an integer.
        ShapeError: the shapes differ.
    """
    axis = as_axis("stack", axis)
    return concat([expand_dims(x, axis) for x in xs], axis)
