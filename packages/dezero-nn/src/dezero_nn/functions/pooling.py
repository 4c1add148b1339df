"""Reduce each window of an image to its maximum or mean (pooling)."""

from __future__ import annotations

import math
from typing import Any

from dezero_core import Config, Function, Variable, get_array_module
from dezero_core.dtypes import as_floating, call_widened, is_floating, sum_over
from dezero_core.errors import ArgumentError
from dezero_core.extend import Array, backend_of, kernel_op, unwrap
from dezero_core.functions import max, reshape, transpose
from dezero_core.hints import hinted
from dezero_core.variable import AnyArray, Operand

from ..windows import DENSE, Pair, Shape, window_counts, window_settings
from .columns import Im2col, col2im_op, im2col_op


@kernel_op
def max_pool2d_op(x: Array, kernel: Pair, stride: Pair, pad: Pair) -> tuple[Array, Array]:
    """Return the largest element of each window, and its position, both of shape (N, C, OH, OW).

    A position is the index of an element in its window, counted row by row. If several elements are
    the largest, the first is chosen.
    """
    xp, padding = get_array_module(x), lowest_number(x)
    rows = in_rows(im2col_op(x, kernel, stride, pad, DENSE, padding))
    y, index = xp.max(rows, axis=2), xp.argmax(rows, axis=2)
    if any(pad):  # if an element of x equals the padding, the element of x must be chosen
        ones = backend_of(x).zeros((1, 1, *x.shape[2:]), index) + 1
        is_inside = in_rows(im2col_op(ones, kernel, stride, pad, DENSE, 0))
        index = xp.where(y == padding, xp.argmax(is_inside, axis=2), index)
    return y, index


@kernel_op
def max_pool2d_values_op(x: Array, kernel: Pair, stride: Pair, pad: Pair) -> Array:
    """Return only the first result of `max_pool2d_op`, for calls that build no graph."""
    xp = get_array_module(x)
    return xp.max(in_rows(im2col_op(x, kernel, stride, pad, DENSE, lowest_number(x))), axis=2)


def lowest_number(x: Array) -> float:
    """Return the lowest number of the dtype of ``x``, so that padding is never the maximum."""
    xp = get_array_module(x)
    if is_floating(x.dtype, backend_of(x)):
        return -math.inf
    return 0 if xp.isdtype(x.dtype, "bool") else int(xp.iinfo(x.dtype).min)


@kernel_op
def max_pool2d_grad_op(
    gy: Array, index: Array, shape: Shape, kernel: Pair, stride: Pair, pad: Pair
) -> Array:
    """Return ``gy`` scatter-added to the positions ``index`` of images of shape (N, C, H, W)."""
    xp = get_array_module(gy)
    spread = xp.expand_dims(gy, axis=2)
    cols = xp.where(chosen(index, kernel), spread, backend_of(gy).scalar_like(0, gy))
    cols = xp.reshape(cols, (*gy.shape[:2], *kernel, *gy.shape[2:]))
    return col2im_op(cols, shape, stride, pad, DENSE)


@kernel_op
def max_pool2d_pick_op(x: Array, index: Array, kernel: Pair, stride: Pair, pad: Pair) -> Array:
    """Return the element at position ``index`` of each window of ``x``: (N, C, OH, OW)."""
    xp = get_array_module(x)
    rows = in_rows(im2col_op(x, kernel, stride, pad, DENSE, 0.0))
    picked = xp.where(chosen(index, kernel), rows, backend_of(x).scalar_like(0, x))
    return xp.sum(picked, axis=2)


def in_rows(cols: Array) -> Array:
    """Reshape windows (N, C, KH, KW, OH, OW) to (N, C, KH*KW, OH, OW)."""
    N, C, KH, KW, OH, OW = cols.shape
    xp = get_array_module(cols)
    return xp.reshape(cols, (N, C, KH * KW, OH, OW))


def chosen(index: Array, kernel: Pair) -> Any:
    """Return a mask (N, C, KH*KW, OH, OW), true at position ``index`` of each window."""
    xp = get_array_module(index)
    positions = backend_of(index).arange(math.prod(kernel), index)
    return xp.expand_dims(index, axis=2) == xp.reshape(positions, (-1, 1, 1))


class Pool2d(Function):
    """Base class of Functions that map each window of images to one number."""

    def __init__(self, kernel: Pair, stride: Pair, pad: Pair) -> None:
        self.settings = kernel, stride, pad


class Pool2dGrad(Function):
    """Base class of Functions that map one number per window to images of ``shape``."""

    def __init__(self, shape: tuple[int, ...], kernel: Pair, stride: Pair, pad: Pair) -> None:
        self.shape, self.settings = tuple(shape), (kernel, stride, pad)


class MaxPool2d(Pool2d):
    """y = max of each window; outside of no_grad(), also the position of the maximum."""

    materialize_grads = False

    def forward(self, x: Array) -> Any:
        window_counts(x.shape, *self.settings, op=type(self).__name__)
        if not Config.enable_backprop:  # no gradient will need the positions
            return max_pool2d_values_op(x, *self.settings)
        return max_pool2d_op(x, *self.settings)

    def backward(self, gy: AnyArray, _: Any) -> Any:
        (x,), (_, index) = self.inputs, self.outputs
        return MaxPool2dGrad(x.shape, *self.settings)(gy, unwrap(index))


