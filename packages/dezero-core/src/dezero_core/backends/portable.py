"""Implement methods of `ArrayBackend` with the array API standard alone.

These functions work for every library, but slowly. A backend overrides a method if its library has
a faster function.
"""

from __future__ import annotations

import math
from types import EllipsisType, ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .interface import ArrayBackend

Array = Any
Pair = tuple[int, int]


def get_item(xp: ModuleType, x: Array, index: Any) -> Array:
    """Return ``x[index]`` by NumPy's rules; the array API requires an index for every axis."""
    if is_basic(index):
        parts = index if isinstance(index, tuple) else (index,)
        return x[parts if Ellipsis in parts else (*parts, ...)]
    if isinstance(index, tuple) and len(index) < x.ndim and all(map(is_array, index)):
        # Join the indexed axes into one axis, and convert the indices to indices of that axis.
        shape, joined = x.shape, 0
        for part, length in zip(index, shape, strict=False):
            part = xp.astype(part, xp.int64)  # joined indices may not fit into the dtype of `part`
            joined = joined * length + xp.where(part < 0, part + length, part)
        x, index = xp.reshape(x, (-1, *shape[len(index) :])), joined
    *before, last = index if isinstance(index, tuple) else (index,)
    is_along_one_axis = all(isinstance(part, slice) and part == slice(None) for part in before)
    if not (is_along_one_axis and is_array(last) and xp.isdtype(last.dtype, "integral")):
        return x[index]
    axis = len(before)
    rows = xp.take(x, xp.reshape(last, (-1,)), axis=axis)
    return xp.reshape(rows, (*x.shape[:axis], *last.shape, *x.shape[axis + 1 :]))


def scatter_add(backend: ArrayBackend, x: Array, index: object, values: Array) -> Array:
    """Return a copy of ``x`` with ``values`` added at ``x[index]``; duplicate indices add up.

    The values are sorted by index, so that values for the same element are adjacent.
    Iteration i adds the i-th value for each element.
    """
    xp, every = backend.xp, backend.arange(math.prod(x.shape), x)
    positions = xp.reshape(backend.get_item(xp.reshape(every, x.shape), index), (-1,))
    values = xp.reshape(values, (-1,))
    if 0 in values.shape:
        return backend.copy(x)
    order = xp.argsort(positions)
    positions, values = xp.take(positions, order), xp.take(values, order)
    first = xp.searchsorted(positions, every, side="left")
    count = xp.searchsorted(positions, every, side="right") - first
    y = xp.reshape(x, (-1,))
    for i in range(int(xp.max(count))):
        has_more = count > i
        value = xp.take(values, xp.where(has_more, first + i, xp.zeros_like(first)))
        y = y + xp.where(has_more, value, xp.zeros_like(y))
    return xp.reshape(y, x.shape)


def pad(
    backend: ArrayBackend, x: Array, widths: tuple[tuple[int, int], ...], value: float
) -> Array:
    """Pad ``x`` with ``value``; ``widths`` has a pair (before, after) for each axis."""
    xp = backend.xp
    for axis, width in enumerate(widths):
        shapes = [(*x.shape[:axis], n, *x.shape[axis + 1 :]) for n in width]
        before, after = [
            [xp.full_like(backend.zeros(shape, x), value)] if shape[axis] else []
            for shape in shapes
        ]
        x = xp.concat([*before, x, *after], axis=axis) if before or after else x
    return x


def sliding_windows(xp: ModuleType, x: Array, kernel: Pair, stride: Pair, dilation: Pair) -> Array:
    """Return the windows over the last two axes: (..., H, W) to (..., KH, KW, OH, OW)."""
    (KH, KW), (SH, SW), (DH, DW) = kernel, stride, dilation
    bottom, right = x.shape[-2] - DH * (KH - 1), x.shape[-1] - DW * (KW - 1)
    rows = [
        [x[..., i : i + bottom : SH, j : j + right : SW] for j in range(0, DW * KW, DW)]
        for i in range(0, DH * KH, DH)
    ]
    return xp.stack([xp.stack(row, axis=-3) for row in rows], axis=-4)


def is_array(part: object) -> bool:
    """Return whether one item of an index is an array."""
    return hasattr(part, "dtype")


def is_basic(index: object) -> bool:
    """Return whether ``index`` has only integers, slices, ``...`` and None (no index arrays)."""
    parts = index if isinstance(index, tuple) else (index,)
    return all(part is None or isinstance(part, int | slice | EllipsisType) for part in parts)


def window_layout(
    x: Array, kernel: Pair, stride: Pair, dilation: Pair
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the shape and strides of the view that `sliding_windows` makes of a strided array."""
    (KH, KW), (SH, SW), (DH, DW) = kernel, stride, dilation
    *batch, H, W = x.shape
    *outer, down, right = x.strides
    OH, OW = (H - DH * (KH - 1) - 1) // SH + 1, (W - DW * (KW - 1) - 1) // SW + 1
    strides = down * DH, right * DW, down * SH, right * SW
    return (*batch, KH, KW, OH, OW), (*outer, *strides)
