"""Define two-dimensional convolution, and its gradients with respect to images and filters."""

from __future__ import annotations

from functools import reduce
from typing import Any

from dezero_core import Function, Variable, get_array_module
from dezero_core.arguments import as_integer
from dezero_core.diagnosis import shape_of
from dezero_core.dtypes import as_floating
from dezero_core.errors import ArgumentError, ShapeError
from dezero_core.extend import Array, kernel_op
from dezero_core.functions import add, broadcast_to, reshape, transpose
from dezero_core.hints import hinted
from dezero_core.variable import AnyArray, Operand

from ..windows import (
    ConvParams,
    Pair,
    Shape,
    get_conv_outsize,
    get_deconv_outsize,
    padding_of,
    pair,
    window_counts,
)
from .channels import ChannelSum, channel_sum_op
from .columns import col2im_op, im2col, im2col_op
from .linear import linear

# The portable definitions are matmuls, one for each group of channels. There are G groups,
# K = C/G * KH * KW elements in a window of a group, and P = OH * OW windows in an image:
#
#     filters (G, OC/G, K)      columns (N, G, K, P)      outputs (N, G, OC/G, P)


@kernel_op
def conv2d_op(x: Array, W: Array, b: Array | None, params: ConvParams) -> Array:
    """Return the convolution of images with filters: (N, OC, OH, OW).

    x: (N, C, H, W); W: (OC, C / groups, KH, KW); b: (OC,) or None.
    """
    xp, (_, _, KH, KW) = get_array_module(x), W.shape
    cols = im2col_op(x, (KH, KW), params.stride, params.pad, params.dilation, 0.0)
    y = filters_of(W, params.groups) @ columns_of(cols, params.groups)
    y = xp.reshape(y, (x.shape[0], W.shape[0], *cols.shape[4:]))
    return y if b is None else y + xp.reshape(b, (-1, 1, 1))


