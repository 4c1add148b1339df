"""Define sampling of images at computed positions, as spatial transformer networks do.

Jaderberg et al., "Spatial Transformer Networks", 2015. Positions are from -1 to 1 along each axis.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import reduce
from itertools import product
from typing import Any

from dezero_core import Variable, as_variable
from dezero_core.arguments import as_shape, require_bool
from dezero_core.dtypes import as_floating, call_widened, cast
from dezero_core.errors import ArgumentError, ShapeError
from dezero_core.extend import Array, backend_of, unwrap
from dezero_core.functions import abs as absolute
from dezero_core.functions import (
    clip,
    expand_dims,
    get_item,
    matmul,
    matrix_transpose,
    mul,
    reshape,
    transpose,
    where,
)
from dezero_core.hints import hinted
from dezero_core.variable import Operand

from ..windows import Shape


@hinted
def affine_grid(theta: Operand, size: Sequence[int], align_corners: bool = False) -> Variable:
    """Return positions in images, transformed by a matrix, like PyTorch's ``affine_grid``.

    Args:
        theta: matrices, shape (N, 2, 3) for images or (N, 3, 4) for volumes.
        size: the shape (N, C, H, W) or (N, C, D, H, W) of the output of `grid_sample`.
        align_corners: True places -1 and 1 at the centres of the first and last elements, False
            (default) at the outer borders of these elements.

    Returns:
        shape (N, H, W, 2), each position as (across, down), or (N, D, H, W, 3).

    Raises:
        ShapeError: ``theta`` or ``size`` has another form.
    """
    theta, size = as_variable(as_floating(theta)), as_shape("affine_grid", size, "size")
    if align_corners is not None:  # PyTorch's default
        require_bool("affine_grid", "align_corners", align_corners)
    n = len(size) - 2
    if n not in (2, 3) or theta.shape != (size[0], n, n + 1):
        raise ShapeError(
            f"affine_grid: theta {theta.shape}, size {size}: expected (N, 2, 3) and (N, C, H, W), "
            "or (N, 3, 4) and (N, C, D, H, W)"
        )
    result: Variable = call_widened(lambda theta: transformed(theta, size, align_corners), theta)
    return result


def transformed(theta: Variable, size: Shape, align_corners: bool) -> Variable:
    """Multiply the positions of all elements by the matrices ``theta``; see `affine_grid`."""
    sizes, backend = size[2:], backend_of(theta.data)
    n, xp, zeros = len(sizes), backend.xp, backend.zeros(sizes, theta.data)
    axes = [centres(backend, m, theta.data, align_corners) for m in sizes]
    wide = [xp.reshape(x, (-1, *[1] * (n - 1 - a))) + zeros for a, x in enumerate(axes)]
    base = xp.reshape(xp.stack([*wide[::-1], zeros + 1], axis=-1), (math.prod(sizes), n + 1))
    return reshape(matmul(base, matrix_transpose(theta)), (size[0], *sizes, n))


def centres(backend: Any, n: int, x: Array, align_corners: bool) -> Array:
    """Return the positions of n elements along an axis from -1 to 1, in the dtype of ``x``."""
    i = cast(backend.arange(n, x), x.dtype)
    if align_corners:
        return i * (2 / max(n - 1, 1)) - (1.0 if n > 1 else 0.0)
    return (i * 2 + 1) / n - 1


@hinted
def grid_sample(
    x: Operand, grid: Operand, mode: str = "bilinear", padding_mode: str = "zeros",
    align_corners: bool = False,
) -> Variable:  # fmt: skip
    """Return elements of images at the positions ``grid``, like PyTorch's ``grid_sample``.

    Args:
        x: images, shape (N, C, H, W), or volumes, shape (N, C, D, H, W).
        grid: positions (across, down), shape (N, OH, OW, 2), or (across, down, deep), shape
            (N, OD, OH, OW, 3); see `affine_grid`.
        mode: "bilinear" (default) for linear interpolation along each axis, or "nearest".
        padding_mode: the elements outside of ``x``: "zeros" (default), "border" for the nearest
            element of ``x``, or "reflection" for ``x`` reflected at its borders.
        align_corners: as for `affine_grid`.

    Returns:
        shape (N, C, OH, OW), or (N, C, OD, OH, OW).

    Raises:
        ShapeError: ``x`` or ``grid`` has another form.
        ArgumentError: a mode is unknown.
    """
    require_modes(mode, padding_mode)
    if align_corners is not None:  # PyTorch's default
        require_bool("grid_sample", "align_corners", align_corners)
    x, grid = as_variable(as_floating(x)), as_variable(as_floating(grid, x))
    n = x.ndim - 2
    if n not in (2, 3) or grid.ndim != x.ndim or (*grid.shape[:1], grid.shape[-1]) != (len(x), n):
        raise ShapeError(
            f"grid_sample: x {x.shape}, grid {grid.shape}: expected (N, C, H, W) and "
            "(N, OH, OW, 2), or (N, C, D, H, W) and (N, OD, OH, OW, 3)"
        )
    settings = mode, padding_mode, align_corners
    result: Variable = call_widened(lambda x, grid: sampled(x, grid, *settings), x, grid)
    return result


def sampled(
    x: Variable, grid: Variable, mode: str, padding_mode: str, align_corners: bool
) -> Variable:
    """Move the channels of ``x`` to the last axis, and add weighted neighbours of each point."""
    n, points = x.ndim - 2, []
    for axis, length in enumerate(x.shape[2:]):
        p = indices_of(grid[..., n - 1 - axis], length, align_corners)
        if padding_mode == "reflection" and align_corners:
            p = reflected(p, 0.0, length - 1)
        elif padding_mode == "reflection":
            p = reflected(p, -0.5, length)
        points.append(p if padding_mode == "zeros" else clip(p, 0, length - 1))
    y = weighted(transpose(x, (0, *range(2, n + 2), 1)), points, mode)
    return transpose(y, (0, n + 1, *range(1, n + 1)))


def reflected(p: Variable, low: float, span: float) -> Variable:
    """Reflect points outside of the interval from ``low`` to ``low + span`` at its ends."""
    if span == 0:
        return p * 0.0
    distance = absolute(p - low)
    periods = backend_of(p.data).xp.floor(unwrap(distance) / (2 * span))
    return low + span - absolute(distance - periods * (2 * span) - span)


def require_modes(mode: str, padding_mode: str) -> None:
    """Raise `ArgumentError` unless `grid_sample` has both modes."""
    for name, value, known in (
        ("mode", mode, ("bilinear", "nearest")),
        ("padding_mode", padding_mode, ("zeros", "border", "reflection")),
    ):
        if not isinstance(value, str) or value not in known:
            raise ArgumentError(f"grid_sample: {name} {value!r}: expected {' or '.join(known)}")


def indices_of(position: Variable, n: int, align_corners: bool) -> Variable:
    """Convert positions from [-1, 1] to indices of an axis with n elements."""
    if align_corners:
        return (position + 1) * ((n - 1) / 2)
    return ((position + 1) * n - 1) * 0.5


def weighted(rows: Variable, points: Sequence[Variable], mode: str) -> Variable:
    """Return the sum of the neighbours of each point, weighted by their distances.

    Args:
        rows: images or volumes with channels last, shape (N, ..., C).
        points: for each axis between N and C, indices that are not rounded, shape (N, ...).
        mode: "bilinear" for two neighbours along each axis, "nearest" for one.

    Returns:
        shape (N, ..., C), with the axes of the points.
    """
    backend = backend_of(rows.data)
    example = backend.arange(rows.shape[0], rows.data)
    example = backend.xp.reshape(example, (-1, *[1] * len(points)))
    axes = [neighbours(p, n, mode) for p, n in zip(points, rows.shape[1:-1], strict=True)]
    total: Variable | float = 0.0
    for corner in product(*axes):
        weight = reduce(mul, [weight for _, weight in corner])
        found = get_item(rows, (example, *[index for index, _ in corner]))
        total = total + found * expand_dims(weight, -1)
    return as_variable(total)


def neighbours(point: Variable, n: int, mode: str) -> list[tuple[Array, Variable]]:
    """Return the indices of the neighbours along an axis of n elements, with their weights.

    The weight of a neighbour outside of the axis is 0.
    """
    array, backend = unwrap(point), backend_of(point.data)
    xp = backend.xp
    below = xp.round(array) if mode == "nearest" else xp.floor(array)
    below = xp.where(xp.isfinite(below), below, backend.scalar_like(-2.0, below))  # outside
    fraction = point - below
    weights = (fraction * 0 + 1,) if mode == "nearest" else (1 - fraction, fraction)
    found = []
    for step, weight in enumerate(weights):
        is_inside = (below + step >= 0) & (below + step < n)
        index = cast(xp.clip(below + step, 0, n - 1), backend.dtype("int64"))
        found.append((index, where(is_inside, weight, 0.0)))
    return found