class MaxPool2dGrad(Pool2dGrad):
    """gx = gy scatter-added to the positions of the maxima;  dL/dgy = ggx at those positions."""

    def forward(self, gy: Array, index: Array) -> Any:
        return max_pool2d_grad_op(gy, index, self.shape, *self.settings)

    def backward(self, ggx: AnyArray) -> Any:
        _, index = self.inputs
        return MaxPool2dPick(*self.settings)(ggx, index), None


class MaxPool2dPick(Pool2d):
    """y = the element at position index of each window;  gx = gy at that position, else 0."""

    def forward(self, x: Array, index: Array) -> Any:
        return max_pool2d_pick_op(x, index, *self.settings)

    def backward(self, gy: AnyArray) -> Any:
        x, index = self.inputs
        return MaxPool2dGrad(x.shape, *self.settings)(gy, index), None


@hinted
def pooling(
    x: Operand, kernel_size: int | Pair, stride: int | Pair = 1, pad: int | Pair = 0
) -> Variable:
    """Return the largest element of each window (book step 57).

    Args:
        x: images, shape (N, C, H, W).
        kernel_size: the size of the windows, an integer or a pair (KH, KW).
        stride: the distance between windows, an integer or a pair. The default stride is 1, as in
            the book.
        pad: the elements added on each side, an integer or a pair. Default 0. The added elements
            are never the maximum of a window.

    Returns:
        shape (N, C, OH, OW). If several elements of a window are the largest, the first one, row by
        row, gets the gradient.

    Raises:
        ShapeError: ``x`` does not have four axes, or no window fits.
        ArgumentError: a setting is out of range, or ``pad`` is not smaller than ``kernel_size``.
    """
    kernel, stride, pad = window_settings("pooling", kernel_size, stride, pad)
    require_small_pad(kernel, pad)
    y = MaxPool2d(kernel, stride, pad)(x)
    return y[0] if isinstance(y, tuple) else y


@hinted
def pooling_simple(
    x: Operand, kernel_size: int | Pair, stride: int | Pair = 1, pad: int | Pair = 0
) -> Variable:
    """Compute `pooling` in two steps: `im2col`, then the maximum of each window (book step 57).

    Equal maxima share the gradient, as in `max`. If all elements of a window are -inf, the padding
    gets a share of the gradient too.
    """
    kernel, stride, pad = window_settings("pooling_simple", kernel_size, stride, pad)
    require_small_pad(kernel, pad)
    cols = Im2col(kernel, stride, pad, -math.inf)(as_floating(x))
    N, C, KH, KW, OH, OW = cols.shape
    rows = reshape(transpose(cols, (0, 4, 5, 1, 2, 3)), (N * OH * OW * C, KH * KW))
    return transpose(reshape(max(rows, axis=1), (N, OH, OW, C)), (0, 3, 1, 2))


def require_small_pad(kernel: Pair, pad: Pair) -> None:
    """Raise `ArgumentError` if a window could consist of padding only."""
    if pad[0] >= kernel[0] or pad[1] >= kernel[1]:
        raise ArgumentError(f"pooling: pad {pad} is not smaller than kernel_size {kernel}")


@kernel_op
def average_pool2d_op(x: Array, kernel: Pair, stride: Pair, pad: Pair) -> Array:
    """Return the mean of each window, including the zeros of the padding: (N, C, OH, OW)."""
    cols = im2col_op(x, kernel, stride, pad, DENSE, 0.0)
    return sum_over(cols, backend_of(cols), (2, 3)) / math.prod(kernel)


@kernel_op
def average_pool2d_grad_op(gy: Array, shape: Shape, kernel: Pair, stride: Pair, pad: Pair) -> Array:
    """Return images of ``shape``; each element of ``gy`` is spread equally over its window."""
    xp = get_array_module(gy)
    share = xp.reshape(gy / math.prod(kernel), (*gy.shape[:2], 1, 1, *gy.shape[2:]))
    cols = xp.broadcast_to(share, (*gy.shape[:2], *kernel, *gy.shape[2:]))
    return col2im_op(cols, shape, stride, pad, DENSE)


class AveragePool2d(Pool2d):
    """y = mean of each window;  dy/dx = 1 / (KH KW) for each element."""

    def forward(self, x: Array) -> Any:
        window_counts(x.shape, *self.settings, op=type(self).__name__)
        return average_pool2d_op(x, *self.settings)

    def backward(self, gy: AnyArray) -> Any:
        (x,) = self.inputs
        return AveragePool2dGrad(x.shape, *self.settings)(gy)


class AveragePool2dGrad(Pool2dGrad):
    """gx = gy / (KH KW) for each element of a window;  dL/dgy = the mean of ggx in each window."""

    def forward(self, gy: Array) -> Any:
        return average_pool2d_grad_op(gy, self.shape, *self.settings)

    def backward(self, ggx: AnyArray) -> Any:
        return AveragePool2d(*self.settings)(ggx)


@hinted
def average_pooling(
    x: Operand, kernel_size: int | Pair, stride: int | Pair = 1, pad: int | Pair = 0
) -> Variable:
    """Return the mean of each window, including the zeros of the padding.

    Args:
        x: images, shape (N, C, H, W).
        kernel_size: the size of the windows, an integer or a pair (KH, KW).
        stride: the distance between windows, an integer or a pair. The default stride is 1, as in
            the book.
        pad: the zeros added on each side, an integer or a pair. Default 0.

    Returns:
        shape (N, C, OH, OW).

    Raises:
        ShapeError: ``x`` does not have four axes, or no window fits.
        ArgumentError: a setting is out of range.
    """
    settings = window_settings("average_pooling", kernel_size, stride, pad)
    return call_widened(AveragePool2d(*settings), x)
