"""Convolution in two dimensions, and its two gradients: three ops, each other's derivatives."""

from __future__ import annotations

from functools import reduce
from typing import Any

from dezero_core import Function, Variable, get_array_module
from dezero_core.errors import ArgumentError, ShapeError
from dezero_core.extend import as_integer, floating
from dezero_core.functions import add, broadcast_to, reshape, transpose
from dezero_core.hints import hinted

from .. import signatures
from ..windows import DENSE, Pair, get_conv_outsize, get_deconv_outsize, pair, window_counts
from .channels import ChannelSum
from .columns import im2col
from .linear import linear

# The portable forms are products of matrices, one for each group of channels. With G groups,
# K = C/G * KH * KW elements in a window and P = OH * OW windows in an image:
#
#     filters (G, OC/G, K)      columns (N, G, K, P)      outputs (N, G, OC/G, P)


@signatures.conv2d.define
def _conv2d(x: Any, W: Any, b: Any, stride: Pair, pad: Pair, dilation: Pair, groups: int) -> Any:
    xp = get_array_module(x)
    cols = signatures.im2col(x, W.shape[2:], stride, pad, dilation, 0.0)
    y = filters_of(W, groups) @ columns_of(cols, groups)
    y = xp.reshape(y, (x.shape[0], W.shape[0], *cols.shape[4:]))
    return y if b is None else y + xp.reshape(b, (-1, 1, 1))


