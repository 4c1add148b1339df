"""Compute convolutions and their gradients with oneDNN, in one of two layouts.

DeZero's threads split the batch. If the batch is one image, the threads split the filters,
channels or groups. oneDNN computes in the calling thread, on a few images at a time, so that
reordered data is still in the cache when it is read.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from dezero_core.extend import Kernel, ops
from dezero_nn.conv_kernels import (
    Algorithm,
    NumPyArray,
    conv_kernels,
    shapes_of_grads,
    shapes_of_W,
    shapes_of_x,
    shapes_of_y,
)
from dezero_nn.parallel import parallel_for, split_range
from dezero_nn.windows import ConvParams, ConvShapes, Pair, Shape

from .conv_operations import Order, backward_W, backward_x, forward
from .layouts import contiguous
from .library import one_thread

BLOCK = 800_000
"""Number of elements in a block of images and outputs, chosen to fit in the cache. A block has at
least four times as many elements as the filters, because the filters are reordered for every block.
With 2 MB of L2 cache, convolutions with half or twice this value take at most 5 % longer (an
estimate)."""


def layout_kernels(
    name: str, order: Order, algorithm: Algorithm, work: Callable[[str, ConvShapes], float]
) -> list[Kernel]:
    """Return the kernels of the four ops of a convolution in one layout.

    Args:
        name: the name of the layout; the kernels are called ``onednn_NAME_OP``.
        order: the layout.
        algorithm: what the layout supports and what it costs.
        work: returns the cost of a part of the shapes in multiply-adds, for `parallel_for`.
    """

    def conv2d(
        x: NumPyArray, W: NumPyArray, b: NumPyArray | None, params: ConvParams
    ) -> NumPyArray:
        shapes = shapes_of_y(x, W, b, params)
        return convolve(x, W, b, shapes, order, work("y", shapes))

    def conv2d_grad_x(
        gy: NumPyArray, W: NumPyArray, shape: Shape, params: ConvParams
    ) -> NumPyArray:
        shapes = shapes_of_x(gy, W, shape, params)
        return image_gradient(gy, W, shapes, order, work("x", shapes))

    def conv2d_grad_W(
        x: NumPyArray, gy: NumPyArray, kernel: Pair, params: ConvParams
    ) -> NumPyArray:
        shapes = shapes_of_W(x, gy, kernel, params)
        return filter_gradient(x, gy, shapes, order, work("W", shapes))

    def conv2d_grads(
        gy: NumPyArray, x: NumPyArray, W: NumPyArray, params: ConvParams
    ) -> tuple[NumPyArray, NumPyArray, Any]:
        shapes = shapes_of_grads(gy, x, W, params)
        return both_gradients(gy, x, W, shapes, order, work("x", shapes) + work("W", shapes))

    functions = conv2d, conv2d_grad_x, conv2d_grad_W, conv2d_grads
    for function in functions:
        function.__name__ = f"onednn_{name}_{function.__name__}"
    return conv_kernels(algorithm, *functions)


def convolve(
    x: NumPyArray, W: NumPyArray, b: NumPyArray | None, shapes: ConvShapes, order: Order,
    work: float,
) -> NumPyArray:  # fmt: skip
    """Return the convolution of images with filters."""
    x, W, b = contiguous(x), contiguous(W), None if b is None else contiguous(b)
    y = np.empty((len(x), len(W), *shapes.counts), x.dtype)

    def compute(part: slice) -> None:
        if len(x) > 1:
            write_output(x[part], W, b, shapes.params, y[part], order)
            return
        channels, filters, params = part_of_image(part, shapes)
        bias = None if b is None else b[filters]
        write_output(x[:, channels], W[filters], bias, params, y[:, filters], order)

    parallel_for(count_units(shapes, len(W)), work, compute)
    return y


def image_gradient(
    gy: NumPyArray, W: NumPyArray, shapes: ConvShapes, order: Order, work: float
) -> NumPyArray:
    """Return the input gradient."""
    gy, W, gx = contiguous(gy), contiguous(W), np.empty(shapes.x, gy.dtype)

    def compute(part: slice) -> None:
        if len(gy) > 1:
            write_image_gradient(gy[part], W, shapes.params, gx[part], order)
        elif shapes.params.groups > 1:
            channels, filters, params = part_of_image(part, shapes)
            write_image_gradient(gy[:, filters], W[filters], params, gx[:, channels], order)
        else:
            write_image_gradient(gy, contiguous(W[:, part]), shapes.params, gx[:, part], order)

    parallel_for(count_units(shapes, gx.shape[1]), work, compute)
    return gx


def filter_gradient(
    x: NumPyArray, gy: NumPyArray, shapes: ConvShapes, order: Order, work: float
) -> NumPyArray:
    """Return the weight gradient."""
    x, gy = contiguous(x), contiguous(gy)

    def compute(part: slice) -> NumPyArray:
        if len(x) > 1:
            return part_filter_gradient(x[part], gy[part], shapes.kernel, shapes.params, order)
        channels, filters, params = part_of_image(part, shapes)
        return part_filter_gradient(x[:, channels], gy[:, filters], shapes.kernel, params, order)

    parts = parallel_for(count_units(shapes, gy.shape[1]), work, compute)
    return add_up(parts) if len(x) > 1 else np.concatenate(parts)


def both_gradients(
    gy: NumPyArray, x: NumPyArray, W: NumPyArray, shapes: ConvShapes, order: Order, work: float
) -> tuple[NumPyArray, NumPyArray, Any]:
    """Return the gradients of input, weight and bias; reorder gy only once."""
    gy, x, W = map(contiguous, (gy, x, W))
    gx = np.empty(x.shape, x.dtype)

    def compute(part: slice) -> tuple[NumPyArray, Any]:
        some_gy, some_x, some_gx = gy[part], x[part], gx[part]
        with one_thread():
            gW = add_up(
                block_gradients(some_gy[few], some_x[few], some_gx[few], W, shapes.params, order)
                for few in blocks(some_x, some_gy, W.size)
            )
        return gW, ops["channel_sum"](some_gy)

    gW, gb = map(add_up, zip(*parallel_for(len(x), work, compute), strict=True))
    return gx, gW, gb


def count_units(shapes: ConvShapes, channels: int) -> int:
    """Return how many units the threads split: images, or groups of one image, or ``channels``."""
    images, groups = shapes.x[0], shapes.params.groups
    return images if images > 1 else groups if groups > 1 else channels


def part_of_image(part: slice, shapes: ConvShapes) -> tuple[slice, slice, ConvParams]:
    """Return the channels of x and y in the groups ``part``, and parameters for these groups.

    With one group, ``part`` selects channels of y, which depend on all channels of x.
    """
    groups = shapes.params.groups
    if groups == 1:
        return slice(None), part, shapes.params
    C, OC = shapes.x[1] // groups, shapes.W[0] // groups
    channels, filters = (slice(part.start * each, part.stop * each) for each in (C, OC))
    return channels, filters, shapes.params._replace(groups=part.stop - part.start)


# The functions below compute in the calling thread.


def write_output(
    x: NumPyArray, W: NumPyArray, b: NumPyArray | None, params: ConvParams, y: NumPyArray,
    order: Order,
) -> None:  # fmt: skip
    """Write the convolution to ``y``, block by block."""
    filters = (W,) if b is None else (W, b)
    with one_thread():
        for few in blocks(x, y, W.size):
            shapes = ConvShapes(x[few].shape, W.shape, params)
            forward(shapes, order, b is not None)((y[few],), x[few], *filters)


def write_image_gradient(
    gy: NumPyArray, W: NumPyArray, params: ConvParams, gx: NumPyArray, order: Order
) -> None:
    """Write the input gradient to ``gx``, block by block."""
    with one_thread():
        for few in blocks(gx, gy, W.size):
            shapes = ConvShapes(gx[few].shape, W.shape, params)
            backward_x(shapes, order)((gx[few],), gy[few], W)


def part_filter_gradient(
    x: NumPyArray, gy: NumPyArray, kernel: Pair, params: ConvParams, order: Order
) -> NumPyArray:
    """Return the weight gradient, summed block by block."""
    W_shape = gy.shape[1], x.shape[1] // params.groups, *kernel

    def compute(few: slice) -> NumPyArray:
        gW = np.empty(W_shape, x.dtype)
        backward_W(ConvShapes(x[few].shape, W_shape, params), order)((gW,), gy[few], x[few])
        return gW

    with one_thread():
        return add_up(map(compute, blocks(x, gy, math.prod(W_shape))))


def block_gradients(
    gy: NumPyArray, x: NumPyArray, gx: NumPyArray, W: NumPyArray, params: ConvParams, order: Order
) -> NumPyArray:
    """Write the input gradient of one block to ``gx``; return the block's weight gradient."""
    shapes, gW = ConvShapes(x.shape, W.shape, params), np.empty(W.shape, W.dtype)
    of_W, of_x = backward_W(shapes, order), backward_x(shapes, order)
    (first, images), (second, filters) = of_W.inputs, of_x.inputs
    reordered = first.read(gy)
    of_W.run((gW,), reordered, images.read(x))
    again = reordered if second.has_layout_of(first) else second.read(gy)
    of_x.run((gx,), again, filters.read(W))
    return gW


def blocks(x: NumPyArray, y: NumPyArray, filters: int) -> list[slice]:
    """Split the batch into equal blocks of about `BLOCK` elements, or more for large filters."""
    count = (x.size + y.size) // max(BLOCK, 4 * filters)
    return split_range(len(x), max(1, min(len(x), count)))


def add_up(parts: Iterable[NumPyArray]) -> NumPyArray:
    """Add all arrays to the first array in place, and return the sum."""
    first, *others = parts
    for other in others:
        first += other
    return first
