"""Join arrays into one array, and split an array into parts."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

from ..arguments import as_integer
from ..backends.interface import Array
from ..diagnosis import positions_of, require_axes, shape_of
from ..errors import ArgumentError, ShapeError
from ..function import Function
from ..hints import hinted
from ..variable import Operand, Variable, as_array, get_array_module, unwrap
from .indexing import get_item
from .shape import reshape


class Concat(Function):
    """Join the inputs along an axis;  the gradient of each input is a slice of gy."""

    def __init__(self, axis: int) -> None:
        self.axis = axis

    def forward(self, *xs: Array) -> Array:
        xp = get_array_module(xs[0])
        return xp.concat(xs, axis=self.axis)

    def backward(self, gy: Array | Variable) -> Any:
        lengths = [x.shape[self.axis] for x in self.inputs]
        axis = self.axis % gy.ndim
        return tuple(
            get_item(gy, (slice(None),) * axis + (slice(stop - length, stop),)) if need else None
            for length, stop, need in zip(
                lengths, accumulate(lengths), self.needs_grad, strict=True
            )
        )

    def diagnose(self, *arrays: Array) -> None:
        shapes = [list(shape_of(x)) for x in arrays]
        axes = positions_of(self.axis, len(shapes[0]))
        if axes is not None and len({len(shape) for shape in shapes}) == 1:
            for shape in shapes:
                shape[axes[0]] = 0  # lengths along this axis may differ
        if axes is None or any(shape != shapes[0] for shape in shapes):
            raise ShapeError(
                f"Concat: shapes {', '.join(str(shape_of(x)) for x in arrays)} along axis "
                f"{self.axis}: all other axes must be equal"
            )


@hinted
def concat(xs: Sequence[Operand], axis: int | None = 0) -> Variable:
    """Return the arrays ``xs`` joined along an existing axis.

    Args:
        xs: one or more arrays, whose shapes may differ in ``axis`` only.
        axis: the axis; negative values count from the end; None flattens the arrays first.

    Raises:
        ArgumentError: ``xs`` is empty.
        ArgumentTypeError: ``axis`` is not an integer.
        ShapeError: the shapes differ in an axis other than ``axis``, or ``axis`` is out of range.
    """
    xs = list(xs)
    if not xs:
        raise ArgumentError("concat: nothing to join; expected at least one array")
    if axis is None:
        return Concat(0)(*[reshape(x, (-1,)) for x in xs])
    return Concat(as_integer("concat", "axis", axis))(*xs)


class Stack(Function):
    """Join the inputs along a new axis;  the gradient of each input is a slice of gy."""

    def __init__(self, axis: int) -> None:
        self.axis = axis

    def forward(self, *xs: Array) -> Array:
        return get_array_module(xs[0]).stack(xs, axis=self.axis)

    def backward(self, gy: Array | Variable) -> Any:
        gxs = unstack(gy, self.axis)
        return tuple([gx if need else None for gx, need in zip(gxs, self.needs_grad, strict=True)])

    def diagnose(self, *arrays: Array) -> None:
        shapes = [shape_of(x) for x in arrays]
        if any(shape != shapes[0] for shape in shapes):
            raise ShapeError(
                f"Stack: shapes {', '.join(map(str, shapes))}: all must be equal; concat() joins "
                "arrays along an existing axis"
            )
        require_axes(self, self.axis, (1, *shapes[0]), elements=False)


@hinted
def stack(xs: Sequence[Operand], axis: int = 0) -> Variable:
    """Return the arrays ``xs`` joined along a new axis.

    Args:
        xs: one or more arrays of the same shape.
        axis: the position of the new axis in the result; negative values count from the end.

    Raises:
        ArgumentError: ``xs`` is empty.
        ArgumentTypeError: ``axis`` is not an integer.
        ShapeError: the shapes differ, or ``axis`` is out of range.
    """
    xs = list(xs)
    if not xs:
        raise ArgumentError("stack: nothing to join; expected at least one array")
    return Stack(as_integer("stack", "axis", axis))(*[as_array(x) for x in xs])


class Unstack(Function):
    """Split x into slices along an axis, and remove this axis; gx = the gys stacked."""

    materialize_grads = False

    def __init__(self, axis: int) -> None:
        self.axis = axis

    def forward(self, x: Array) -> tuple[Array, ...]:
        first = get_array_module(x).moveaxis(x, self.axis, 0)
        return tuple([first[i, ...] for i in range(first.shape[0])])

    def backward(self, *gys: Array | Variable) -> Any:
        known = next(unwrap(gy) for gy in gys if gy is not None)
        zeros = None
        if any([gy is None for gy in gys]):
            zeros = get_array_module(known).zeros_like(known)
        return Stack(self.axis)(*[zeros if gy is None else gy for gy in gys])

    def diagnose(self, *arrays: Array) -> None:
        require_axes(self, self.axis, shape_of(arrays[0]), elements=False)


@hinted
def unstack(x: Operand, axis: int = 0) -> tuple[Variable, ...]:
    """Return the slices of ``x`` along an axis, like ``torch.unbind``; the inverse of `stack`.

    One op returns all slices. Therefore the cost of a loop over a sequence is linear in the number
    of steps, even with ``backward(create_graph=True)``. A backward pass through one slice frees the
    graph of all slices. To run a separate backward pass for each slice, use ``x[i]`` instead.

    Args:
        x: an array with at least one axis.
        axis: the axis to remove; negative values count from the end.

    Returns:
        One Variable for each position along ``axis``. The Variables share the memory of ``x`` if
        the array library has views.

    Raises:
        ArgumentTypeError: ``axis`` is not an integer.
        ShapeError: ``axis`` is out of range.
    """
    return Unstack(as_integer("unstack", "axis", axis))(x)
