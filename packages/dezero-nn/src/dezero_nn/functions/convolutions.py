"""Define convolution over one and three axes, and transposed convolution with PyTorch's names.

Every op here calls two-dimensional convolutions, so that it runs their kernels. A signal of one
axis is an image with one row. In three dimensions, each window over the depth is joined to the
channels, and each position of the window to the batch.
"""

from __future__ import annotations

from typing import Any

from dezero_core import Variable, as_variable
from dezero_core.arguments import as_integer
from dezero_core.dtypes import as_floating
from dezero_core.errors import ArgumentError, ShapeError
from dezero_core.functions import expand_dims, get_item, reshape, squeeze, transpose
from dezero_core.hints import hinted
from dezero_core.variable import Operand

from ..windows import (
    ConvParams,
    Shape,
    get_deconv_outsize,
    padding_of,
    pair,
    per_axis,
    window_counts_along,
)
from .columns import Col2im, Im2col
from .conv import Conv2d, Conv2dGradX, require_groups

Sizes = int | tuple[int, ...]
"""One integer for all axes, or one for each axis."""
AXES = {1: "L", 2: "H, W", 3: "D, H, W"}
"""The names of the axes that a filter slides along, by their number."""


@hinted
def conv1d(
    x: Operand, W: Operand, b: Operand | None = None, stride: Sizes = 1, padding: Sizes | str = 0,
    dilation: Sizes = 1, groups: int = 1,
) -> Variable:  # fmt: skip
    """Return the cross-correlation of signals and filters, like ``torch.nn.functional.conv1d``.

    Args:
        x: signals, shape (N, C, L), or one signal, shape (C, L).
        W: filters, shape (OC, C / groups, K).
        b: shape (OC,), or None.
        stride: the distance between windows. Default 1.
        padding: the zeros added on each side (default 0); "valid" for 0; "same" for an output of
            the length of ``x``, where an odd number of zeros has one more at the end.
        dilation: the distance between kernel positions. Default 1.
        groups: the number of equal groups of channels, each convolved with its own filters.
            Default 1.

    Returns:
        shape (N, OC, OL), or (OC, OL) for one signal; see `get_conv_outsize`.

    Raises:
        ShapeError: the shapes are incompatible, or no window fits into the signals.
        ArgumentError: a setting is out of range, or ``groups`` does not divide C and OC.
    """
    return convolve("conv1d", 1, x, W, b, stride, padding, dilation, groups)


@hinted
def conv3d(
    x: Operand, W: Operand, b: Operand | None = None, stride: Sizes = 1, padding: Sizes | str = 0,
    dilation: Sizes = 1, groups: int = 1,
) -> Variable:  # fmt: skip
    """Return the cross-correlation of volumes and filters, like ``torch.nn.functional.conv3d``.

    Args:
        x: volumes, shape (N, C, D, H, W), or one volume, shape (C, D, H, W).
        W: filters, shape (OC, C / groups, KD, KH, KW).
        b: shape (OC,), or None.
        stride, padding, dilation, groups: as for `conv1d`; an integer, or one for each axis.

    Returns:
        shape (N, OC, OD, OH, OW), or (OC, OD, OH, OW) for one volume.

    Raises:
        ShapeError: the shapes are incompatible, or no window fits into the volumes.
        ArgumentError: a setting is out of range, or ``groups`` does not divide C and OC.
    """
    return convolve("conv3d", 3, x, W, b, stride, padding, dilation, groups)


def convolve(
    op: str, n: int, x: Any, W: Any, b: Any, stride: Sizes, padding: Sizes | str,
    dilation: Sizes, groups: int,
) -> Variable:  # fmt: skip
    """Convolve over the last ``n`` axes of ``x``; the arguments are those of `conv1d`."""
    x, W, b, is_batch = checked_inputs(op, n, x, W, b)
    groups, kernel = as_integer(op, "groups", groups), W.shape[2:]
    if x.shape[1] != W.shape[1] * groups:
        raise conv_shape_error(op, n, x, W, groups, "(OC, C / groups, {})")
    require_bias(op, b, W.shape[0])
    require_groups(op, groups, x.shape[1], W.shape[0])
    stride, dilation = (
        per_axis(n, stride, f"{op}: stride", 1),
        per_axis(n, dilation, f"{op}: dilation", 1),
    )
    pad, surplus = padding_of(op, n, padding, kernel, stride, dilation)
    window_counts_along(op, x.shape[2:], kernel, stride, pad, dilation)
    steps = stride, pad, dilation
    y = by_depth(x, W, b, steps, groups) if n == 3 else in_rows(n, x, W, b, steps, groups)
    if any(surplus):
        y = get_item(y, (..., *[slice(s, None) for s in surplus]))
    return y if is_batch else squeeze(y, 0)


