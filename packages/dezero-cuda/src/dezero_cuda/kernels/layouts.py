"""Describe how the elements of arrays lie in memory, and create arrays with the same order.

An array is *dense* if its elements lie in memory without gaps, in any order of the axes. If two
dense arrays have the same shape and strides, an elementwise kernel may treat both as flat.
"""

from __future__ import annotations

from typing import TypeAlias

import cupy

Array: TypeAlias = cupy.ndarray


def contiguous(x: Array) -> Array:
    """Return ``x`` in C order. (``cupy.ascontiguousarray`` would add an axis to 0-d arrays.)"""
    return x if x.flags.c_contiguous else cupy.ascontiguousarray(x)


def is_dense(x: Array) -> bool:
    """Return whether the elements of ``x`` lie in memory without gaps, in any order of the axes."""
    if x.flags.c_contiguous:
        return True
    size = x.dtype.itemsize
    for stride, length in sorted(zip(x.strides, x.shape, strict=True)):
        if length != 1:
            if stride != size:
                return False
            size *= length
    return True


def as_dense(x: Array) -> Array:
    """Return ``x`` if it is dense, else a copy in C order."""
    return x if is_dense(x) else cupy.ascontiguousarray(x)


def empty_like(x: Array) -> Array:
    """Return an uninitialized array with the shape, dtype and memory order of a dense array."""
    return cupy.empty(x.shape, x.dtype) if x.flags.c_contiguous else cupy.empty_like(x)


def in_order_of(x: Array, y: Array) -> Array:
    """Return ``y`` in the memory order of the dense ``x``, copied if necessary."""
    if y.strides == x.strides or (x.flags.c_contiguous and y.flags.c_contiguous):
        return y
    result = cupy.empty_like(x, dtype=y.dtype)
    result[...] = y
    return result


def is_channels_last(x: Array) -> bool:
    """Return whether images (N, C, H, W) are contiguous in the order (N, H, W, C)."""
    return not x.flags.c_contiguous and bool(x.transpose(0, 2, 3, 1).flags.c_contiguous)


def images(x: Array) -> tuple[Array, bool]:
    """Return images (N, C, H, W) in one of the two orders, and whether their channels are last."""
    if x.flags.c_contiguous:
        return x, False
    if is_channels_last(x):
        return x, True
    return cupy.ascontiguousarray(x), False


def new_images(shape: tuple[int, ...], dtype: object, channels_last: bool) -> Array:
    """Return uninitialized images (N, C, H, W) in one of the two memory orders."""
    if not channels_last:
        return cupy.empty(shape, dtype)
    N, C, H, W = shape
    return cupy.empty((N, H, W, C), dtype).transpose(0, 3, 1, 2)


def with_layout(x: Array, channels_last: bool) -> Array:
    """Return images (N, C, H, W) in one of the two memory orders, copied if necessary."""
    if x.flags.c_contiguous and (not channels_last or has_both_orders(x)):
        return x
    if channels_last and is_channels_last(x):
        return x
    y = new_images(x.shape, x.dtype, channels_last)
    y[...] = x
    return y


def has_both_orders(x: Array) -> bool:
    """Return whether images in C order are also contiguous with their channels last."""
    return bool(x.transpose(0, 2, 3, 1).flags.c_contiguous)
