"""Copy every window of images to an array (im2col); scatter-add windows to images (col2im)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from dezero_core import Function, Variable, as_variable
from dezero_core.arguments import as_shape, require_bool
from dezero_core.dtypes import cast, to_single
from dezero_core.errors import ShapeError
from dezero_core.extend import Array, backend_of, kernel_op
from dezero_core.functions import reshape, transpose
from dezero_core.hints import hinted
from dezero_core.variable import AnyArray, Operand

from ..windows import (
    DENSE,
    Pair,
    Shape,
    element_of_windows,
    pair,
    window_counts,
    window_settings,
)


@kernel_op
def im2col_op(
    x: Array, kernel: Pair, stride: Pair, pad: Pair, dilation: Pair, value: float
) -> Array:
    """Return every window of x (N, C, H, W), padded with ``value``: (N, C, KH, KW, OH, OW).

    The result may be a view.
    """
    backend = backend_of(x)
    if any(pad):
        x = backend.pad(x, ((0, 0), (0, 0), (pad[0], pad[0]), (pad[1], pad[1])), value)
    return backend.sliding_windows(x, kernel, stride, dilation)


@kernel_op
def col2im_op(cols: Array, shape: Shape, stride: Pair, pad: Pair, dilation: Pair) -> Array:
    """Return the transpose of `im2col_op`: windows scatter-added to images of shape (N, C, H, W).

    cols: (N, C, KH, KW, OH, OW).
    """
    backend = backend_of(cols)
    dtype, cols = cols.dtype, to_single(cols, backend)
    (N, C, H, W), (PH, PW) = shape, pad
    _, _, KH, KW, OH, OW = cols.shape
    x = backend.zeros((N, C, H + 2 * PH, W + 2 * PW), cols)
    for i in range(KH):
        for j in range(KW):
            index = element_of_windows(i, j, stride, (OH, OW), dilation)
            x = backend.scatter_add(x, index, cols[:, :, i, j, ...])
    x = x[:, :, PH : PH + H, PW : PW + W]
    return x if x.dtype == dtype else cast(x, dtype)


class Im2col(Function):
    """y = every window of x;  gx = col2im(gy)."""

    def __init__(
        self, kernel: Pair, stride: Pair, pad: Pair, value: float = 0.0, dilation: Pair = DENSE
    ) -> None:
        self.kernel, self.stride, self.pad, self.value = kernel, stride, pad, value
        self.dilation = dilation

    def forward(self, x: Array) -> Any:
        window_counts(x.shape, self.kernel, self.stride, self.pad, self.dilation, "Im2col")
        return im2col_op(x, self.kernel, self.stride, self.pad, self.dilation, self.value)

    def backward(self, gy: AnyArray) -> Any:
        (x,) = self.inputs
        return Col2im(x.shape, self.kernel, self.stride, self.pad, self.dilation)(gy)


@hinted
def im2col(
    x: Operand, kernel_size: int | Pair, stride: int | Pair = 1, pad: int | Pair = 0,
    to_matrix: bool = True,
) -> Variable:  # fmt: skip
    """Return every window of images as one row of a matrix (book step 57).

    Args:
        x: images, shape (N, C, H, W).
        kernel_size: the size of the windows, an integer or a pair (KH, KW).
        stride: the distance between windows, an integer or a pair. Default 1.
        pad: the zeros added on each side, an integer or a pair. Default 0.
        to_matrix: True (default) for a matrix, False for an array with six axes.

    Returns:
        shape (N*OH*OW, C*KH*KW), or (N, C, KH, KW, OH, OW). The array may be a read-only view.

    Raises:
        ShapeError: ``x`` does not have four axes, or no window fits.
        ArgumentError: a setting is out of range.
    """
    require_bool("im2col", "to_matrix", to_matrix)
    y = Im2col(*window_settings("im2col", kernel_size, stride, pad))(x)
    if not to_matrix:
        return y
    N, C, KH, KW, OH, OW = y.shape
    return reshape(transpose(y, (0, 4, 5, 1, 2, 3)), (N * OH * OW, C * KH * KW))


class Col2im(Function):
    """y = windows scatter-added to images;  gx = im2col(gy)."""

    def __init__(
        self, shape: Shape, kernel: Pair, stride: Pair, pad: Pair, dilation: Pair = DENSE
    ) -> None:
        self.shape, self.kernel, self.stride, self.pad = tuple(shape), kernel, stride, pad
        self.dilation = dilation

    def forward(self, x: Array) -> Any:
        settings = self.kernel, self.stride, self.pad, self.dilation
        counts = window_counts(self.shape, *settings, "Col2im")
        expected = (*self.shape[:2], *self.kernel, *counts)
        if tuple(x.shape) != expected:
            raise ShapeError(
                f"Col2im: windows of images {self.shape} are {expected}, got {tuple(x.shape)}"
            )
        return col2im_op(x, self.shape, self.stride, self.pad, self.dilation)

    def backward(self, gy: AnyArray) -> Any:
        return Im2col(self.kernel, self.stride, self.pad, 0.0, self.dilation)(gy)


@hinted
def col2im(
    x: AnyArray, input_shape: Sequence[int], kernel_size: int | Pair, stride: int | Pair = 1,
    pad: int | Pair = 0, to_matrix: bool = True,
) -> Variable:  # fmt: skip
    """Scatter-add windows to images of zeros; this operation is the transpose of `im2col`.

    Args:
        x: windows, as `im2col` returns them with the same settings.
        input_shape: the shape (N, C, H, W) of the images.
        kernel_size, stride, pad, to_matrix: as for `im2col`.

    Returns:
        shape ``input_shape``.

    Raises:
        ShapeError: images of shape ``input_shape`` do not have windows of the shape of ``x``.
        ArgumentError: a setting is out of range.
    """
    require_bool("col2im", "to_matrix", to_matrix)
    kernel, stride, pad = window_settings("col2im", kernel_size, stride, pad)
    input_shape = as_shape("col2im", input_shape, "input_shape")
    if to_matrix:
        OH, OW = window_counts(input_shape, kernel, stride, pad, op="col2im")
        N, C = input_shape[:2]
        x = transpose(reshape(x, (N, OH, OW, C, *kernel)), (0, 3, 4, 5, 1, 2))
    return Col2im(input_shape, kernel, stride, pad)(x)


@hinted
def unfold(
    x: Operand, kernel_size: int | Pair, dilation: int | Pair = 1, padding: int | Pair = 0,
    stride: int | Pair = 1,
) -> Variable:  # fmt: skip
    """Return every window of images as one column, in the order of ``torch.nn.functional.unfold``.

    Args:
        x: images, shape (N, C, H, W).
        kernel_size: the size of the windows, an integer or a pair (KH, KW).
        dilation: the distance between the elements of a window, an integer or a pair. Default 1.
        padding: the zeros added on each side, an integer or a pair. Default 0.
        stride: the distance between windows, an integer or a pair. Default 1.

    Returns:
        shape (N, C*KH*KW, L), for L windows; `im2col` returns the windows as rows instead.

    Raises:
        ShapeError: ``x`` does not have four axes, or no window fits.
        ArgumentError: a setting is out of range.
    """
    kernel, stride, pad = window_settings("unfold", kernel_size, stride, padding)
    y = Im2col(kernel, stride, pad, 0.0, pair(dilation, "unfold: dilation", 1))(x)
    N, C, KH, KW, OH, OW = y.shape
    return reshape(y, (N, C * KH * KW, OH * OW))


@hinted
def fold(
    x: Operand, output_size: int | Pair, kernel_size: int | Pair, dilation: int | Pair = 1,
    padding: int | Pair = 0, stride: int | Pair = 1,
) -> Variable:  # fmt: skip
    """Scatter-add windows to images of zeros; this operation is the transpose of `unfold`.

    Args:
        x: windows as columns, shape (N, C*KH*KW, L).
        output_size: the size (H, W) of the images, an integer or a pair.
        kernel_size, dilation, padding, stride: as for `unfold`.

    Returns:
        shape (N, C, H, W).

    Raises:
        ShapeError: images of this size do not have windows of the shape of ``x``.
        ArgumentError: a setting is out of range.
    """
    kernel, stride, pad = window_settings("fold", kernel_size, stride, padding)
    spread, size = pair(dilation, "fold: dilation", 1), pair(output_size, "fold: output_size", 1)
    x = as_variable(x)
    N, rows, L = x.shape if x.ndim == 3 else (0, 0, 0)
    counts = window_counts((N, rows, *size), kernel, stride, pad, spread, "fold")
    C = rows // max(math.prod(kernel), 1)
    if (rows, L) != (C * math.prod(kernel), math.prod(counts)) or x.ndim != 3:
        raise ShapeError(
            f"fold: x {x.shape}, output_size {size}: expected (N, C * {math.prod(kernel)}, "
            f"{math.prod(counts)}), one column for each of {counts} windows of {kernel}"
        )
    cols = reshape(x, (N, C, *kernel, *counts))
    return Col2im((N, C, *size), kernel, stride, pad, spread)(cols)
