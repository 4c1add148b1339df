"""Convolution by oneDNN with all channels of a position side by side.

The channels that come out are computed sixteen at a time, those that are summed one by one: less
is padded than in blocks of 16, but reordering takes longer.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from dezero_nn.conv_kernels import (
    Algorithm,
    NumPyArray,
    conv_kernels,
    shapes_of_grads,
    shapes_of_W,
    shapes_of_x,
    shapes_of_y,
)
from dezero_nn.windows import ConvParams, ConvShapes, Pair, Shape

from . import convolution
from .blocked import (
    MULTIPLY_ADD,
    REORDER,
    call_cost,
    is_depthwise,
    sixteens,
    supports_depthwise,
)
from .conv_operations import Order

ORDER = Order.CHANNELS_LAST

SLOWER_REORDER = 1.8
"""Reordering an element to channels last, by reordering one to blocks. Fitted like the constants of
`blocked`. Off by two: up to 1.2x of the best, for few channels."""


def supports(parts: str, shapes: ConvShapes) -> bool | str:
    """Return True, or why this layout does not compute a call fast."""
    if parts == "xW" and shapes.x[0] == 1:
        return "a single image splits differently for each gradient"
    if shapes.kernel == (1, 1):
        return "1x1 filters read images as they are"
    if is_depthwise(shapes):
        if not 4 <= shapes.params.groups < 16:
            return "fewer than 4 depthwise channels, or more than 15"
        return supports_depthwise(parts, shapes)
    return True


@lru_cache(1024)
def cost(part: str, shapes: ConvShapes) -> float:
    """Return the estimated nanoseconds of one core for ``"y"``, ``"x"`` or ``"W"``."""
    (N, C, H, W), (OC, *_), _ = shapes
    multiply_adds: float = shapes.multiply_adds
    written = (C if part == "x" else OC) if is_depthwise(shapes) else channels_written(part, shapes)
    multiply_adds *= sixteens(written) / written
    reordered = REORDER * SLOWER_REORDER * (N * C * H * W + OC * shapes.positions)
    return MULTIPLY_ADD * multiply_adds + call_cost(part, shapes, reordered)


def channels_written(part: str, shapes: ConvShapes) -> int:
    """Return the channels of a group that come out."""
    return shapes.W[1] if part == "x" else shapes.W[0] // shapes.params.groups


def work(part: str, shapes: ConvShapes) -> float:
    """Return the estimate in multiply-adds, for `parallel_for`."""
    return cost(part, shapes) / MULTIPLY_ADD


def onednn_channels_last_conv2d(
    x: NumPyArray, W: NumPyArray, b: NumPyArray | None, params: ConvParams
) -> NumPyArray:
    """Return the convolution of images with filters."""
    shapes = shapes_of_y(x, W, b, params)
    return convolution.convolve(x, W, b, shapes, ORDER, work("y", shapes))


def onednn_channels_last_conv2d_grad_x(
    gy: NumPyArray, W: NumPyArray, shape: Shape, params: ConvParams
) -> NumPyArray:
    """Return the gradient of the images."""
    shapes = shapes_of_x(gy, W, shape, params)
    return convolution.image_gradient(gy, W, shapes, ORDER, work("x", shapes))


def onednn_channels_last_conv2d_grad_W(
    x: NumPyArray, gy: NumPyArray, kernel: Pair, params: ConvParams
) -> NumPyArray:
    """Return the gradient of the filters."""
    shapes = shapes_of_W(x, gy, kernel, params)
    return convolution.filter_gradient(x, gy, shapes, ORDER, work("W", shapes))


def onednn_channels_last_conv2d_grads(
    gy: NumPyArray, x: NumPyArray, W: NumPyArray, params: ConvParams
) -> tuple[NumPyArray, NumPyArray, Any]:
    """Return the gradients of images, filters and bias."""
    shapes = shapes_of_grads(gy, x, W, params)
    both = work("x", shapes) + work("W", shapes)
    return convolution.both_gradients(gy, x, W, shapes, ORDER, both)


KERNELS = conv_kernels(
    Algorithm("f", supports, cost),
    onednn_channels_last_conv2d,
    onednn_channels_last_conv2d_grad_x,
    onednn_channels_last_conv2d_grad_W,
    onednn_channels_last_conv2d_grads,
)