def in_rows(n: int, x: Any, W: Any, b: Any, steps: tuple[Shape, ...], groups: int) -> Variable:
    """Convolve images, or signals as images with one row."""
    if n == 2:
        return Conv2d(image_params(steps, groups))(x, W, b)
    return squeeze(Conv2d(image_params(steps, groups))(expand_dims(x, 2), expand_dims(W, 2), b), 2)


def image_params(steps: tuple[Shape, ...], groups: int) -> ConvParams:
    """Return the parameters for the last two axes, or for the columns of images with one row."""
    each = zip(steps, (1, 0, 1), strict=True)
    stride, pad, dilation = (pair((whole, *values)[-2:]) for values, whole in each)
    return ConvParams(stride, pad, dilation, groups)


def by_depth(x: Any, W: Any, b: Any, steps: tuple[Shape, ...], groups: int) -> Variable:
    """Convolve volumes: join depth windows to the channels, and their positions to the batch."""
    (N, C, D, H, Wd), (OC, each, KD, KH, KW) = x.shape, W.shape
    SD, PD, DD = (values[0] for values in steps)
    slabs = Im2col((KD, 1), (SD, 1), (PD, 0), 0.0, (DD, 1))(reshape(x, (N, C, D, H * Wd)))
    OD = slabs.shape[4]
    images = reshape(transpose(slabs, (0, 4, 1, 2, 3, 5)), (N * OD, C * KD, H, Wd))
    y = Conv2d(image_params(steps, groups))(images, reshape(W, (OC, each * KD, KH, KW)), b)
    return transpose(reshape(y, (N, OD, *y.shape[1:])), (0, 2, 1, 3, 4))


@hinted
def conv_transpose1d(
    x: Operand, W: Operand, b: Operand | None = None, stride: Sizes = 1, padding: Sizes = 0,
    output_padding: Sizes = 0, groups: int = 1, dilation: Sizes = 1,
) -> Variable:  # fmt: skip
    """Return the transposed convolution of signals; see `conv_transpose2d`.

    Args:
        x: shape (N, C, L), or (C, L).
        W: filters, shape (C, OC / groups, K).
        b: shape (OC,), or None.
        stride, padding, output_padding, groups, dilation: as for `conv_transpose2d`.

    Returns:
        shape (N, OC, OL), or (OC, OL).
    """
    settings = stride, padding, output_padding, groups, dilation
    return convolve_transposed("conv_transpose1d", 1, x, W, b, *settings)


@hinted
def conv_transpose2d(
    x: Operand, W: Operand, b: Operand | None = None, stride: Sizes = 1, padding: Sizes = 0,
    output_padding: Sizes = 0, groups: int = 1, dilation: Sizes = 1,
) -> Variable:  # fmt: skip
    """Return the transposed convolution, like ``torch.nn.functional.conv_transpose2d``.

    `deconv2d` computes the same with the book's arguments.

    Args:
        x: shape (N, C, H, W), or (C, H, W).
        W: filters, shape (C, OC / groups, KH, KW).
        b: shape (OC,), or None.
        stride, padding, groups, dilation: the settings of the convolution that maps the shape of
            the result to the shape of ``x``. Default 1, 0, 1 and 1.
        output_padding: the rows and columns added to the smallest size that such a convolution
            maps to (H, W); less than ``stride``. Default 0.

    Returns:
        shape (N, OC, OH, OW), or (OC, OH, OW).

    Raises:
        ShapeError: the shapes are incompatible, or the result would be empty.
        ArgumentError: a setting is out of range, or ``groups`` does not divide C and OC.
    """
    settings = stride, padding, output_padding, groups, dilation
    return convolve_transposed("conv_transpose2d", 2, x, W, b, *settings)


@hinted
def conv_transpose3d(
    x: Operand, W: Operand, b: Operand | None = None, stride: Sizes = 1, padding: Sizes = 0,
    output_padding: Sizes = 0, groups: int = 1, dilation: Sizes = 1,
) -> Variable:  # fmt: skip
    """Return the transposed convolution of volumes; see `conv_transpose2d`.

    Args:
        x: shape (N, C, D, H, W), or (C, D, H, W).
        W: filters, shape (C, OC / groups, KD, KH, KW).
        b: shape (OC,), or None.
        stride, padding, output_padding, groups, dilation: as for `conv_transpose2d`.

    Returns:
        shape (N, OC, OD, OH, OW), or (OC, OD, OH, OW).
    """
    settings = stride, padding, output_padding, groups, dilation
    return convolve_transposed("conv_transpose3d", 3, x, W, b, *settings)


