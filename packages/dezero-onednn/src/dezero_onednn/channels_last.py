"""Convolve with oneDNN in its channels-last layout.

oneDNN computes the output channels (for gx, the input channels) sixteen at a time, and does not pad
the other channels. So this layout pads fewer channels than the blocked layout, but reordering takes
longer.
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
"""Cost of reordering an element to channels last, as a multiple of `REORDER`. This constant is
fitted like the costs in `blocked`. If this constant is wrong by a factor of two, a convolution with
few channels takes at most 1.2 times as long as with the fastest kernel (an estimate)."""


def supports(parts: str, shapes: ConvShapes) -> bool | str:
    """Return True, or the reason why this layout declines these shapes."""
    if parts == "xW" and shapes.x[0] == 1:
        return "threads split a single image differently for each gradient"
    if shapes.kernel == (1, 1):
        return "1x1 filters need no channels-last images"
    if is_depthwise(shapes):
        if not 4 <= shapes.params.groups < 16:
            return "fewer than 4 depthwise channels, or more than 15"
        return supports_depthwise(parts, shapes)
    return True


@lru_cache(1024)
def cost(part: str, shapes: ConvShapes) -> float:
    """Estimate the single-core time in ns of the output ``"y"`` or gradient ``"x"`` or ``"W"``."""
    (N, C, H, W), (OC, *_), _ = shapes
    multiply_adds: float = shapes.multiply_adds
    written = (C if part == "x" else OC) if is_depthwise(shapes) else channels_written(part, shapes)
    multiply_adds *= sixteens(written) / written
    reordered = REORDER * SLOWER_REORDER * (N * C * H * W + OC * shapes.positions)
    return MULTIPLY_ADD * multiply_adds + call_cost(part, shapes, reordered)


def channels_written(part: str, shapes: ConvShapes) -> int:
    """Return the number of channels in each group of the result."""
    return shapes.W[1] if part == "x" else shapes.W[0] // shapes.params.groups


def work(part: str, shapes: ConvShapes) -> float:
    """Return the cost in multiply-adds, the unit of `parallel_for`."""
    return cost(part, shapes) / MULTIPLY_ADD


def onednn_channels_last_conv2d(
    x: NumPyArray, W: NumPyArray, b: NumPyArray | None, params: ConvParams
) -> NumPyArray:
    """Return the convolution; see `conv2d_op`."""
    shapes = shapes_of_y(x, W, b, params)
    return convolution.convolve(x, W, b, shapes, ORDER, work("y", shapes))


def onednn_channels_last_conv2d_grad_x(
    gy: NumPyArray, W: NumPyArray, shape: Shape, params: ConvParams
) -> NumPyArray:
    """Return the input gradient; see `conv2d_grad_x_op`."""
    shapes = shapes_of_x(gy, W, shape, params)
    return convolution.image_gradient(gy, W, shapes, ORDER, work("x", shapes))


def onednn_channels_last_conv2d_grad_W(
    x: NumPyArray, gy: NumPyArray, kernel: Pair, params: ConvParams
) -> NumPyArray:
    """Return the weight gradient; see `conv2d_grad_W_op`."""
    shapes = shapes_of_W(x, gy, kernel, params)
    return convolution.filter_gradient(x, gy, shapes, ORDER, work("W", shapes))


def onednn_channels_last_conv2d_grads(
    gy: NumPyArray, x: NumPyArray, W: NumPyArray, params: ConvParams
) -> tuple[NumPyArray, NumPyArray, Any]:
    """Return the gradients of input, weight and bias; see `conv2d_grads_op`."""
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
