"""Convolve with oneDNN in its channels-last layout.

oneDNN computes the output channels (for gx, the input channels) sixteen at a time, and does not pad
the other channels. So this layout pads fewer channels than the blocked layout, but reordering takes
longer.
"""

from __future__ import annotations

from functools import lru_cache

from dezero_nn.conv_kernels import Algorithm
from dezero_nn.windows import ConvShapes

from .blocked import (
    MULTIPLY_ADD,
    REORDER,
    call_cost,
    is_depthwise,
    sixteens,
    supports_depthwise,
)
from .conv_operations import Order
from .convolution import layout_kernels

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


KERNELS = layout_kernels("channels_last", Order.CHANNELS_LAST, Algorithm("f", supports, cost), work)