def convolve_transposed(
    op: str, n: int, x: Any, W: Any, b: Any, stride: Sizes, padding: Sizes,
    output_padding: Sizes, groups: int, dilation: Sizes,
) -> Variable:  # fmt: skip
    """Apply a transposed convolution over the last ``n`` axes; see `conv_transpose2d`."""
    x, W, b, is_batch = checked_inputs(op, n, x, W, b)
    groups, kernel = as_integer(op, "groups", groups), W.shape[2:]
    if x.shape[1] != W.shape[0]:
        raise conv_shape_error(op, n, x, W, groups, "(C, OC / groups, {})")
    OC = W.shape[1] * groups
    require_bias(op, b, OC)
    require_groups(op, groups, x.shape[1], OC)
    steps, size = transposed_size(op, n, x.shape, kernel, stride, padding, output_padding, dilation)
    N, params = x.shape[0], image_params(steps, groups)
    if n == 3:
        y = spread_depth(x, W, steps, groups, size)
    elif n == 2:
        y = Conv2dGradX((N, OC, *size), params)(x, W)
    else:
        grad_x = Conv2dGradX((N, OC, 1, *size), params)
        y = squeeze(grad_x(expand_dims(x, 2), expand_dims(W, 2)), 2)
    y = y if b is None else y + reshape(b, (-1, *[1] * n))
    return y if is_batch else squeeze(y, 0)


def transposed_size(
    op: str, n: int, x: Shape, kernel: Shape, stride: Sizes, padding: Sizes, output_padding: Sizes,
    dilation: Sizes,
) -> tuple[tuple[Shape, Shape, Shape], Shape]:  # fmt: skip
    """Return stride, pad and dilation of every axis, and the size of a transposed convolution."""
    stride, pad = per_axis(n, stride, f"{op}: stride", 1), per_axis(n, padding, f"{op}: padding", 0)
    dilation = per_axis(n, dilation, f"{op}: dilation", 1)
    more = per_axis(n, output_padding, f"{op}: output_padding", 0)
    each = zip(x[2:], kernel, stride, pad, dilation, strict=True)
    size = tuple(get_deconv_outsize(*axis) + m for axis, m in zip(each, more, strict=True))
    if any(not 0 <= m < s for m, s in zip(more, stride, strict=True)):
        raise ArgumentError(
            f"{op}: output_padding {more} with stride {stride}: expected at least 0, and less than "
            "stride"
        )
    if min(size) < 1:
        raise ShapeError(
            f"{op}: x {x}, kernel {kernel}, stride {stride}, padding {pad}: the result would have "
            f"the size {size}; take less padding"
        )
    return (stride, pad, dilation), size


def spread_depth(x: Any, W: Any, steps: tuple[Shape, ...], groups: int, size: Shape) -> Variable:
    """Apply the transpose of `by_depth`: add depth windows, computed as channels, to volumes."""
    (N, C, D, H, Wd), (_, each, KD, KH, KW) = x.shape, W.shape
    SD, PD, DD = (values[0] for values in steps)
    OC, (OD, OH, OW) = each * groups, size
    images = reshape(transpose(x, (0, 2, 1, 3, 4)), (N * D, C, H, Wd))
    grad_x = Conv2dGradX((N * D, OC * KD, OH, OW), image_params(steps, groups))
    slabs = grad_x(images, reshape(W, (C, each * KD, KH, KW)))
    slabs = transpose(reshape(slabs, (N, D, OC, KD, 1, OH * OW)), (0, 2, 3, 4, 1, 5))
    y = Col2im((N, OC, OD, OH * OW), (KD, 1), (SD, 1), (PD, 0), (DD, 1))(slabs)
    return reshape(y, (N, OC, OD, OH, OW))


def checked_inputs(op: str, n: int, x: Any, W: Any, b: Any) -> tuple[Any, Any, Any, bool]:
    """Return floating-point inputs, with a batch axis, and whether ``x`` had this axis."""
    x, W, b = as_floating(x, W), as_floating(W, x), as_floating(b, W)
    x, W = as_variable(x), as_variable(W)
    if x.ndim not in (n + 1, n + 2) or W.ndim != n + 2:
        raise conv_shape_error(
            op, n, x, W, None, "(channels, channels, {}), one axis for each axis of x"
        )
    is_batch = x.ndim == n + 2
    return x if is_batch else expand_dims(x, 0), W, b, is_batch


def conv_shape_error(op: str, n: int, x: Any, W: Any, groups: int | None, form: str) -> ShapeError:
    """Return the error for incompatible shapes of inputs and filters."""
    kernel = ", ".join(f"K{axis}" for axis in AXES[n].split(", ")) if n > 1 else "K"
    with_groups = "" if groups is None else f", groups {groups}"
    return ShapeError(
        f"{op}: x {x.shape}, W {W.shape}{with_groups}: expected x (N, C, {AXES[n]}) and W "
        f"{form.format(kernel)} with the same C"
    )


def require_bias(op: str, b: Any, channels: int) -> None:
    """Raise `ShapeError` unless ``b`` is None or has one number for each output channel."""
    if b is not None and tuple(b.shape) != (channels,):
        raise ShapeError(f"{op}: b {tuple(b.shape)}: expected ({channels},), one for each channel")
