"""Images to columns and back: every window laid out, so that convolution is a product."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dezero_core import Function, Variable
from dezero_core.errors import ShapeError
from dezero_core.extend import as_shape, backend_of, cast, to_single
from dezero_core.functions import reshape, transpose
from dezero_core.hints import hinted

from .. import signatures
from ..windows import DENSE, Pair, element_of_windows, window_counts, window_settings


@signatures.im2col.define
def _im2col(x: Any, kernel: Pair, stride: Pair, pad: Pair, dilation: Pair, value: float) -> Any:
    backend = backend_of(x)
    if any(pad):
        x = backend.pad(x, ((0, 0), (0, 0), (pad[0], pad[0]), (pad[1], pad[1])), value)
    return backend.sliding_windows(x, kernel, stride, dilation)


@signatures.col2im.define
def _col2im(cols: Any, shape: tuple[int, ...], stride: Pair, pad: Pair, dilation: Pair) -> Any:
    backend = backend_of(cols)
    dtype, cols = cols.dtype, to_single(cols, backend)
    (N, C, H, W), (PH, PW) = shape, pad
    _, _, KH, KW, OH, OW = cols.shape
    x = backend.zeros((N, C, H + 2 * PH, W + 2 * PW), cols)
    for i in range(KH):
        for j in range(KW):
            places = element_of_windows(i, j, stride, (OH, OW), dilation)
            x = backend.scatter_add(x, places, cols[:, :, i, j, ...])
    x = x[:, :, PH : PH + H, PW : PW + W]
    return x if x.dtype == dtype else cast(x, dtype)


class Im2col(Function):
    """y = every window of x;  each element gets the gradients of all windows it is in."""

    def __init__(self, kernel: Pair, stride: Pair, pad: Pair, value: float = 0.0) -> None:
        self.kernel, self.stride, self.pad, self.value = kernel, stride, pad, value

    def forward(self, x: Any) -> Any:
        window_counts(x.shape, self.kernel, self.stride, self.pad)
        return signatures.im2col(x, self.kernel, self.stride, self.pad, DENSE, self.value)

    def backward(self, gy: Any) -> Any:
        (x,) = self.inputs
        return Col2im(x.shape, self.kernel, self.stride, self.pad)(gy)


@hinted
def im2col(
    x: Any, kernel_size: int | Pair, stride: int | Pair = 1, pad: int | Pair = 0,
    to_matrix: bool = True,
) -> Variable:  # fmt: skip
    """Return every window of images, one in a row (book step 57).

    Args:
        x: images, shape (N, C, H, W).
        kernel_size: size of the windows, an integer or a pair (KH, KW).
        stride: steps between windows, an integer or a pair.
        pad: zeros around the images, an integer or a pair.
        to_matrix: return a matrix (default), else the windows with all their axes.

    Returns:
        shape (N*OH*OW, C*KH*KW), or (N, C, KH, KW, OH, OW), perhaps a view that cannot be
        written to.

    Raises:
        ShapeError: ``x`` has not four axes, or no window fits.
        ArgumentError: a setting is out of range.
    """
    y = Im2col(*window_settings("im2col", kernel_size, stride, pad))(x)
    if not to_matrix:
        return y
    N, C, KH, KW, OH, OW = y.shape
    return reshape(transpose(y, (0, 4, 5, 1, 2, 3)), (N * OH * OW, C * KH * KW))


class Col2im(Function):
    """y = windows added up where they lie;  each window gets the gradient from there."""

    def __init__(self, shape: tuple[int, ...], kernel: Pair, stride: Pair, pad: Pair) -> None:
        self.shape, self.kernel, self.stride, self.pad = tuple(shape), kernel, stride, pad

    def forward(self, x: Any) -> Any:
        counts = window_counts(self.shape, self.kernel, self.stride, self.pad)
        expected = (*self.shape[:2], *self.kernel, *counts)
        if tuple(x.shape) != expected:
            raise ShapeError(
                f"Col2im: windows of images {self.shape} are {expected}, got {tuple(x.shape)}"
            )
        return signatures.col2im(x, self.shape, self.stride, self.pad, DENSE)

    def backward(self, gy: Any) -> Any:
        return Im2col(self.kernel, self.stride, self.pad)(gy)


@hinted
def col2im(
    x: Any, input_shape: Sequence[int], kernel_size: int | Pair, stride: int | Pair = 1,
    pad: int | Pair = 0, to_matrix: bool = True,
) -> Variable:  # fmt: skip
    """Return images with windows added up where they lie: the transpose of `im2col`.

    Args:
        x: what ``im2col`` returns with the same settings.
        input_shape: the shape (N, C, H, W) of the images.
        kernel_size, stride, pad, to_matrix: as for `im2col`.

    Returns:
        shape ``input_shape``.

    Raises:
        ShapeError: ``x`` has another shape than the windows of such images.
        ArgumentError: a setting is out of range.
    """
    kernel, stride, pad = window_settings("col2im", kernel_size, stride, pad)
    input_shape = as_shape("col2im", input_shape, "input_shape")
    if to_matrix:
        (OH, OW), (N, C) = window_counts(input_shape, kernel, stride, pad), input_shape[:2]
        x = transpose(reshape(x, (N, OH, OW, C, *kernel)), (0, 3, 4, 5, 1, 2))
    return Col2im(input_shape, kernel, stride, pad)(x)
