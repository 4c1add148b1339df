"""What each kernel of ``kernels.cu`` is given; arrays are made contiguous first."""

from __future__ import annotations

from functools import partial
from typing import Any

import cupy
import numpy as np

from .module import launch

Pair = tuple[int, int]
DENSE = (1, 1)


def contiguous(x: Any) -> Any:
    """Return ``x`` or a copy in C order; ``cupy.ascontiguousarray`` adds an axis to 0-d arrays."""
    return x if x.flags.c_contiguous else cupy.ascontiguousarray(x)


def of_one(name: str, x: Any) -> Any:
    """An elementwise kernel of one array."""
    x = contiguous(x)
    y = cupy.empty(x.shape, x.dtype)
    launch(name, y, x, y)
    return y


sigmoid = partial(of_one, "sigmoid")
relu = partial(of_one, "relu")


def of_two(name: str, gy: Any, y: Any) -> Any:
    """An elementwise kernel of two arrays."""
    gy, y = contiguous(gy), contiguous(y)
    gx = cupy.empty(gy.shape, gy.dtype)
    launch(name, gx, gy, y, gx)
    return gx


sigmoid_grad = partial(of_two, "sigmoid_grad")
tanh_grad = partial(of_two, "tanh_grad")
relu_grad = partial(of_two, "relu_grad")


def scaled_where(x: Any, mask: Any, scale: float) -> Any:
    """``x`` times ``scale`` where the mask is true."""
    x, mask = contiguous(x), contiguous(mask)
    y = cupy.empty(x.shape, x.dtype)
    launch("scaled_where", y, x, mask, y, x.dtype.type(scale))
    return y


def softmax_cross_entropy(x: Any, t: Any) -> Any:
    """Each row's loss, then their sum."""
    x, t = contiguous(x), contiguous(t.astype(np.int64, copy=False))
    rows = cupy.empty(x.shape[:1], x.dtype)
    launch("softmax_cross_entropy", rows, x, t, rows, np.int32(x.shape[1]))
    return cupy.sum(rows)


def softmax_cross_entropy_grad(gy: Any, x: Any, t: Any) -> Any:
    """The gradient of each row."""
    x, t = contiguous(x), contiguous(t.astype(np.int64, copy=False))
    gy = gy.astype(x.dtype, copy=False)
    gx, classes = cupy.empty(x.shape, x.dtype), np.int32(x.shape[1])
    launch("softmax_cross_entropy_grad", gx, gy, x, t, gx, classes, threads=x.shape[0])
    return gx


def geometry(
    shape: tuple[int, ...], counts: Pair, kernel: Pair, stride: Pair, pad: Pair, dilation: Pair
) -> list[Any]:
    """The arguments that ``kernels.cu`` calls WINDOWS."""
    numbers = (*shape[2:], *counts, *kernel, *stride, *pad, *dilation)
    return [np.int32(number) for number in numbers]


def window_counts(
    shape: tuple[int, ...], kernel: Pair, stride: Pair, pad: Pair, dilation: Pair = DENSE
) -> Pair:
    """How many windows fit, down and across."""
    down, across = (
        (n + 2 * p - d * (k - 1) - 1) // s + 1
        for n, k, s, p, d in zip(shape[2:], kernel, stride, pad, dilation, strict=True)
    )
    return down, across


def im2col(x: Any, kernel: Pair, stride: Pair, pad: Pair, dilation: Pair, value: float) -> Any:
    """Every window of images."""
    x = contiguous(x)
    counts = window_counts(x.shape, kernel, stride, pad, dilation)
    cols = cupy.empty((*x.shape[:2], *kernel, *counts), x.dtype)
    w = geometry(x.shape, counts, kernel, stride, pad, dilation)
    launch("im2col", cols, x, cols, x.dtype.type(value), *w)
    return cols


def col2im(cols: Any, shape: tuple[int, ...], stride: Pair, pad: Pair, dilation: Pair) -> Any:
    """Windows added up where they lie."""
    cols = contiguous(cols)
    x = cupy.empty(shape, cols.dtype)
    w = geometry(shape, cols.shape[4:], cols.shape[2:4], stride, pad, dilation)
    launch("col2im", x, cols, x, *w)
    return x


def max_pool2d(x: Any, kernel: Pair, stride: Pair, pad: Pair) -> tuple[Any, Any]:
    """The largest of each window, and its place."""
    x = contiguous(x)
    counts = window_counts(x.shape, kernel, stride, pad)
    y = cupy.empty((*x.shape[:2], *counts), x.dtype)
    index = cupy.empty(y.shape, np.int32)
    w = geometry(x.shape, counts, kernel, stride, pad, DENSE)
    launch("max_pool2d", y, x, y, index, *w)
    return y, index


def max_pool2d_grad(
    gy: Any, index: Any, shape: tuple[int, ...], kernel: Pair, stride: Pair, pad: Pair
) -> Any:
    """``gy`` added up where the largest were."""
    gy = contiguous(gy)
    index = contiguous(index.astype(np.int32, copy=False))
    gx = cupy.empty(shape, gy.dtype)
    w = geometry(shape, gy.shape[2:], kernel, stride, pad, DENSE)
    launch("max_pool2d_grad", gx, gy, index, gx, *w)
    return gx


def average_pool2d(x: Any, kernel: Pair, stride: Pair, pad: Pair) -> Any:
    """The mean of each window."""
    x = contiguous(x)
    counts = window_counts(x.shape, kernel, stride, pad)
    y = cupy.empty((*x.shape[:2], *counts), x.dtype)
    launch("average_pool2d", y, x, y, *geometry(x.shape, counts, kernel, stride, pad, DENSE))
    return y


def average_pool2d_grad(
    gy: Any, shape: tuple[int, ...], kernel: Pair, stride: Pair, pad: Pair
) -> Any:
    """``gy`` in equal parts over the windows."""
    gy = contiguous(gy)
    gx = cupy.empty(shape, gy.dtype)
    launch(
        "average_pool2d_grad",
        gx,
        gy,
        gx,
        *geometry(shape, gy.shape[2:], kernel, stride, pad, DENSE),
    )
    return gx
