"""Launch the kernels of ``kernels.cu`` on contiguous arrays."""

from __future__ import annotations

from functools import partial
from typing import TypeAlias

import cupy
import numpy as np

from .module import launch

Array: TypeAlias = cupy.ndarray
Pair = tuple[int, int]
DENSE = (1, 1)


def contiguous(x: Array) -> Array:
    """Return ``x`` in C order. (``cupy.ascontiguousarray`` would add an axis to 0-d arrays.)"""
    return x if x.flags.c_contiguous else cupy.ascontiguousarray(x)


def launch_unary(name: str, x: Array) -> Array:
    """Launch an elementwise kernel with one input."""
    x = contiguous(x)
    y = cupy.empty(x.shape, x.dtype)
    launch(name, y, x, y)
    return y


sigmoid = partial(launch_unary, "sigmoid")
relu = partial(launch_unary, "relu")


def launch_binary(name: str, gy: Array, y: Array) -> Array:
    """Launch an elementwise kernel with two inputs."""
    gy, y = contiguous(gy), contiguous(y)
    gx = cupy.empty(gy.shape, gy.dtype)
    launch(name, gx, gy, y, gx)
    return gx


sigmoid_grad = partial(launch_binary, "sigmoid_grad")
tanh_grad = partial(launch_binary, "tanh_grad")
relu_grad = partial(launch_binary, "relu_grad")


def scaled_where(x: Array, mask: Array, scale: float) -> Array:
    """Return ``x`` times ``scale`` where the mask is true, else 0."""
    x, mask = contiguous(x), contiguous(mask)
    y = cupy.empty(x.shape, x.dtype)
    launch("scaled_where", y, x, mask, y, x.dtype.type(scale))
    return y


def softmax_cross_entropy(x: Array, t: Array) -> Array:
    """Return the mean loss; the kernel computes the loss of each row, divided by N."""
    x, t = contiguous(x), contiguous(t.astype(np.int64, copy=False))
    rows = cupy.empty(x.shape[:1], x.dtype)
    launch("softmax_cross_entropy", rows, x, t, rows, np.int32(x.shape[1]))
    return cupy.sum(rows)


def softmax_cross_entropy_grad(gy: Array, x: Array, t: Array) -> Array:
    """Return the gradient of the scores; each thread computes one row."""
    x, t = contiguous(x), contiguous(t.astype(np.int64, copy=False))
    gy = gy.astype(x.dtype, copy=False)
    gx, classes = cupy.empty(x.shape, x.dtype), np.int32(x.shape[1])
    launch("softmax_cross_entropy_grad", gx, gy, x, t, gx, classes, threads=x.shape[0])
    return gx


def window_arguments(
    shape: tuple[int, ...], counts: Pair, kernel: Pair, stride: Pair, pad: Pair, dilation: Pair
) -> list[np.int32]:
    """Return the arguments for the macro WINDOWS of ``kernels.cu``."""
    numbers = (*shape[2:], *counts, *kernel, *stride, *pad, *dilation)
    return [np.int32(number) for number in numbers]


def window_counts(
    shape: tuple[int, ...], kernel: Pair, stride: Pair, pad: Pair, dilation: Pair = DENSE
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
    launch("im2col", cols, x, cols, x.dtype.type(value), *windows)
    return cols


def col2im(cols: Array, shape: tuple[int, ...], stride: Pair, pad: Pair, dilation: Pair) -> Array:
    """Scatter-add the windows into an array of zeros of ``shape`` (N, C, H, W)."""
    cols = contiguous(cols)
    x = cupy.empty(shape, cols.dtype)
    windows = window_arguments(shape, cols.shape[4:], cols.shape[2:4], stride, pad, dilation)
    launch("col2im", x, cols, x, *windows)
    return x


def max_pool2d(x: Array, kernel: Pair, stride: Pair, pad: Pair) -> tuple[Array, Array]:
    """Return the maximum of each window, and the position of the maximum in the window."""
    x = contiguous(x)
    counts = window_counts(x.shape, kernel, stride, pad)
    y = cupy.empty((*x.shape[:2], *counts), x.dtype)
    index = cupy.empty(y.shape, np.int32)
    windows = window_arguments(x.shape, counts, kernel, stride, pad, DENSE)
    launch("max_pool2d", y, x, y, index, *windows)
    return y, index


def max_pool2d_grad(
    gy: Array,
    index: Array,
    shape: tuple[int, ...],
    kernel: Pair,
    stride: Pair,
    pad: Pair,
) -> Array:
    """Scatter-add ``gy`` into an array of zeros, at the positions of the maxima."""
    gy = contiguous(gy)
    index = contiguous(index.astype(np.int32, copy=False))
    gx = cupy.empty(shape, gy.dtype)
    windows = window_arguments(shape, gy.shape[2:], kernel, stride, pad, DENSE)
    launch("max_pool2d_grad", gx, gy, index, gx, *windows)
    return gx


def average_pool2d(x: Array, kernel: Pair, stride: Pair, pad: Pair) -> Array:
    """Return the mean of each window."""
    x = contiguous(x)
    counts = window_counts(x.shape, kernel, stride, pad)
    y = cupy.empty((*x.shape[:2], *counts), x.dtype)
    launch(
        "average_pool2d", y, x, y, *window_arguments(x.shape, counts, kernel, stride, pad, DENSE)
    )
    return y


def average_pool2d_grad(
    gy: Array, shape: tuple[int, ...], kernel: Pair, stride: Pair, pad: Pair
) -> Array:
    """Return the gradient of the images: split each element of ``gy`` equally over its window."""
    gy = contiguous(gy)
    gx = cupy.empty(shape, gy.dtype)
    launch(
        "average_pool2d_grad",
        gx,
        gy,
        gx,
        *window_arguments(shape, gy.shape[2:], kernel, stride, pad, DENSE),
    )
    return gx
