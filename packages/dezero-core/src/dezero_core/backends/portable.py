"""Extras in terms of the array API standard alone: right for every library, fast for none.

A backend replaces them where its library has something better.
"""

from __future__ import annotations

import math
from types import EllipsisType
from typing import Any

Array = Any
Pair = tuple[int, int]


def get_item(xp: Any, x: Array, index: Any) -> Array:
    """``x[index]`` by NumPy's rules, where the standard wants all axes named."""
    if is_basic(index):
        parts = index if isinstance(index, tuple) else (index,)
        return x[parts if Ellipsis in parts else (*parts, ...)]
    if isinstance(index, tuple) and len(index) < x.ndim and all(map(is_array, index)):
        # places in the first axes: count them in those axes joined
        shape, joined = x.shape, 0
        for part, length in zip(index, shape, strict=False):
            part = xp.astype(part, xp.int64)  # positions may exceed the range of the index's dtype
            joined = joined * length + xp.where(part < 0, part + length, part)
        x, index = xp.reshape(x, (-1, *shape[len(index) :])), joined
    if isinstance(index, tuple) or not xp.isdtype(index.dtype, "integral"):
        return x[index]
    rows = xp.take(x, xp.reshape(index, (-1,)), axis=0)
    return xp.reshape(rows, (*index.shape, *x.shape[1:]))


def scatter_add(xp: Any, x: Array, index: Any, values: Array) -> Array:
    """``x`` with ``values`` added at ``x[index]``, into a new array.

    The places are sorted, so that those meant several times stand side by side; then in each
    round every place takes the next value meant for it. As many rounds as the most wanted
    place has values.
    """
    every = xp.arange(math.prod(x.shape), device=x.device)
    places = xp.reshape(get_item(xp, xp.reshape(every, x.shape), index), (-1,))
    values = xp.reshape(values, (-1,))
    if 0 in values.shape:
        return +x
    order = xp.argsort(places)
    places, values = xp.take(places, order), xp.take(values, order)
    first = xp.searchsorted(places, every, side="left")
    count = xp.searchsorted(places, every, side="right") - first
    y = xp.reshape(x, (-1,))
    nothing = xp.zeros_like(y)
    for number in range(int(xp.max(count))):
        has_more = count > number
        value = xp.take(values, xp.where(has_more, first + number, xp.zeros_like(first)))
        y = y + xp.where(has_more, value, nothing)
    return xp.reshape(y, x.shape)


def pad(xp: Any, x: Array, widths: tuple[tuple[int, int], ...], value: float) -> Array:
    """``x`` with ``value`` before and after it, as often as ``widths`` says for each axis."""
    for axis, (before, after) in enumerate(widths):
        shape = list(x.shape)
        parts = []
        for length in (before, after):
            shape[axis] = length
            parts.append(xp.full(tuple(shape), value, dtype=x.dtype, device=x.device))
        if before or after:
            x = xp.concat([parts[0], x, parts[1]], axis=axis)
    return x


def sliding_windows(xp: Any, x: Array, kernel: Pair, stride: Pair, dilation: Pair) -> Array:
    """Windows over the last two axes: (..., H, W) to (..., KH, KW, OH, OW)."""
    (KH, KW), (SH, SW), (DH, DW) = kernel, stride, dilation
    bottom, right = x.shape[-2] - DH * (KH - 1), x.shape[-1] - DW * (KW - 1)
    rows = [
        [x[..., i : i + bottom : SH, j : j + right : SW] for j in range(0, DW * KW, DW)]
        for i in range(0, DH * KH, DH)
    ]
    return xp.stack([xp.stack(row, axis=-3) for row in rows], axis=-4)


def is_array(part: Any) -> bool:
    """Whether a part of an index is an array."""
    return hasattr(part, "dtype")


def is_basic(index: Any) -> bool:
    """Whether ``index`` has integers, slices, ``...`` and None only: no element twice."""
    parts = index if isinstance(index, tuple) else (index,)
    return all(part is None or isinstance(part, int | slice | EllipsisType) for part in parts)


def window_layout(
    x: Array, kernel: Pair, stride: Pair, dilation: Pair
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Shape and strides of `sliding_windows` as a view, for libraries with strided arrays."""
    (KH, KW), (SH, SW), (DH, DW) = kernel, stride, dilation
    *batch, H, W = x.shape
    *skip, down, right = x.strides
    counts = (H - DH * (KH - 1) - 1) // SH + 1, (W - DW * (KW - 1) - 1) // SW + 1
    strides = down * DH, right * DW, down * SH, right * SW
    return (*batch, KH, KW, *counts), (*skip, *strides)
