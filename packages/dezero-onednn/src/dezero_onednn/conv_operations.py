"""Compile oneDNN's convolution and its gradients for one set of shapes."""

from __future__ import annotations

from ctypes import c_int
from enum import Enum
from typing import Any

from dezero_nn.windows import ConvShapes, Shape

from .layouts import channels_last, integers, layout, open_layout
from .library import engine
from .operation import (
    BIAS,
    DIFF_DST,
    DIFF_SRC,
    DIFF_WEIGHTS,
    DST,
    SRC,
    TRAINING,
    WEIGHTS,
    ForEachThread,
    Operation,
    c_order,
    describe,
)

DIRECT = 1
"""oneDNN's enum value for direct convolution."""


class Order(Enum):
    """The memory layout of images."""

    BLOCKED = "channels in blocks of 16, or another layout that oneDNN chooses"
    CHANNELS_LAST = "channels last"


def output_shape(shapes: ConvShapes) -> Shape:
    """Return the shape (N, OC, OH, OW) of the output."""
    return shapes.x[0], shapes.W[0], *shapes.counts


def geometry(shapes: ConvShapes, order: Order) -> Any:
    """Return the layouts of images, filters and outputs, and the parameters that oneDNN takes."""
    stride, pad, dilation, groups = shapes.params
    images = channels_last if order is Order.CHANNELS_LAST else open_layout
    if shapes.kernel == (1, 1):
        images = layout  # for 1x1 filters, no layout is faster than C order
    gaps = integers([steps - 1 for steps in dilation])
    filters = open_layout(grouped(shapes.W, groups))
    layouts = images(shapes.x), filters, images(output_shape(shapes))
    return layouts, (integers(stride), gaps, integers(pad), integers(pad))


def grouped(W: Shape, groups: int) -> Shape:
    """Return the shape of filters in oneDNN, which has an axis for the groups."""
    return W if groups == 1 else (groups, W[0] // groups, *W[1:])


def forward_description(shapes: ConvShapes, order: Order, with_bias: bool) -> Any:
    """Return the forward descriptor, which the gradients' descriptors need as a hint."""
    (images, filters, outputs), numbers = geometry(shapes, order)
    bias = layout(shapes.W[:1]) if with_bias else None
    method = c_int(TRAINING), c_int(DIRECT)
    layouts = images, filters, bias, outputs
    return describe("convolution_forward", engine(), *method, *layouts, *numbers)


def c_order_filters(shapes: ConvShapes) -> Any:
    """Return the specification of filters in C order."""
    return c_order(shapes.W, grouped(shapes.W, shapes.params.groups))


@ForEachThread
def forward(shapes: ConvShapes, order: Order, with_bias: bool) -> Operation:
    """Compile the convolution of images with filters, and optionally a bias."""
    inputs = {SRC: c_order(shapes.x), WEIGHTS: c_order_filters(shapes)}
    if with_bias:
        inputs[BIAS] = c_order(shapes.W[:1])
    description = forward_description(shapes, order, with_bias)
    return Operation(description, inputs, {DST: c_order(output_shape(shapes))})


@ForEachThread
def backward_x(shapes: ConvShapes, order: Order) -> Operation:
    """Compile the input gradient from the output gradient and the filters."""
    hint = forward_description(shapes, order, False)
    layouts, numbers = geometry(shapes, order)
    method = engine(), c_int(DIRECT)
    description = describe("convolution_backward_data", *method, *layouts, *numbers, hint)
    inputs = {DIFF_DST: c_order(output_shape(shapes)), WEIGHTS: c_order_filters(shapes)}
    return Operation(description, inputs, {DIFF_SRC: c_order(shapes.x)})


@ForEachThread
def backward_W(shapes: ConvShapes, order: Order) -> Operation:
    """Compile the weight gradient from the output gradient and the images."""
    hint = forward_description(shapes, order, False)
    (images, filters, outputs), numbers = geometry(shapes, order)
    layouts = images, filters, None, outputs
    method = engine(), c_int(DIRECT)
    description = describe("convolution_backward_weights", *method, *layouts, *numbers, hint)
    inputs = {DIFF_DST: c_order(output_shape(shapes)), SRC: c_order(shapes.x)}
    return Operation(description, inputs, {DIFF_WEIGHTS: c_order_filters(shapes)})