@kernel_op
def conv2d_grad_x_op(gy: Array, W: Array, shape: Shape, params: ConvParams) -> Array:
    """Return the gradient of the images of `conv2d_op`, of shape ``shape``: (N, C, H, W).

    gy: (N, OC, OH, OW); W: (OC, C / groups, KH, KW).
    """
    xp = get_array_module(gy)
    N, OC, OH, OW = gy.shape
    gy = xp.reshape(gy, (N, params.groups, OC // params.groups, OH * OW))
    cols = xp.matrix_transpose(filters_of(W, params.groups)) @ gy
    cols = xp.reshape(cols, (N, shape[1], *W.shape[2:], OH, OW))
    return col2im_op(cols, shape, params.stride, params.pad, params.dilation)


@kernel_op
def conv2d_grad_W_op(x: Array, gy: Array, kernel: Pair, params: ConvParams) -> Array:
    """Return the gradient of the filters of `conv2d_op`: (OC, C / groups, KH, KW).

    x: (N, C, H, W); gy: (N, OC, OH, OW); ``kernel`` is (KH, KW).
    """
    xp = get_array_module(x)
    (N, OC, OH, OW), (stride, pad, dilation, groups) = gy.shape, params
    cols = columns_of(im2col_op(x, kernel, stride, pad, dilation, 0.0), groups)
    gy = xp.reshape(gy, (N, groups, OC // groups, OH * OW))
    # join the windows of all images, so that each group is one matmul
    cols = xp.reshape(xp.permute_dims(cols, (1, 0, 3, 2)), (groups, N * OH * OW, cols.shape[2]))
    gy = xp.reshape(xp.permute_dims(gy, (1, 2, 0, 3)), (groups, OC // groups, N * OH * OW))
    return xp.reshape(gy @ cols, (OC, x.shape[1] // groups, *kernel))


@kernel_op
def conv2d_grads_op(
    gy: Array, x: Array, W: Array, params: ConvParams
) -> tuple[Array, Array, Array]:
    """Return the gradients of images, filters and bias at once, so that kernels can share work.

    gy: (N, OC, OH, OW); x: (N, C, H, W); W: (OC, C / groups, KH, KW). The results have the shapes
    of x, W and the bias, (OC,).
    """
    gx = conv2d_grad_x_op(gy, W, x.shape, params)
    gW = conv2d_grad_W_op(x, gy, (W.shape[2], W.shape[3]), params)
    return gx, gW, channel_sum_op(gy)


def filters_of(W: Array, groups: int) -> Array:
    """Reshape filters (OC, C/G, KH, KW) to matrices (G, OC/G, K)."""
    xp = get_array_module(W)
    OC, C, KH, KW = W.shape
    return xp.reshape(W, (groups, OC // groups, C * KH * KW))


def columns_of(cols: Array, groups: int) -> Array:
    """Reshape windows (N, C, KH, KW, OH, OW) to matrices (N, G, K, P)."""
    xp = get_array_module(cols)
    N, C, KH, KW, OH, OW = cols.shape
    return xp.reshape(cols, (N, groups, C // groups * KH * KW, OH * OW))


class Conv2d(Function):
    """y[n, o] = sum over c of the cross-correlation of x[n, c] with W[o, c], + b[o]."""

    def __init__(self, params: ConvParams) -> None:
        self.params = params

    def forward(self, x: Array, W: Array, b: Array | None) -> Any:
        require_conv_shapes(x.shape, W.shape, b, self.params)
        return conv2d_op(x, W, b, self.params)

    def backward(self, gy: AnyArray) -> Any:
        x, W, _ = self.inputs
        need_x, need_W, need_b = self.needs_grad
        gx = gW = None
        if need_x and need_W:
            gx, gW, gb = Conv2dGrads(self.params)(gy, x, W)
            return gx, gW, gb if need_b else None
        if need_x:
            gx = Conv2dGradX(x.shape, self.params)(gy, W)
        elif need_W:
            gW = Conv2dGradW(W.shape[2:], self.params)(x, gy)
        return gx, gW, ChannelSum()(gy) if need_b else None


class Conv2dGradX(Function):
    """gx = gy convolved with the flipped W. Both derivatives of gx are convolutions too."""

    def __init__(self, shape: Shape, params: ConvParams) -> None:
        self.shape, self.params = tuple(shape), params

    def forward(self, gy: Array, W: Array) -> Any:
        return conv2d_grad_x_op(gy, W, self.shape, self.params)

    def backward(self, ggx: AnyArray) -> Any:
        gy, W = self.inputs
        need_gy, need_W = self.needs_grad
        return (
            Conv2d(self.params)(ggx, W, None) if need_gy else None,
            Conv2dGradW(W.shape[2:], self.params)(ggx, gy) if need_W else None,
        )


class Conv2dGradW(Function):
    """gW = x cross-correlated with gy. Both derivatives of gW are convolutions too."""

    def __init__(self, kernel: Pair, params: ConvParams) -> None:
        self.kernel, self.params = kernel, params

    def forward(self, x: Array, gy: Array) -> Any:
        return conv2d_grad_W_op(x, gy, self.kernel, self.params)

    def backward(self, ggW: AnyArray) -> Any:
        x, gy = self.inputs
        need_x, need_gy = self.needs_grad
        return (
            Conv2dGradX(x.shape, self.params)(gy, ggW) if need_x else None,
            Conv2d(self.params)(x, ggW, None) if need_gy else None,
        )


class Conv2dGrads(Function):
    """Compute gx, gW and gb at once; backward sums the gradients that come from gx, gW and gb."""

    materialize_grads = False

    def __init__(self, params: ConvParams) -> None:
        self.params = params

    def forward(self, gy: Array, x: Array, W: Array) -> Any:
        return conv2d_grads_op(gy, x, W, self.params)

    def backward(self, ggx: AnyArray | None, ggW: AnyArray | None, ggb: AnyArray | None) -> Any:
        gy, x, W = self.inputs
        need_gy, need_x, need_W = self.needs_grad
        of_gy = of_x = of_W = None
        if need_gy:
            parts = [
                None if ggx is None else Conv2d(self.params)(ggx, W, None),
                None if ggW is None else Conv2d(self.params)(x, ggW, None),
                None if ggb is None else broadcast_to(reshape(ggb, (-1, 1, 1)), gy.shape),
            ]
            of_gy = reduce(add, [part for part in parts if part is not None])
        if need_x and ggW is not None:
            of_x = Conv2dGradX(x.shape, self.params)(gy, ggW)
        if need_W and ggx is not None:
            of_W = Conv2dGradW(W.shape[2:], self.params)(ggx, gy)
        return of_gy, of_x, of_W


@hinted
def conv2d(
    x: Operand, W: Operand, b: Operand | None = None, stride: int | Pair = 1,
    pad: int | Pair | str = 0, dilation: int | Pair = 1, groups: int = 1, *,
    padding: int | Pair | str | None = None,
) -> Variable:  # fmt: skip
    """Return the cross-correlation of images and filters, called convolution (book step 57).

    Args:
        x: images, shape (N, C, H, W).
        W: filters, shape (OC, C / groups, KH, KW).
        b: shape (OC,), or None.
        stride: the distance between windows, an integer or a pair (down, across). Default 1.
        pad: the zeros added on each side, an integer or a pair (default 0); "valid" for 0; "same"
            for an output of the size of the images, where an odd number of zeros has one more at
            the end than at the beginning.
        dilation: the distance between kernel positions, an integer or a pair. Default 1.
        groups: the number of equal groups of channels, each convolved with its own filters;
            ``groups = C`` is a depthwise convolution. Default 1.
        padding: PyTorch's name of ``pad``; it replaces ``pad`` unless it is None.

    Returns:
        shape (N, OC, OH, OW); see `get_conv_outsize`.

    Raises:
        ShapeError: the shapes are incompatible, or no window fits into the images.
        ArgumentError: a setting is out of range, or ``groups`` does not divide C and OC.
    """
    x, W, b = as_floating(x, W), as_floating(W, x), as_floating(b, W)
    pad = pad if padding is None else padding
    if not isinstance(pad, str):
        return Conv2d(conv_params("conv2d", stride, pad, dilation, groups))(x, W, b)
    stride, dilation = pair(stride, "conv2d: stride", 1), pair(dilation, "conv2d: dilation", 1)
    kernel = (*shape_of(W)[2:], 1, 1)[:2]  # Conv2d explains a W with other axes
    pads, surplus = padding_of("conv2d", 2, pad, kernel, stride, dilation)
    y = Conv2d(conv_params("conv2d", stride, pair(pads), dilation, groups))(x, W, b)
    return y[:, :, surplus[0] :, surplus[1] :] if any(surplus) else y


@hinted
def conv2d_simple(
    x: AnyArray, W: AnyArray, b: AnyArray | None = None, stride: int | Pair = 1, pad: int | Pair = 0
) -> Variable:
    """Compute `conv2d` in two steps, `im2col` and a matmul (book step 57)."""
    params = conv_params("conv2d_simple", stride, pad, 1, 1)
    require_conv_shapes(x.shape, W.shape, b, params)
    OC, C, KH, KW = W.shape
    OH, OW = window_counts(x.shape, (KH, KW), params.stride, params.pad)
    cols = im2col(x, (KH, KW), stride, pad)
    y = linear(cols, transpose(reshape(W, (OC, C * KH * KW))), b)
    return transpose(reshape(y, (x.shape[0], OH, OW, OC)), (0, 3, 1, 2))


@hinted
def deconv2d(
    x: AnyArray, W: AnyArray, b: AnyArray | None = None,
    stride: int | Pair = 1, pad: int | Pair = 0,
    outsize: Pair | None = None, dilation: int | Pair = 1, groups: int = 1,
) -> Variable:  # fmt: skip
    """Return the transposed convolution: add each element of ``x`` times a filter to the result.

    Source: Dumoulin and Visin, "A guide to convolution arithmetic for deep learning", 2016.

    Args:
        x: shape (N, C, H, W).
        W: filters, shape (C, OC / groups, KH, KW).
        b: shape (OC,), or None.
        stride, pad, dilation, groups: the settings of the `conv2d` that maps the shape of the
            result to the shape of ``x``. Default 1, 0, 1 and 1.
        outsize: the size (OH, OW) of the result. Default None: the smallest size that `conv2d` with
            these settings maps to (H, W).

    Returns:
        shape (N, OC, OH, OW); see `get_deconv_outsize`.

    Raises:
        ShapeError: the shapes are incompatible, or no convolution maps ``outsize`` to (H, W).
        ArgumentError: a setting is out of range, or ``groups`` does not divide C and OC.
    """
    params = conv_params("deconv2d", stride, pad, dilation, groups)
    shape = deconv_shape(x.shape, W.shape, b, params, outsize)
    x, W, b = as_floating(x, W), as_floating(W, x), as_floating(b, W)
    y = Conv2dGradX(shape, params)(x, W)
    return y if b is None else y + reshape(b, (-1, 1, 1))


def conv_params(
    op: str, stride: int | Pair, pad: int | Pair, dilation: int | Pair, groups: int
) -> ConvParams:
    """Return the parameters of a convolution, with stride, pad and dilation as pairs."""
    return ConvParams(
        pair(stride, f"{op}: stride", 1),
        pair(pad, f"{op}: pad", 0),
        pair(dilation, f"{op}: dilation", 1),
        as_integer(op, "groups", groups),
    )


def require_conv_shapes(x: Shape, W: Shape, b: AnyArray | None, params: ConvParams) -> None:
    """Raise `ShapeError` if the shapes of images, filters and bias are incompatible."""
    stride, pad, dilation, groups = params
    fits = len(x) == len(W) == 4 and x[1] == W[1] * groups
    if not fits or (b is not None and tuple(b.shape) != (W[0],)):
        raise conv_shape_error("conv2d", x, W, b, groups, "(OC, C / groups, KH, KW)")
    require_groups("conv2d", groups, x[1], W[0])
    window_counts(x, (W[2], W[3]), stride, pad, dilation, "conv2d")


def deconv_shape(
    x: Shape, W: Shape, b: AnyArray | None, params: ConvParams, outsize: Pair | None
) -> Shape:
    """Return the shape of the result of `deconv2d`; raise an error if shapes are incompatible."""
    *steps, groups = params
    fits = len(x) == len(W) == 4 and x[1] == W[0]
    if not fits or (b is not None and tuple(b.shape) != (W[1] * groups,)):
        raise conv_shape_error("deconv2d", x, W, b, groups, "(C, OC / groups, KH, KW)")
    require_groups("deconv2d", groups, x[1], W[1] * groups)
    each = list(zip(x[2:], W[2:], *steps, strict=True))
    smallest = tuple(get_deconv_outsize(*axis) for axis in each)
    size = smallest if outsize is None else pair(outsize, "deconv2d: outsize")
    back = [get_conv_outsize(n, *axis[1:]) for n, axis in zip(size, each, strict=True)]
    if back != list(x[2:]) or min(size) < 1:
        raise ShapeError(
            f"deconv2d: no convolution of {size} gives {tuple(x[2:])}; outsize must be at least "
            f"{smallest}, and less than stride above it"
        )
    return x[0], W[1] * groups, *size


def require_groups(op: str, groups: int, *channels: int) -> None:
    """Raise `ArgumentError` unless ``groups`` divides all channel counts."""
    if groups < 1 or any(C % groups for C in channels):
        raise ArgumentError(
            f"{op}: groups {groups} does not divide the channels, {channels[0]} in and "
            f"{channels[1]} out"
        )


def conv_shape_error(
    op: str, x: Shape, W: Shape, b: AnyArray | None, groups: int, form: str
) -> ShapeError:
    """Return the error for incompatible shapes of images, filters and bias."""
    has_bias = "" if b is None else f", b {tuple(b.shape)}"
    return ShapeError(
        f"{op}: x {tuple(x)}, W {tuple(W)}{has_bias}, groups {groups}: x must be (N, C, H, W), W "
        f"{form} with the same C, and b (OC,)"
    )
