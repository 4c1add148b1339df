"""Compute the gradients of a convolution; gx is a convolution of gy with flipped filters.

If the stride is above 1, the positions of the image are split by their remainder modulo the stride.
The input gradient at the positions of one remainder depends on some kernel positions only, and is a
convolution with stride 1. Along one axis, with stride 2 and a filter (u v w):

      gx   v  uw  v  uw  v      two convolutions: with (u w) and with (v), each flipped
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from ..conv_kernels import NumPyArray
from ..windows import DENSE, ConvParams, ConvShapes, Pair
from . import columns
from .views import cut_out


class Remainder(NamedTuple):
    """Describe the positions along one image axis that are equal modulo the stride.

    Attributes:
        positions: the image positions with this remainder.
        taps: the kernel positions that are multiplied with these image positions.
        reached: the range (start, stop) of positions of gy that depend on these image positions; it
            may extend beyond gy.
    """

    positions: slice
    taps: slice
    reached: Pair


def remainders(shapes: ConvShapes) -> Iterator[tuple[Remainder, Remainder]]:
    """Yield each pair of a remainder along the height and a remainder along the width."""
    stride, pad, dilation, _ = shapes.params
    axes = zip(shapes.x[2:], shapes.kernel, stride, pad, dilation, strict=True)
    down, across = (list(axis_remainders(*axis)) for axis in axes)
    return ((one, other) for one in down for other in across)


def axis_remainders(size: int, K: int, stride: int, pad: int, dilation: int) -> Iterator[Remainder]:
    """Yield the remainders of one axis; the stride or the dilation of the axis must be 1.

    Output position o contains the product of input position p and kernel position k if p + pad =
    stride * o + dilation * k.
    """
    for rest in range(stride):
        first = -(-(pad - rest) // stride)
        position = rest + stride * first - pad
        stop = first + -(-(size - position) // stride)
        reach = dilation * (-(-(K - rest) // stride) - 1)
        if position < size:
            positions, taps = slice(position, None, stride), slice(rest, None, stride)
            yield Remainder(positions, taps, (first - reach, stop))


def image_gradient(gy: NumPyArray, W: NumPyArray, params: ConvParams, gx: NumPyArray) -> None:
    """Write the input gradient to ``gx``: convolve gy with the flipped filters."""
    once = ConvParams(dilation=params.dilation, groups=params.groups)
    for down, across in remainders(ConvShapes(gx.shape, W.shape, params)):
        filters = flip(W[..., down.taps, across.taps], params.groups)
        target = gx[:, :, down.positions, across.positions]
        if filters.size == 0:
            target[...] = 0
            continue
        part = cut_out(gy, down.reached, across.reached)
        y = target if params.stride == DENSE else np.empty(target.shape, target.dtype)
        columns.convolve(part, filters, None, once, y)
        if y is not target:
            target[...] = y


def filter_gradient(x: NumPyArray, gy: NumPyArray, kernel: Pair, params: ConvParams) -> NumPyArray:
    """Return the weight gradient: columns of gy times x, for each pair of remainders."""
    shapes = ConvShapes(x.shape, (gy.shape[1], x.shape[1] // params.groups, *kernel), params)
    once = ConvParams(dilation=params.dilation, groups=params.groups)
    gW = np.zeros(shapes.W, x.dtype)
    for down, across in remainders(shapes):
        part = gW[..., down.taps, across.taps]
        if part.size > 0:
            images = np.ascontiguousarray(x[:, :, down.positions, across.positions])
            outputs, taps = cut_out(gy, down.reached, across.reached), part.shape[2:]
            flipped = columns.filter_gradient(outputs, images, taps, once)
            part[...] = flip(flipped, params.groups)
    return gW


def flip(W: NumPyArray, groups: int) -> NumPyArray:
    """Return filters rotated by 180 degrees, with input and output channels exchanged."""
    OC, C, KH, KW = W.shape
    parts = W.reshape(groups, OC // groups, C, KH, KW).swapaxes(1, 2)[..., ::-1, ::-1]
    return np.ascontiguousarray(parts).reshape(groups * C, OC // groups, KH, KW)
