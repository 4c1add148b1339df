"""Launch the kernels of ``windows.cu``: im2col, col2im and pooling."""

from __future__ import annotations

from functools import lru_cache

import cupy
import numpy as np

from .layouts import Array, contiguous, images, new_images, with_layout
from .module import NULL, launch

Pair = tuple[int, int]
Shape = tuple[int, ...]
DENSE = (1, 1)


@lru_cache(maxsize=256)
def window_arguments(
    shape: Shape, counts: Pair, kernel: Pair, stride: Pair, pad: Pair, dilation: Pair = DENSE
) -> tuple[np.int32, ...]:
    """Return the arguments for the macro WINDOWS of ``windows.cu``."""
    numbers = (*shape[2:], *counts, *kernel, *stride, *pad, *dilation)
    return tuple([np.int32(number) for number in numbers])


def window_counts(
    shape: Shape, kernel: Pair, stride: Pair, pad: Pair, dilation: Pair = DENSE
) -> Pair:
    """Return the number of windows along the height and the width."""
    down, across = (
        (n + 2 * p - d * (k - 1) - 1) // s + 1
        for n, k, s, p, d in zip(shape[2:], kernel, stride, pad, dilation, strict=True)
    )
    return down, across


def im2col(x: Array, kernel: Pair, stride: Pair, pad: Pair, dilation: Pair, value: float) -> Array:
    """Copy every window of images (N, C, H, W) to an array (N, C, KH, KW, OH, OW)."""
    x = contiguous(x)
    counts = window_counts(x.shape, kernel, stride, pad, dilation)
    cols = cupy.empty((*x.shape[:2], *kernel, *counts), x.dtype)
    windows = window_arguments(x.shape, counts, kernel, stride, pad, dilation)
    launch("im2col", x.dtype.char, cols.size, x, cols, x.dtype.type(value), *windows)
    return cols


def col2im(cols: Array, shape: Shape, stride: Pair, pad: Pair, dilation: Pair) -> Array:
    """Scatter-add the windows into an array of zeros of ``shape`` (N, C, H, W)."""
    cols = contiguous(cols)
    x = cupy.empty(shape, cols.dtype)
    windows = window_arguments(shape, cols.shape[4:], cols.shape[2:4], stride, pad, dilation)
    launch("col2im", x.dtype.char, x.size, cols, x, *windows)
    return x


def pool(name: str, x: Array, settings: tuple[Pair, Pair, Pair], *index: Array) -> Array:
    """Reduce each window of images in either memory order; the result has the same order."""
    x, channels_last = images(x)
    N, C, *_ = x.shape
    counts = window_counts(x.shape, *settings)
    y = new_images((N, C, *counts), x.dtype, channels_last)
    windows = window_arguments(x.shape, counts, *settings)
    launch(name, x.dtype.char, y.size, x, y, *index, np.int32(C), np.int32(channels_last), *windows)
    return y


def max_pool2d(x: Array, kernel: Pair, stride: Pair, pad: Pair) -> tuple[Array, Array]:
    """Return the maximum of each window, and the position of the maximum in the window, uint8."""
    x, channels_last = images(x)
    shape = (*x.shape[:2], *window_counts(x.shape, kernel, stride, pad))
    index = new_images(shape, np.uint8, channels_last)
    return pool("max_pool2d", x, (kernel, stride, pad), index), index


def max_pool2d_values(x: Array, kernel: Pair, stride: Pair, pad: Pair) -> Array:
    """Return the maximum of each window."""
    return pool("max_pool2d", x, (kernel, stride, pad), NULL)


def average_pool2d(x: Array, kernel: Pair, stride: Pair, pad: Pair) -> Array:
    """Return the mean of each window."""
    return pool("average_pool2d", x, (kernel, stride, pad))


def max_pool2d_grad(
    gy: Array, index: Array, shape: Shape, kernel: Pair, stride: Pair, pad: Pair
) -> Array:
    """Scatter-add ``gy`` into an array of zeros, at the positions of the maxima."""
    index, channels_last = images(index if index.dtype == np.uint8 else index.astype(np.uint8))
    gy = with_layout(gy, channels_last)
    return spread_windows("max_pool2d_grad", gy, shape, channels_last, (kernel, stride, pad), index)


def average_pool2d_grad(gy: Array, shape: Shape, kernel: Pair, stride: Pair, pad: Pair) -> Array:
    """Return the gradient of the images: split each element of ``gy`` equally over its window."""
    gy, channels_last = images(gy)
    return spread_windows("average_pool2d_grad", gy, shape, channels_last, (kernel, stride, pad))


def spread_windows(
    name: str, gy: Array, shape: Shape, channels_last: bool,
    settings: tuple[Pair, Pair, Pair], *index: Array,
) -> Array:  # fmt: skip
    """Return images of ``shape``, each element computed from the windows that contain it."""
    gx = new_images(shape, gy.dtype, channels_last)
    windows = window_arguments(shape, gy.shape[2:], *settings)
    last = np.int32(shape[1]), np.int32(channels_last), *windows
    launch(name, gx.dtype.char, gx.size, gy, *index, gx, *last)
    return gx
