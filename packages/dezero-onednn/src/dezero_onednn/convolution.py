"""Convolution and its gradients by oneDNN, where that is faster than plain NumPy.

Images are shared out among DeZero's threads, as its other kernels do; of a single image, the
filters are, or the groups. oneDNN computes in the thread that calls it:

      images   [ first half ]  ->  this thread      reorder, convolve, reorder, a few at a time
               [ second half ] ->  a worker         reorder, convolve, reorder, a few at a time

A few images at a time: what was reordered is still in the cache when it is read.
"""

from __future__ import annotations

import math
from ctypes import c_int
from typing import Any

import numpy as np

from dezero_core import Config
from dezero_nn.kernels import columns
from dezero_nn.kernels.conv import added, of_bias, tile, work
from dezero_nn.parallel import parallel_for, split_range
from dezero_nn.windows import ConvParams, Pair, window_counts

from .choice import Way, best
from .layouts import channels_last, contiguous, covers, integers, layout, open_layout
from .library import engine, one_thread
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

Settings = ConvParams
Shape = tuple[int, ...]

DIRECT = 1
"""oneDNN's word for the plain method."""

BLOCK = 800_000
"""Elements of images and outputs at a time, or four times those of the filters if that is more.

Filters are reordered for every block, and their gradients added up.
"""


def supports_conv2d(x: Any, W: Any, b: Any, settings: Settings) -> bool:
    """Return whether all arrays are float32 and not empty, and oneDNN is faster."""
    arrays = (x, W) if b is None else (x, W, b)
    return covers(*arrays) and way_of_y(x, W, settings) is not Way.PLAIN


def supports_conv2d_grad_x(gy: Any, W: Any, shape: Shape, settings: Settings) -> bool:
    """The same."""
    return covers(gy, W) and best("x", tuple(shape), W.shape, *settings) is not Way.PLAIN


def supports_conv2d_grad_W(x: Any, gy: Any, kernel: Pair, settings: Settings) -> bool:
    """The same."""
    W_shape = gy.shape[1], x.shape[1] // settings[-1], *kernel
    return covers(x, gy) and best("W", x.shape, W_shape, *settings) is not Way.PLAIN


def supports_conv2d_grads(gy: Any, x: Any, W: Any, settings: Settings) -> bool:
    """Both gradients of several images, which are shared out once: oneDNN's, or one by columns."""
    if not (covers(gy, x) and covers(x, W) and len(x) > 1):
        return False
    ways = {best(part, x.shape, W.shape, *settings) for part in "xW"}
    by_columns = tile(x.shape, W.shape, x.dtype, *settings) == 0
    return ways != {Way.PLAIN} and (by_columns or Way.PLAIN not in ways)


def way_of_y(x: Any, W: Any, settings: Settings) -> Way:
    """The best for the output; without training, `dezero_nn` remembers filters."""
    return best("y", x.shape, W.shape, *settings, not Config.enable_backprop)


def onednn_conv2d(x: Any, W: Any, b: Any, settings: Settings) -> Any:
    """Filters at every place of the images."""
    x, W, b = contiguous(x), contiguous(W), None if b is None else contiguous(b)
    y = np.empty((len(x), len(W), *window_counts(x.shape, W.shape[2:], *settings[:3])), x.dtype)
    way = way_of_y(x, W, settings)

    def compute(part: slice) -> None:
        if len(x) > 1:
            convolve(x[part], W, b, y[part], settings, way)
            return
        channels, filters, own = of_one_image(part, x, y, settings)
        bias = None if b is None else b[filters]
        convolve(x[:, channels], W[filters], bias, y[:, filters], own, way)

    parallel_for(units(x, settings.groups, len(W)), work(x.size, y.size, W.shape), compute)
    return y


def onednn_conv2d_grad_x(gy: Any, W: Any, shape: Shape, settings: Settings) -> Any:
    """The gradient of the images."""
    groups = settings.groups
    gy, W, gx = contiguous(gy), contiguous(W), np.empty(shape, gy.dtype)
    way = best("x", gx.shape, W.shape, *settings)

    def compute(part: slice) -> None:
        if len(gy) > 1:
            gradient_of_x(gy[part], W, gx[part], settings, way)
        elif groups > 1:
            channels, filters, own = of_one_image(part, gx, gy, settings)
            gradient_of_x(gy[:, filters], W[filters], gx[:, channels], own, way)
        else:
            gradient_of_x(gy, contiguous(W[:, part]), gx[:, part], settings, way)

    parallel_for(units(gy, groups, shape[1]), work(gx.size, gy.size, W.shape), compute)
    return gx


