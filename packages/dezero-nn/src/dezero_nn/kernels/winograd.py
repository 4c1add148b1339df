"""Convolve with 3x3 filters by Winograd's minimal filtering, with fewer multiply-adds.

An image is cut into tiles of n x n elements that overlap by two. Each input tile gives an output
tile of m x m elements, with n = m + 2. The input transform of a tile d is V = B d B', the filter
transform of a filter w is U = G w G'. The elementwise product of U and V takes n*n multiply-adds.
Direct convolution takes nine multiply-adds for each of the m*m outputs (m = 4: 36 instead of 144).
The output transform is y = A' (U V) A.

The gradients use the same transforms, transposed. Threads split the batch. If there are few tiles,
the threads split the filters or channels; for a single image, they split the rows of tiles.

An inf or nan in an input spreads over whole output tiles, and rounding errors are about three times
those of a direct sum. ``dezero.precision("exact")`` turns this algorithm off. See docs/adr/0010 for
the algorithm, and docs/adr/0023 for the choice between the algorithms by cost.

Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2016.
"""

from __future__ import annotations

from functools import lru_cache
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
from . import tiles
from .filters import cached_transform
from .im2col import MULTIPLY_ADD, add_up
from .tiling import MIN_BLOCK, POINTS

TRANSFORM, TRANSFORM_OUTPUT = 2.0, 0.8
"""Single-core nanoseconds per element of a transformed input or filter, and of a transformed
output; fitted like the costs in `im2col`. Estimate: if a cost is wrong by a factor of two,
convolutions with few channels take up to 1.3 times as long."""

NARROW = 1.5
"""Output width at which the cost per tile is twice that of wide images, because tiles are copied
row by row. Estimate: if this width is wrong by a factor of two, convolutions of images with fewer
than 8 columns take up to 1.2 times as long."""

CALLS = 20_000
"""Nanoseconds of the NumPy calls that Winograd makes in addition to those of im2col. Estimate: if
this time is wrong by a factor of two, only very small images are affected."""

MIN_TILES = MIN_BLOCK
"""Minimum tiles in a batch that is split over threads; with fewer tiles, the channels are split."""


def cost_of_tiles(size: int, part: str, shapes: ConvShapes) -> float:
    """Return the estimated single-core nanoseconds for output tiles of ``size`` x ``size``."""
    (N, C, _, _), (OC, *_), _ = shapes
    each = MULTIPLY_ADD * C * OC + TRANSFORM * C + TRANSFORM_OUTPUT * OC
    # a single image is most likely inference, where the transformed filters are cached
    filters = 0 if part == "y" and N == 1 else TRANSFORM * C * OC
    narrow = 1 + NARROW / shapes.counts[1]
    return CALLS + narrow * (size + 2) ** 2 * (count_tiles(size, shapes) * each + filters)


