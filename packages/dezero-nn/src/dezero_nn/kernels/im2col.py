"""Convolution by im2col, the algorithm for every shape: copy windows to columns, and multiply.

Each part of the work has a direct and a transposed form; the one that copies less runs:

              direct                                 transposed
      y       `columns` of x                         matmul of x, scatter-added by `col2im`
      gW      `columns` of x                         columns of gy (`flipped`)
      gx      convolve gy with `flipped` filters     matmul of gy, scatter-added by `col2im`

Work is split over the batch; for a single image over rows of the output, or the channels of gx.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from math import inf
from typing import Any

import numpy as np

from dezero_core import Config

from ..conv_kernels import (
    Algorithm,
    NumPyArray,
    conv_kernels,
    shapes_of_grads,
    shapes_of_W,
    shapes_of_x,
    shapes_of_y,
)
from ..functions.channels import channel_sum_op
from ..parallel import parallel_for
from ..windows import DENSE, ConvParams, ConvShapes, Pair, Shape
from . import col2im, columns, flipped
from .views import cut_out

# Estimates are nanoseconds of one core with AVX-512, fitted to benchmarks/convolutions.py and 280
# drawn shapes (docs/performance.md). Their ratios choose the algorithm.

MULTIPLY_ADD = 0.022
"""Per multiply-add of a matmul. Off by two: Winograd or im2col at the wrong sizes, up to 1.5x."""

WRITE = 0.4
"""Per element of the result. Off by two: less than 5 %."""

STRIDED = 1.2
"""Per element read or written with a stride. Off by two: up to 1.3x if oneDNN is installed."""

COPY, COPY_RUN = 0.22, 5.6
"""Per element copied to columns, and per row of a window. Off by two: up to 1.4x for few channels
or narrow images."""

SCATTER = 3.0
"""Scatter-adding an element, in copies of one. Off by two: up to 1.4x for few filters."""

FLIP = 10.0
"""Flipping a filter element, in copies of one. Off by two: up to 1.2x for small images."""


def copies(part: str, shapes: ConvShapes) -> tuple[float, float]:
    """Return the elements copied per kernel position by the direct and by the transposed form.

    A form that does not exist copies infinitely many.
    """
    (N, C, H, W), (OC, C_of_group, KH, KW), (stride, pad, dilation, _) = shapes
    of_x, of_y = C * shapes.positions, N * OC * H * W / (stride[0] * stride[1])
    flips = FLIP * OC * C_of_group
    fits = stride == DENSE or dilation == DENSE
    if part == "x":
        return (of_y + flips if fits else inf), SCATTER * of_x
    if part == "W":  # with 1x1 filters, images are the columns
        return of_x, (of_y + flips if fits and KH * KW > 1 else inf)
    reach = dilation[0] * (KH - 1), dilation[1] * (KW - 1)
    fits = stride == DENSE and pad[0] <= reach[0] and pad[1] <= reach[1]
    return of_x, (SCATTER * of_y + flips if fits else inf)


@lru_cache(1024)
def copies_less_transposed(part: str, shapes: ConvShapes) -> bool:
    """Return whether the transposed form of ``part`` copies less than the direct one."""
    direct, transposed = copies(part, shapes)
    return transposed < direct


@lru_cache(1024)
def cost(part: str, shapes: ConvShapes) -> float:
    """Return the estimated nanoseconds of one core for ``"y"``, ``"x"`` or ``"W"``."""
    (_, C, _, _), (OC, _, KH, KW), (stride, *_) = shapes
    OH, OW = shapes.counts
    is_small = OH * OW <= columns.SMALL_OUTPUT
    copied = KH * KW * (COPY + COPY_RUN / OW) * min(copies(part, shapes))
    if KH == KW == 1 and stride == DENSE and not is_small:
        copied = 0
    written = (STRIDED if is_small else WRITE) * shapes.positions * (C if part == "x" else OC)
    strided = STRIDED * np.prod(shapes.x) if part != "y" and stride != DENSE else 0
    return float(MULTIPLY_ADD * shapes.multiply_adds + copied + written + strided)


def work(part: str, shapes: ConvShapes) -> float:
    """Return the estimate in multiply-adds, for `parallel_for`."""
    return cost(part, shapes) / MULTIPLY_ADD


def supports(parts: str, shapes: ConvShapes) -> bool | str:
    """Return True, or why im2col does not compute a call."""
    if parts == "xW" and shapes.x[0] == 1:
        return "a single image splits differently for each gradient"
    return True


def im2col_conv2d(
    x: NumPyArray, W: NumPyArray, b: NumPyArray | None, params: ConvParams
) -> NumPyArray:
    """Return the convolution; see `conv2d_op`."""
    shapes = shapes_of_y(x, W, b, params)
    y = np.empty((len(x), len(W), *shapes.counts), x.dtype)
    transposed = copies_less_transposed("y", shapes)

    def compute(part: slice) -> None:
        if len(x) > 1:
            write_output(x[part], W, b, params, y[part], transposed)
        else:
            rows, few = rows_read(x, part, shapes)
            write_output(rows, W, b, few, y[:, :, part], transposed)

    parallel_for(len(x) if len(x) > 1 else y.shape[2], work("y", shapes), compute)
    return y


def write_output(
    x: NumPyArray,
    W: NumPyArray,
    b: NumPyArray | None,
    params: ConvParams,
    y: NumPyArray,
    transposed: bool,
) -> None:
    """Write a part of the convolution to ``y``, in this thread."""
    if not transposed:
        columns.convolve(x, W, b, params, y)
        return
    (DH, DW), (PH, PW) = params.dilation, params.pad
    back = params._replace(pad=(DH * (W.shape[2] - 1) - PH, DW * (W.shape[3] - 1) - PW))
    col2im.scatter(x, flipped.flip(W, params.groups), back, y)
    if b is not None:
        y += b.reshape(len(W), 1, 1)


def rows_read(x: NumPyArray, rows: slice, shapes: ConvShapes) -> tuple[NumPyArray, ConvParams]:
    """Return the part of the images that some rows of the output read, and its parameters."""
    (stride, _), (top, side), (dilation, _), _ = shapes.params
    if rows.stop - rows.start == shapes.counts[0]:
        return x, shapes.params
    first, last = stride * rows.start - top, stride * (rows.stop - 1) - top
    stop = last + dilation * (shapes.kernel[0] - 1) + 1
    part = cut_out(x, (first, stop), (-side, x.shape[3] + side))
    return part, shapes.params._replace(pad=(0, 0))


def im2col_conv2d_grad_x(
    gy: NumPyArray, W: NumPyArray, shape: Shape, params: ConvParams
) -> NumPyArray:
    """Return the gradient of the images; see `conv2d_grad_x_op`."""
    shapes, gx = shapes_of_x(gy, W, shape, params), np.empty(shape, gy.dtype)
    by_channels = len(gx) == params.groups == 1
    write = col2im.scatter if copies_less_transposed("x", shapes) else flipped.image_gradient

    def compute(part: slice) -> None:
        if by_channels:
            write(gy, W[:, part], params, gx[:, part])
        else:
            write(gy[part], W, params, gx[part])

    parallel_for(gx.shape[1] if by_channels else len(gx), work("x", shapes), compute)
    return gx


def im2col_conv2d_grad_W(
    x: NumPyArray, gy: NumPyArray, kernel: Pair, params: ConvParams
) -> NumPyArray:
    """Return the gradient of the filters, the sum of the parts; see `conv2d_grad_W_op`."""
    shapes = shapes_of_W(x, gy, kernel, params)
    gradient = filter_gradient(x, shapes)

    def compute(part: slice) -> Any:
        if len(x) > 1:
            return gradient(x[part], gy[part], kernel, params)
        rows, few = rows_read(x, part, shapes)
        return gradient(rows, gy[:, :, part], kernel, few)

    return add_up(parallel_for(len(x) if len(x) > 1 else gy.shape[2], work("W", shapes), compute))


def filter_gradient(x: NumPyArray, shapes: ConvShapes) -> Any:
    """Return the function that computes the gradient of the filters.

    The transposed form multiplies an inf of x by zeros around gy: not in float64, nor if exact.
    """
    may_transpose = x.dtype.char == "f" and not Config.exact
    transposed = may_transpose and copies_less_transposed("W", shapes)
    return flipped.filter_gradient if transposed else columns.filter_gradient


def im2col_conv2d_grads(
    gy: NumPyArray, x: NumPyArray, W: NumPyArray, params: ConvParams
) -> tuple[NumPyArray, NumPyArray, Any]:
    """Return the gradients of images, filters and bias: the batch is split once."""
    shapes, gx = shapes_of_grads(gy, x, W, params), np.empty(x.shape, x.dtype)
    write = col2im.scatter if copies_less_transposed("x", shapes) else flipped.image_gradient
    gradient = filter_gradient(x, shapes)

    def compute(part: slice) -> tuple[NumPyArray, Any]:
        write(gy[part], W, params, gx[part])
        gW = gradient(x[part], gy[part], shapes.kernel, params)
        return gW, channel_sum_op(gy[part])

    parts = parallel_for(len(x), work("x", shapes) + work("W", shapes), compute)
    gW, gb = map(add_up, zip(*parts, strict=True))
    return gx, gW, gb


def add_up(parts: Iterable[Any]) -> Any:
    """Return the sum of the parts, written to the first of them."""
    first, *others = parts
    for other in others:
        first += other
    return first


ALGORITHM = Algorithm("fd", supports, cost)
KERNELS = conv_kernels(
    ALGORITHM,
    im2col_conv2d,
    im2col_conv2d_grad_x,
    im2col_conv2d_grad_W,
    im2col_conv2d_grads,
)