def onednn_conv2d_grad_W(x: Any, gy: Any, kernel: Pair, settings: Settings) -> Any:
    """The gradient of the filters: the sum of those by the parts of the images."""
    groups = settings.groups
    x, gy = contiguous(x), contiguous(gy)
    W_shape = gy.shape[1], x.shape[1] // groups, *kernel
    way = best("W", x.shape, W_shape, *settings)

    def compute(part: slice) -> Any:
        if len(x) > 1:
            return gradient_of_W(x[part], gy[part], kernel, settings, way)
        channels, filters, own = of_one_image(part, x, gy, settings)
        return gradient_of_W(x[:, channels], gy[:, filters], kernel, own, way)

    parts = parallel_for(units(x, groups, gy.shape[1]), work(x.size, gy.size, W_shape), compute)
    return added(parts) if len(x) > 1 else np.concatenate(parts)


def onednn_conv2d_grads(gy: Any, x: Any, W: Any, settings: Settings) -> Any:
    """Both of them, and of the bias: what comes back is reordered once."""
    gy, x, W = map(contiguous, (gy, x, W))
    gx = np.empty(x.shape, x.dtype)
    ways = [best(part, x.shape, W.shape, *settings) for part in "Wx"]

    def compute(part: slice) -> Any:
        return gradients(gy[part], x[part], W, gx[part], settings, *ways), of_bias(gy[part])

    parts = parallel_for(len(x), work(x.size, gy.size, W.shape), compute)
    return gx, *map(added, zip(*parts, strict=True))


def units(images: Any, groups: int, channels: int) -> int:
    """How many there are to share out: images; of a single one its groups, or channels."""
    return len(images) if len(images) > 1 else groups if groups > 1 else channels