def count_tiles(size: int, shapes: ConvShapes) -> int:
    """Return the number of tiles of all images."""
    OH, OW = shapes.counts
    return shapes.x[0] * -(-OH // size) * -(-OW // size)


@lru_cache(1024)
def tile_size(part: str, shapes: ConvShapes) -> int:
    """Return the side of the output tiles, 2 or 4, that makes the convolution cheaper."""
    return min(POINTS, key=lambda size: cost_of_tiles(size, part, shapes))


@lru_cache(1024)
def cost(part: str, shapes: ConvShapes) -> float:
    """Return the estimated single-core time in ns for y, or for the gradient of x or W."""
    return cost_of_tiles(tile_size(part, shapes), part, shapes)


def work(part: str, shapes: ConvShapes) -> float:
    """Return the cost in multiply-adds, the unit of `parallel_for`."""
    return cost(part, shapes) / MULTIPLY_ADD


def splits_by_channels(size: int, shapes: ConvShapes) -> bool:
    """Return whether there are too few tiles to split the batch.

    If there are too few tiles, the threads split the channels: each thread transforms all tiles, so
    that the number of columns of its matmuls does not shrink.
    """
    return shapes.x[0] == 1 or count_tiles(size, shapes) < MIN_TILES


def supports(parts: str, shapes: ConvShapes) -> bool | str:
    """Return True, or the reason why Winograd declines these shapes."""
    stride, pad, dilation, groups = shapes.params
    if shapes.kernel != (3, 3) or stride != DENSE or dilation != DENSE or groups > 1:
        return "only 3x3 filters with stride 1, dilation 1 and one group"
    if pad[0] != pad[1]:
        return "the padding differs between height and width"
    if parts == "xW" and splits_by_channels(tile_size("x", shapes), shapes):
        return "with few tiles, threads split each gradient differently"
    return True


def is_allowed() -> bool | str:
    """Return True, or the reason why Winograd is off."""
    return not Config.exact or "the precision is exact"


def winograd_conv2d(
    x: NumPyArray, W: NumPyArray, b: NumPyArray | None, params: ConvParams
) -> NumPyArray:
    """Return the convolution; see `conv2d_op`."""
    shapes, pad = shapes_of_y(x, W, b, params), params.pad[0]
    y, size = np.empty((len(x), len(W), *shapes.counts), x.dtype), tile_size("y", shapes)
    by_rows = len(x) == 1 and 2 * count_tiles(size, shapes) >= MIN_TILES
    by_filters = not by_rows and splits_by_channels(size, shapes)
    if len(x) == 1 or (by_filters and not Config.enable_backprop):
        U = cached_transform(W, size, transform_filters)
    else:
        U = transform_filters(W, size)

    def compute(part: slice) -> None:
        if by_rows:
            tiles.convolve(x, U, b, pad, size, y, part)
        elif by_filters:
            tiles.convolve(x, U[:, part], None if b is None else b[part], pad, size, y[:, part])
        else:
            tiles.convolve(x[part], U, b, pad, size, y[part])

    count = -(-y.shape[2] // size) if by_rows else len(W) if by_filters else len(x)
    parallel_for(count, work("y", shapes), compute)
    return y


def winograd_conv2d_grad_x(
    gy: NumPyArray, W: NumPyArray, shape: Shape, params: ConvParams
) -> NumPyArray:
    """Return the input gradient; see `conv2d_grad_x_op`."""
    shapes, gx, pad = shapes_of_x(gy, W, shape, params), np.empty(shape, gy.dtype), params.pad[0]
    size = tile_size("x", shapes)
    by_channels = splits_by_channels(size, shapes)
    U = transform_filters(W.swapaxes(0, 1), size)

    def compute(part: slice) -> None:
        if by_channels:
            tiles.image_gradient(gy, U[:, part], pad, size, gx[:, part])
        else:
            tiles.image_gradient(gy[part], U, pad, size, gx[part])

    parallel_for(gx.shape[1] if by_channels else len(gx), work("x", shapes), compute)
    return gx


def winograd_conv2d_grad_W(
    x: NumPyArray, gy: NumPyArray, kernel: Pair, params: ConvParams
) -> NumPyArray:
    """Return the weight gradient; see `conv2d_grad_W_op`."""
    shapes, pad = shapes_of_W(x, gy, kernel, params), params.pad[0]
    size = tile_size("W", shapes)
    by_filters = splits_by_channels(size, shapes)

    def compute(part: slice) -> NumPyArray:
        if by_filters:
            return tiles.filter_gradient(x, gy[:, part], pad, size)
        return tiles.filter_gradient(x[part], gy[part], pad, size)

    parts = parallel_for(gy.shape[1] if by_filters else len(x), work("W", shapes), compute)
    if not by_filters:
        return add_up(parts)
    return np.concatenate(parts) if len(parts) > 1 else parts[0]


def winograd_conv2d_grads(
    gy: NumPyArray, x: NumPyArray, W: NumPyArray, params: ConvParams
) -> tuple[NumPyArray, NumPyArray, Any]:
    """Return the gradients of input, weight and bias; transform gy once for both gradients."""
    shapes, gx, pad = shapes_of_grads(gy, x, W, params), np.empty(x.shape, x.dtype), params.pad[0]
    size = tile_size("x", shapes)
    U = transform_filters(W.swapaxes(0, 1), size)

    def compute(part: slice) -> tuple[NumPyArray, Any]:
        gW = tiles.both_gradients(x[part], gy[part], U, pad, size, gx[part])
        return gW, channel_sum_op(gy[part])

    parts = parallel_for(len(x), work("x", shapes) + work("W", shapes), compute)
    gW, gb = map(add_up, zip(*parts, strict=True))
    return gx, gW, gb


def transform_filters(W: NumPyArray, size: int) -> NumPyArray:
    """Return the transformed filters (n*n, OC, C), computed on the threads of `parallel_for`.

    BLAS's own threads are not used, because they would keep polling for work on the cores that the
    convolution needs next.
    """
    U = np.empty(((size + 2) ** 2, *W.shape[:2]), W.dtype)

    def compute(part: slice) -> None:
        U[:, part] = tiles.transform_filters(W[part], size)

    parallel_for(len(W), 9.0 * U.size, compute)
    return U


ALGORITHM = Algorithm("f", supports, cost, is_allowed)
KERNELS = conv_kernels(
    ALGORITHM,
    winograd_conv2d,
    winograd_conv2d_grad_x,
    winograd_conv2d_grad_W,
    winograd_conv2d_grads,
)
