"""Define norms, distances and similarities of vectors along one axis."""

from __future__ import annotations

from typing import Any

from dezero_core import Variable, as_variable
from dezero_core.arguments import (
    AxisLike,
    as_axes,
    as_integer,
    as_number,
    normalize_axes,
    require_bool,
)
from dezero_core.diagnosis import broadcast_shape
from dezero_core.dtypes import as_floating, call_widened
from dezero_core.errors import ShapeError
from dezero_core.functions import broadcast_to, clip, sum, vector_norm
from dezero_core.hints import hinted
from dezero_core.variable import Operand


@hinted
def normalize(x: Operand, ord: float = 2.0, axis: AxisLike = 1, eps: float = 1e-12) -> Variable:
    """Return ``x`` divided by its norm along ``axis``, so that each vector has the norm 1.

    Args:
        x: any shape with this axis.
        ord: the norm, as in `vector_norm` (default 2).
        axis: an axis or several axes (default 1, as in PyTorch).
        eps: the least divisor, so that zeros stay zeros (default 1e-12).

    Raises:
        ShapeError: an axis does not exist or is repeated.
    """
    least, x = as_number("normalize", "eps", eps), as_variable(as_floating(x))
    axes = as_axes("normalize", axis)
    if x.ndim:  # a 0-d array has the axis 0, as in sum
        normalize_axes("normalize", axes, x.ndim)

    def compute(x: Variable) -> Any:
        return x / clip(vector_norm(x, ord, axes, keepdims=True), least)

    return call_widened(compute, x)


@hinted
def cosine_similarity(x1: Operand, x2: Operand, axis: int = 1, eps: float = 1e-8) -> Variable:
    """Return the cosine of the angle between the vectors of ``x1`` and ``x2`` along ``axis``.

    Args:
        x1, x2: arrays whose shapes broadcast.
        axis: the axis of the vectors after broadcasting (default 1, as in PyTorch).
        eps: the least norm, so that the similarity to a zero vector is 0 (default 1e-8).

    Returns:
        the broadcast shape without ``axis``.

    Raises:
        ShapeError: ``axis`` does not exist, or the shapes do not broadcast.
    """
    x1, x2 = as_variable(as_floating(x1)), as_variable(as_floating(x2))
    shape = common_shape("cosine_similarity", x1, x2)
    axis = as_integer("cosine_similarity", "axis", axis)
    if shape:  # a 0-d array has the axis 0, as in sum
        normalize_axes("cosine_similarity", axis, len(shape))
    least = as_number("cosine_similarity", "eps", eps)

    def compute(x1: Variable, x2: Variable) -> Any:
        units = [normalize(broadcast_to(x, shape), 2.0, axis, least) for x in (x1, x2)]
        return sum(units[0] * units[1], axis)

    return call_widened(compute, x1, x2)


@hinted
def pairwise_distance(
    x1: Operand, x2: Operand, p: float = 2.0, eps: float = 1e-6, keepdims: bool = False
) -> Variable:
    """Return the norm of ``x1 - x2 + eps`` along the last axis.

    Args:
        x1, x2: arrays whose shapes broadcast.
        p: the order of the norm, the argument ``ord`` of `vector_norm` (default 2).
        eps: added to each difference, so that the derivative exists where ``x1`` equals ``x2``
            (default 1e-6, as in PyTorch).
        keepdims: keep the last axis with length 1 (default False).

    Raises:
        ShapeError: the shapes do not broadcast, or have no axes.
    """
    small = as_number("pairwise_distance", "eps", eps)
    require_bool("pairwise_distance", "keepdims", keepdims)
    x1, x2 = as_variable(as_floating(x1)), as_variable(as_floating(x2))
    normalize_axes("pairwise_distance", -1, len(common_shape("pairwise_distance", x1, x2)))

    def compute(x1: Variable, x2: Variable) -> Any:
        return vector_norm(x1 - x2 + small, p, -1, keepdims)

    return call_widened(compute, x1, x2)


def common_shape(op: str, *xs: Variable) -> tuple[int, ...]:
    """Return the shape that the arguments of an op broadcast to.

    Raises:
        ShapeError: the shapes do not broadcast.
    """
    shape = broadcast_shape(*[x.shape for x in xs])
    if shape is None:
        shown = ", ".join(str(tuple(x.shape)) for x in xs)
        raise ShapeError(
            f"{op}: shapes {shown} do not broadcast; axes are matched from the last, and must be "
            "equal or 1"
        )
    return shape
