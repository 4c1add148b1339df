"""Convolve images of any shape by im2col: copy windows to columns, and multiply.

The output y and the gradients gW and gx can each be computed in a direct and a transposed form; the
form that copies fewer elements is used:

              direct                                 transposed
      y       `columns` of x                         multiply x, scatter-add (`col2im`)
      gW      `columns` of x                         columns of gy (`flipped`)
      gx      convolve gy with `flipped` filters     multiply gy, scatter-add (`col2im`)

Threads split the batch. For a single image, the threads split the rows of the output, or the
channels of gx.
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

# Costs are single-core nanoseconds on AVX-512, fitted to benchmarks/convolutions.py and 280 random
# shapes (docs/performance.md). Only the ratios between these costs matter.

MULTIPLY_ADD = 0.022
"""Cost of a multiply-add in a matmul. Estimate: if this cost is wrong by a factor of two,
convolutions take up to 1.5 times as long, because Winograd runs where im2col is faster, or the
reverse."""

WRITE = 0.4
"""Cost of writing an element of the result. Estimate: if this cost is wrong by a factor of two, the
time changes by less than 5 %."""

STRIDED = 1.2
"""Cost of reading or writing an element with a stride. Estimate: if this cost is wrong by a factor
of two, convolutions take up to 1.3 times as long where oneDNN is installed."""

COPY, COPY_RUN = 0.22, 5.6
"""Cost of copying an element to the columns, and additional cost of each row that is copied.
Estimate: if this cost is wrong by a factor of two, convolutions with few channels or narrow images
take up to 1.4 times as long."""

SCATTER = 3.0
"""Cost of scatter-adding an element, as a multiple of the cost of copying an element. Estimate: if
this cost is wrong by a factor of two, convolutions with few filters take up to 1.4 times as
long."""

FLIP = 10.0
"""Cost of flipping an element of a filter, as a multiple of the cost of copying an element.
Estimate: if this cost is wrong by a factor of two, convolutions of small images take up to 1.2
times as long."""


def copies(part: str, shapes: ConvShapes) -> tuple[float, float]:
    """Return how many elements the direct and the transposed form copy per kernel position.

    The number is inf for a form that cannot compute these shapes.
    """
    (N, C, H, W), (OC, C_of_group, KH, KW), (stride, pad, dilation, _) = shapes
    of_x, of_y = C * shapes.positions, N * OC * H * W / (stride[0] * stride[1])
    flips = FLIP * OC * C_of_group
    fits = stride == DENSE or dilation == DENSE
    if part == "x":
        return (of_y + flips if fits else inf), SCATTER * of_x
    if part == "W":  # with 1x1 filters, the direct form copies nothing
        return of_x, (of_y + flips if fits and KH * KW > 1 else inf)
    reach = dilation[0] * (KH - 1), dilation[1] * (KW - 1)
    fits = stride == DENSE and pad[0] <= reach[0] and pad[1] <= reach[1]
    return of_x, (SCATTER * of_y + flips if fits else inf)


@lru_cache(1024)
def copies_less_transposed(part: str, shapes: ConvShapes) -> bool:
    """Return whether the transposed form of ``part`` copies fewer elements than the direct one."""
    direct, transposed = copies(part, shapes)
    return transposed < direct


@lru_cache(1024)
def cost(part: str, shapes: ConvShapes) -> float:
    """Return the estimated single-core time in ns for y, or for the gradient of x or W."""
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
    """Return the cost in multiply-adds, the unit of `parallel_for`."""
    return cost(part, shapes) / MULTIPLY_ADD


def supports(parts: str, shapes: ConvShapes) -> bool | str:
    """Return True, or the reason why im2col declines these shapes."""
    if parts == "xW" and shapes.x[0] == 1:
        return "threads split a single image differently for each gradient"
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
    """Write the convolution to ``y`` in the calling thread."""
    if not transposed:
        columns.convolve(x, W, b, params, y)
        return
    (DH, DW), (PH, PW) = params.dilation, params.pad
    back = params._replace(pad=(DH * (W.shape[2] - 1) - PH, DW * (W.shape[3] - 1) - PW))
    col2im.scatter(x, flipped.flip(W, params.groups), back, y)
    if b is not None:
        y += b.reshape(len(W), 1, 1)


def rows_read(x: NumPyArray, rows: slice, shapes: ConvShapes) -> tuple[NumPyArray, ConvParams]:
    """Return the image rows that the output ``rows`` depend on, and parameters to convolve them."""
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
    """Return the input gradient; see `conv2d_grad_x_op`."""
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
    """Return the weight gradient; see `conv2d_grad_W_op`."""
    shapes = shapes_of_W(x, gy, kernel, params)
    gradient = filter_gradient(x, shapes)

    def compute(part: slice) -> Any:
        if len(x) > 1:
            return gradient(x[part], gy[part], kernel, params)
        rows, few = rows_read(x, part, shapes)
        return gradient(rows, gy[:, :, part], kernel, few)

    return add_up(parallel_for(len(x) if len(x) > 1 else gy.shape[2], work("W", shapes), compute))


def filter_gradient(x: NumPyArray, shapes: ConvShapes) -> Any:
    """Return the function that computes the weight gradient.

    The transposed form multiplies x by the zeros that pad gy, which turns an inf in x into nan. So
    the transposed form is not used in float64, nor with `precision("exact")`.
    """
    may_transpose = x.dtype.char == "f" and not Config.exact
    transposed = may_transpose and copies_less_transposed("W", shapes)
    return flipped.filter_gradient if transposed else columns.filter_gradient


def im2col_conv2d_grads(
    gy: NumPyArray, x: NumPyArray, W: NumPyArray, params: ConvParams
) -> tuple[NumPyArray, NumPyArray, Any]:
    """Return the gradients of input, weight and bias; split the batch once for all three."""
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
    """Add all arrays in ``parts`` to the first array in place, and return the first array."""
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