def of_one_image(part: slice, x: Any, y: Any, settings: Settings) -> Any:
    """The channels of x and of y that some of its groups have, and the settings of these.

    Where there is one group, all channels of x, and some of y.
    """
    groups = settings.groups
    if groups == 1:
        return slice(None), part, settings
    channels, filters = (
        slice(part.start * (each // groups), part.stop * (each // groups))
        for each in (x.shape[1], y.shape[1])
    )
    return channels, filters, settings._replace(groups=part.stop - part.start)


# In the thread that calls them


def convolve(x: Any, W: Any, b: Any, y: Any, settings: Settings, way: Way) -> None:
    """Into ``y``."""
    filters = (W,) if b is None else (W, b)
    with one_thread():
        for few in blocks(x, y, W.size):
            shapes = x[few].shape, W.shape, y[few].shape
            forward(*shapes, b is not None, settings, way)((y[few],), x[few], *filters)


def gradient_of_x(gy: Any, W: Any, gx: Any, settings: Settings, way: Way) -> None:
    """Into ``gx``."""
    with one_thread():
        for few in blocks(gx, gy, W.size):
            shapes = gx[few].shape, W.shape, gy[few].shape
            backward_x(*shapes, settings, way)((gx[few],), gy[few], W)


def gradient_of_W(x: Any, gy: Any, kernel: Pair, settings: Settings, way: Way) -> Any:
    """In a new array."""
    W_shape = gy.shape[1], x.shape[1] // settings[3], *kernel

    def of(few: slice) -> Any:
        gW, shapes = np.empty(W_shape, x.dtype), (x[few].shape, W_shape, gy[few].shape)
        backward_W(*shapes, settings, way)((gW,), gy[few], x[few])
        return gW

    with one_thread():
        return added(map(of, blocks(x, gy, math.prod(W_shape))))


def gradients(
    gy: Any, x: Any, W: Any, gx: Any, settings: Settings, way_of_W: Way, way_of_x: Way
) -> Any:
    """Into ``gx`` the one, in a new array the other."""
    if way_of_x is Way.PLAIN:
        columns.conv2d_grad_x(gy, W, *settings, gx)
        return gradient_of_W(x, gy, W.shape[2:], settings, way_of_W)
    if way_of_W is Way.PLAIN:
        gradient_of_x(gy, W, gx, settings, way_of_x)
        return columns.conv2d_grad_W(x, gy, W.shape[2:], *settings)
    with one_thread():
        return added(
            gradients_of_few(gy[few], x[few], W, gx[few], settings, way_of_W, way_of_x)
            for few in blocks(x, gy, W.size)
        )


def gradients_of_few(
    gy: Any, x: Any, W: Any, gx: Any, settings: Settings, way_of_W: Way, way_of_x: Way
) -> Any:
    """The same of a block."""
    shapes, gW = (x.shape, W.shape, gy.shape, settings), np.empty(W.shape, W.dtype)
    of_W, of_x = backward_W(*shapes, way_of_W), backward_x(*shapes, way_of_x)
    (first, images), (second, filters) = of_W.inputs, of_x.inputs
    taken = first.read(gy)
    of_W.run((gW,), taken, images.read(x))
    of_x.run((gx,), taken if second.has_layout_of(first) else second.read(gy), filters.read(W))
    return gW


def blocks(x: Any, y: Any, filters: int) -> list[slice]:
    """A few images at a time, as evenly as can be; ``filters`` have so many elements."""
    count = (x.size + y.size) // max(BLOCK, 4 * filters)
    return split_range(len(x), max(1, min(len(x), count)))


# What oneDNN compiles, for one set of shapes


def geometry(x: Shape, W: Shape, y: Shape, settings: Settings, way: Way) -> Any:
    """Layouts of images, filters and outputs; oneDNN's numbers for the settings."""
    stride, pad, dilation, groups = settings
    images = channels_last if way is Way.CHANNELS_LAST else open_layout
    if W[2:] == (1, 1):
        images = layout  # nothing to gain from another order
    gaps = integers([steps - 1 for steps in dilation])
    layouts = images(x), open_layout(grouped(W, groups)), images(y)
    return layouts, (integers(stride), gaps, integers(pad), integers(pad))


def grouped(W: Shape, groups: int) -> Shape:
    """The shape of filters as oneDNN has it."""
    return W if groups == 1 else (groups, W[0] // groups, *W[1:])


def forward_description(
    x: Shape, W: Shape, y: Shape, with_bias: bool, settings: Settings, way: Way
) -> Any:
    """Of the convolution; oneDNN wants it for the gradients too."""
    (images, filters, outputs), numbers = geometry(x, W, y, settings, way)
    bias = layout(W[:1]) if with_bias else None
    kind = c_int(TRAINING), c_int(DIRECT)
    layouts = images, filters, bias, outputs
    return describe("convolution_forward", engine(), *kind, *layouts, *numbers)


@ForEachThread
def forward(
    x: Shape, W: Shape, y: Shape, with_bias: bool, settings: Settings, way: Way
) -> Operation:
    """Images of shape x, filters of shape W and perhaps a bias to outputs of shape y."""
    inputs = {SRC: c_order(x), WEIGHTS: c_order(W, grouped(W, settings[3]))}
    if with_bias:
        inputs[BIAS] = c_order(W[:1])
    description = forward_description(x, W, y, with_bias, settings, way)
    return Operation(description, inputs, {DST: c_order(y)})


@ForEachThread
def backward_x(x: Shape, W: Shape, y: Shape, settings: Settings, way: Way) -> Operation:
    """Gradients of outputs, and filters, to gradients of images."""
    hint = forward_description(x, W, y, False, settings, way)
    (images, filters, outputs), numbers = geometry(x, W, y, settings, way)
    layouts = images, filters, outputs
    method = engine(), c_int(DIRECT)
    description = describe("convolution_backward_data", *method, *layouts, *numbers, hint)
    inputs = {DIFF_DST: c_order(y), WEIGHTS: c_order(W, grouped(W, settings[3]))}
    return Operation(description, inputs, {DIFF_SRC: c_order(x)})


@ForEachThread
def backward_W(x: Shape, W: Shape, y: Shape, settings: Settings, way: Way) -> Operation:
    """Gradients of outputs, and images, to gradients of filters."""
    hint = forward_description(x, W, y, False, settings, way)
    (images, filters, outputs), numbers = geometry(x, W, y, settings, way)
    layouts = images, filters, None, outputs
    method = engine(), c_int(DIRECT)
    description = describe("convolution_backward_weights", *method, *layouts, *numbers, hint)
    inputs = {DIFF_DST: c_order(y), SRC: c_order(x)}
    return Operation(description, inputs, {DIFF_WEIGHTS: c_order(W, grouped(W, settings[3]))})