@signatures.conv2d_grad_x.define
def _conv2d_grad_x(
    gy: Any, W: Any, shape: tuple[int, ...], stride: Pair, pad: Pair, dilation: Pair, groups: int
) -> Any:
    xp = get_array_module(gy)
    N, OC, OH, OW = gy.shape
    gy = xp.reshape(gy, (N, groups, OC // groups, OH * OW))
    cols = xp.matrix_transpose(filters_of(W, groups)) @ gy
    cols = xp.reshape(cols, (N, shape[1], *W.shape[2:], OH, OW))
    return signatures.col2im(cols, shape, stride, pad, dilation)


@signatures.conv2d_grad_W.define
def _conv2d_grad_W(
    x: Any, gy: Any, kernel: Pair, stride: Pair, pad: Pair, dilation: Pair, groups: int
) -> Any:
    xp = get_array_module(x)
    N, OC, OH, OW = gy.shape
    cols = columns_of(signatures.im2col(x, kernel, stride, pad, dilation, 0.0), groups)
    gy = xp.reshape(gy, (N, groups, OC // groups, OH * OW))
    # all images side by side: one product for each group
    cols = xp.reshape(xp.permute_dims(cols, (1, 0, 3, 2)), (groups, N * OH * OW, cols.shape[2]))
    gy = xp.reshape(xp.permute_dims(gy, (1, 2, 0, 3)), (groups, OC // groups, N * OH * OW))
    return xp.reshape(gy @ cols, (OC, x.shape[1] // groups, *kernel))


@signatures.conv2d_grads.define
def _conv2d_grads(
    gy: Any, x: Any, W: Any, stride: Pair, pad: Pair, dilation: Pair, groups: int
) -> tuple[Any, Any, Any]:
    settings = stride, pad, dilation, groups
    gx = signatures.conv2d_grad_x(gy, W, x.shape, *settings)
    gW = signatures.conv2d_grad_W(x, gy, W.shape[2:], *settings)
    return gx, gW, signatures.channel_sum(gy)


def filters_of(W: Any, groups: int) -> Any:
    """Filters (OC, C/G, KH, KW) as matrices (G, OC/G, K)."""
    xp = get_array_module(W)
    OC, C, KH, KW = W.shape
    return xp.reshape(W, (groups, OC // groups, C * KH * KW))


def columns_of(cols: Any, groups: int) -> Any:
    """Windows (N, C, KH, KW, OH, OW) as matrices (N, G, K, P)."""
    xp = get_array_module(cols)
    N, C, KH, KW, OH, OW = cols.shape
    return xp.reshape(cols, (N, groups, C // groups * KH * KW, OH * OW))


class Conv2d(Function):
    """y = W slid over x, + b: y[n, o] = sum over c of x[n, c] correlated with W[o, c], + b[o]."""

    def __init__(self, stride: Pair, pad: Pair, dilation: Pair, groups: int) -> None:
        self.settings = stride, pad, dilation, groups

    def forward(self, x: Any, W: Any, b: Any) -> Any:
        require_conv_shapes(x.shape, W.shape, b, self.settings)
        return signatures.conv2d(x, W, b, *self.settings)

    def backward(self, gy: Any) -> Any:
        x, W, _ = self.inputs
        need_x, need_W, need_b = self.needs_grad
        gx = gW = None
        if need_x and need_W:
            gx, gW, gb = Conv2dGrads(*self.settings)(gy, x, W)
            return gx, gW, gb if need_b else None
        if need_x:
            gx = Conv2dGradX(x.shape, *self.settings)(gy, W)
        elif need_W:
            gW = Conv2dGradW(W.shape[2:], *self.settings)(x, gy)
        return gx, gW, ChannelSum()(gy) if need_b else None


class Conv2dGradX(Function):
    """gx = W slid over gy the other way: linear in both, so conv2d and its gradients again."""

    def __init__(
        self, shape: tuple[int, ...], stride: Pair, pad: Pair, dilation: Pair, groups: int
    ) -> None:
        self.shape, self.settings = tuple(shape), (stride, pad, dilation, groups)

    def forward(self, gy: Any, W: Any) -> Any:
        return signatures.conv2d_grad_x(gy, W, self.shape, *self.settings)

    def backward(self, ggx: Any) -> Any:
        gy, W = self.inputs
        need_gy, need_W = self.needs_grad
        return (
            Conv2d(*self.settings)(ggx, W, None) if need_gy else None,
            Conv2dGradW(W.shape[2:], *self.settings)(ggx, gy) if need_W else None,
        )


class Conv2dGradW(Function):
    """gW = gy slid over x: linear in both, so conv2d and its gradients again."""

    def __init__(self, kernel: Pair, stride: Pair, pad: Pair, dilation: Pair, groups: int) -> None:
        self.kernel, self.settings = kernel, (stride, pad, dilation, groups)

    def forward(self, x: Any, gy: Any) -> Any:
        return signatures.conv2d_grad_W(x, gy, self.kernel, *self.settings)

    def backward(self, ggW: Any) -> Any:
        x, gy = self.inputs
        need_x, need_gy = self.needs_grad
        return (
            Conv2dGradX(x.shape, *self.settings)(gy, ggW) if need_x else None,
            Conv2d(*self.settings)(x, ggW, None) if need_gy else None,
        )


class Conv2dGrads(Function):
    """gx, gW and gb at once: the gradients of each are those that it has elsewhere."""

    materialize_grads = False

    def __init__(self, stride: Pair, pad: Pair, dilation: Pair, groups: int) -> None:
        self.settings = stride, pad, dilation, groups

    def forward(self, gy: Any, x: Any, W: Any) -> Any:
        return signatures.conv2d_grads(gy, x, W, *self.settings)

    def backward(self, ggx: Any, ggW: Any, ggb: Any) -> Any:
        gy, x, W = self.inputs
        need_gy, need_x, need_W = self.needs_grad
        of_gy = of_x = of_W = None
        if need_gy:
            parts = [
                None if ggx is None else Conv2d(*self.settings)(ggx, W, None),
                None if ggW is None else Conv2d(*self.settings)(x, ggW, None),
                None if ggb is None else broadcast_to(reshape(ggb, (-1, 1, 1)), gy.shape),
            ]
            of_gy = reduce(add, [part for part in parts if part is not None])
        if need_x and ggW is not None:
            of_x = Conv2dGradX(x.shape, *self.settings)(gy, ggW)
        if need_W and ggx is not None:
            of_W = Conv2dGradW(W.shape[2:], *self.settings)(ggx, gy)
        return of_gy, of_x, of_W


@hinted
def conv2d(
    x: Any, W: Any, b: Any = None, stride: int | Pair = 1, pad: int | Pair = 0,
    dilation: int | Pair = 1, groups: int = 1,
) -> Variable:  # fmt: skip
    """Return images convolved with filters (book step 57; without flipping the filters).

    Args:
        x: images, shape (N, C, H, W).
        W: filters, shape (OC, C / groups, KH, KW).
        b: shape (OC,), or None.
        stride: steps between applications, an integer or a pair (down, across).
        pad: zeros around the images, an integer or a pair.
        dilation: steps between the elements of a filter, an integer or a pair.
        groups: the channels of ``x`` and the filters are in as many parts, each convolved with
            its own; ``groups = C`` filters every channel by itself. Default 1.

    Returns:
        shape (N, OC, OH, OW); see `get_conv_outsize`.

    Raises:
        ShapeError: the shapes do not fit together, or the filters not into the images.
        ArgumentError: a setting is out of range, or ``groups`` does not divide C and OC.
    """
    x, W, b = floating(x, W), floating(W, x), floating(b, W)
    return Conv2d(*conv_settings("conv2d", stride, pad, dilation, groups))(x, W, b)


@hinted
def conv2d_simple(
    x: Any, W: Any, b: Any = None, stride: int | Pair = 1, pad: int | Pair = 0
) -> Variable:
    """Return the same as `conv2d`, spelled out: lay out the windows, multiply (book step 57)."""
    settings = conv_settings("conv2d_simple", stride, pad, DENSE, 1)
    require_conv_shapes(x.shape, W.shape, b, settings)
    OC, C, KH, KW = W.shape
    OH, OW = window_counts(x.shape, (KH, KW), *settings[:2])
    cols = im2col(x, (KH, KW), stride, pad)
    y = linear(cols, transpose(reshape(W, (OC, C * KH * KW))), b)
    return transpose(reshape(y, (x.shape[0], OH, OW, OC)), (0, 3, 1, 2))


@hinted
def deconv2d(
    x: Any, W: Any, b: Any = None, stride: int | Pair = 1, pad: int | Pair = 0,
    outsize: Pair | None = None, dilation: int | Pair = 1, groups: int = 1,
) -> Variable:  # fmt: skip
    """Return the transpose of `conv2d`: each element of ``x`` spreads a filter (GAN, VAE).

    Dumoulin and Visin, "A guide to convolution arithmetic for deep learning", 2016.

    Args:
        x: shape (N, C, H, W).
        W: filters, shape (C, OC / groups, KH, KW).
        b: shape (OC,), or None.
        stride, pad, dilation, groups: those of the convolution that leads back to ``x``.
        outsize: (OH, OW), one of those that a convolution makes (H, W) of; the smallest if None.

    Returns:
        shape (N, OC, OH, OW); see `get_deconv_outsize`.

    Raises:
        ShapeError: the shapes do not fit together, or no convolution makes H, W of ``outsize``.
        ArgumentError: a setting is out of range, or ``groups`` does not divide C and OC.
    """
    settings = conv_settings("deconv2d", stride, pad, dilation, groups)
    shape = deconv_shape(x.shape, W.shape, b, settings, outsize)
    x, W, b = floating(x, W), floating(W, x), floating(b, W)
    y = Conv2dGradX(shape, *settings)(x, W)
    return y if b is None else y + reshape(b, (-1, 1, 1))


def conv_settings(
    op: str, stride: Any, pad: Any, dilation: Any, groups: Any
) -> tuple[Pair, Pair, Pair, int]:
    """Return the settings of a convolution as pairs, and ``groups`` as an integer."""
    return (
        pair(stride, f"{op}: stride"),
        pair(pad, f"{op}: pad"),
        pair(dilation, f"{op}: dilation"),
        as_integer(op, "groups", groups),
    )


def require_conv_shapes(x: tuple[int, ...], W: tuple[int, ...], b: Any, settings: Any) -> None:
    """Raise `ShapeError` unless images, filters and bias fit together."""
    stride, pad, dilation, groups = settings
    fits = len(x) == len(W) == 4 and x[1] == W[1] * groups
    if not fits or (b is not None and tuple(b.shape) != (W[0],)):
        raise misfit("conv2d", x, W, b, groups, "(OC, C / groups, KH, KW)")
    require_groups("conv2d", groups, x[1], W[0])
    window_counts(x, (W[2], W[3]), stride, pad, dilation)


def deconv_shape(
    x: tuple[int, ...], W: tuple[int, ...], b: Any, settings: Any, outsize: Pair | None
) -> tuple[int, ...]:
    """The shape of what `deconv2d` returns, checked."""
    *steps, groups = settings
    fits = len(x) == len(W) == 4 and x[1] == W[0]
    if not fits or (b is not None and tuple(b.shape) != (W[1] * groups,)):
        raise misfit("deconv2d", x, W, b, groups, "(C, OC / groups, KH, KW)")
    require_groups("deconv2d", groups, x[1], W[1] * groups)
    each = list(zip(x[2:], W[2:], *steps, strict=True))
    smallest = tuple(get_deconv_outsize(*axis) for axis in each)
    size = smallest if outsize is None else pair(outsize, "deconv2d: outsize")
    back = [get_conv_outsize(n, *axis[1:]) for n, axis in zip(size, each, strict=True)]
    if back != list(x[2:]) or min(size) < 1:
        raise ShapeError(
            f"deconv2d: no convolution of {size} gives {tuple(x[2:])}; outsize is from {smallest} "
            "up, by less than stride"
        )
    return x[0], W[1] * groups, *size


def require_groups(op: str, groups: int, *channels: int) -> None:
    """Raise `ArgumentError` unless the channels can be dealt out evenly."""
    if groups < 1 or any(C % groups for C in channels):
        raise ArgumentError(
            f"{op}: groups {groups} does not divide the channels, {channels[0]} in and "
            f"{channels[1]} out"
        )


def misfit(
    op: str, x: tuple[int, ...], W: tuple[int, ...], b: Any, groups: int, form: str
) -> ShapeError:
    """The error for images, filters and bias that do not fit together."""
    has_bias = "" if b is None else f", b {tuple(b.shape)}"
    return ShapeError(
        f"{op}: x {tuple(x)}, W {tuple(W)}{has_bias}, groups {groups}: x is (N, C, H, W), W is "
        f"{form} with the same C, b is (OC,)"
    )
