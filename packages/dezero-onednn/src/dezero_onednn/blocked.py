"""Convolve with oneDNN in its layout with channels in blocks of 16.

Channels are padded to a multiple of 16, so one channel costs as much as sixteen. Groups of 16, 8 or
4 channels and depthwise convolutions of at least 16 channels are fast.
"""

from __future__ import annotations

from functools import lru_cache

from dezero_nn.conv_kernels import Algorithm
from dezero_nn.windows import DENSE, ConvShapes

from .conv_operations import Order
from .convolution import layout_kernels

# Costs are single-core nanoseconds on AVX-512, fitted to 280 random shapes (docs/performance.md).

MULTIPLY_ADD = 0.0183
"""Cost of a multiply-add; multiply-adds of padded channels count too. If this constant is wrong by
a factor of two, a convolution takes at most 1.6 times as long as with the fastest kernel (an
estimate)."""

REORDER = 0.5
"""Cost of reordering an element of images, outputs or filters to another layout. If this constant
is wrong by a factor of two, a convolution with few channels takes at most 1.3 times as long as with
the fastest kernel (an estimate)."""

CALL = 10_000
"""Cost of calling oneDNN once. If this constant is wrong by a factor of two, very small
convolutions take at most 10 % longer than with the fastest kernel (an estimate)."""

WIDTHS = {"y": (16, 8, 4), "x": (16, 8, 4), "W": (16, 8)}
"""Group sizes, in channels, for which oneDNN computes the output or a gradient fast."""


def sixteens(channels: int) -> int:
    """Return ``channels`` rounded up to a multiple of 16, as oneDNN pads channels."""
    return -(-channels // 16) * 16


def is_depthwise(shapes: ConvShapes) -> bool:
    """Return whether the convolution is depthwise: one filter for each channel."""
    return shapes.x[1] == shapes.W[0] == shapes.params.groups > 1


def width(part: str, shapes: ConvShapes) -> int | None:
    """Return the largest number in `WIDTHS` that divides the channels of a group, or None."""
    C, OC = shapes.W[1], shapes.W[0] // shapes.params.groups
    return next((n for n in WIDTHS[part] if C % n == OC % n == 0), None)


def supports(parts: str, shapes: ConvShapes) -> bool | str:
    """Return True, or the reason why this layout declines these shapes."""
    if parts == "xW" and shapes.x[0] == 1:
        return "threads split a single image differently for each gradient"
    if is_depthwise(shapes):
        if shapes.params.groups < 4 or (shapes.params.groups < 16 and shapes.kernel != (1, 1)):
            return "fewer than 16 depthwise channels"
        return supports_depthwise(parts, shapes)
    if shapes.params.groups > 1 and any(width(part, shapes) is None for part in parts):
        return "the channels of a group do not fill blocks of 16, 8 or 4"
    return True


def supports_depthwise(parts: str, shapes: ConvShapes) -> bool | str:
    """Return True, or the reason why oneDNN is slow for this depthwise convolution."""
    if parts != "y" and shapes.params.dilation != DENSE:
        return "depthwise gradients with a dilation"
    if "W" in parts and max(shapes.kernel) > 3:
        return "the gradient of depthwise filters larger than 3x3"
    return True


@lru_cache(1024)
def cost(part: str, shapes: ConvShapes) -> float:
    """Estimate the single-core time in ns of the output ``"y"`` or gradient ``"x"`` or ``"W"``."""
    (N, C, H, W), (OC, *_), (*_, groups) = shapes
    multiply_adds: float = shapes.multiply_adds
    if is_depthwise(shapes):
        multiply_adds *= sixteens(C) / C
        C = OC = sixteens(C)
    elif groups > 1:
        multiply_adds *= 16 / (width(part, shapes) or 1)
    else:
        first = C if C < 16 and part != "x" else sixteens(C)  # for gx, C is always padded
        multiply_adds *= first * sixteens(OC) / (C * OC)
        C, OC = first, sixteens(OC)
    reordered = REORDER * (N * C * H * W + OC * shapes.positions)
    return MULTIPLY_ADD * multiply_adds + call_cost(part, shapes, reordered)


def call_cost(part: str, shapes: ConvShapes, reordered: float) -> float:
    """Estimate the single-core time, in ns, of reordering arrays and of calling oneDNN."""
    OC, C, KH, KW = shapes.W
    if KH == KW == 1 and part != "W":
        reordered = 0
    return reordered + REORDER * OC * C * KH * KW + CALL


def work(part: str, shapes: ConvShapes) -> float:
    """Return the cost in multiply-adds, the unit of `parallel_for`."""
    return cost(part, shapes) / MULTIPLY_ADD


KERNELS = layout_kernels("blocked", Order.BLOCKED, Algorithm("f", supports, cost), work)
