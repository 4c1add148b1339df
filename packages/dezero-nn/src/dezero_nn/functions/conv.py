"""Convolution in two dimensions, and its two gradients: three ops, each other's derivatives."""

from __future__ import annotations

from typing import Any

from dezero_core import Function, Variable, get_array_module
from dezero_core.errors import ShapeError
from dezero_core.functions import reshape, sum, transpose

from .. import signatures
from ..windows import Pair, pair, window_counts
from .columns import im2col
from .linear import linear

# In the portable forms a, c, k, l, i, j mean: images, channels, rows and columns of the
# kernel, rows and columns of the output; o are the channels of the output.


@signatures.conv2d.define
def _conv2d(x: Any, W: Any, b: Any, stride: Pair, pad: Pair) -> Any:
    xp = get_array_module(x)
    cols = signatures.im2col(x, W.shape[2:], stride, pad, 0.0)
    y = xp.tensordot(cols, W, axes=((1, 2, 3), (1, 2, 3)))  # acklij, ockl -> aijo
    return xp.permute_dims(y if b is None else y + b, (0, 3, 1, 2))


@signatures.conv2d_grad_x.define
def _conv2d_grad_x(gy: Any, W: Any, shape: tuple[int, ...], stride: Pair, pad: Pair) -> Any:
    xp = get_array_module(gy)
    cols = xp.tensordot(gy, W, axes=((1,), (0,)))  # aoij, ockl -> aijckl
    return signatures.col2im(xp.permute_dims(cols, (0, 3, 4, 5, 1, 2)), shape, stride, pad)


@signatures.conv2d_grad_W.define
def _conv2d_grad_W(x: Any, gy: Any, kernel: Pair, stride: Pair, pad: Pair) -> Any:
    xp = get_array_module(x)
    cols = signatures.im2col(x, kernel, stride, pad, 0.0)
    return xp.tensordot(gy, cols, axes=((0, 2, 3), (0, 4, 5)))  # aoij, acklij -> ockl


class Conv2d(Function):
    """y = W slid over x, + b: y[n, o] = sum over c of x[n, c] correlated with W[o, c], + b[o]."""

    def __init__(self, stride: Pair, pad: Pair) -> None:
        self.stride, self.pad = stride, pad

    def forward(self, x: Any, W: Any, b: Any) -> Any:
        require_conv_shapes(x.shape, W.shape, b)
        window_counts(x.shape, W.shape[2:], self.stride, self.pad)
        return signatures.conv2d(x, W, b, self.stride, self.pad)

    def backward(self, gy: Any) -> Any:
        x, W, _ = self.inputs
        need_x, need_W, need_b = self.needs_grad
        return (
            Conv2dGradX(x.shape, self.stride, self.pad)(gy, W) if need_x else None,
            Conv2dGradW(W.shape[2:], self.stride, self.pad)(x, gy) if need_W else None,
            sum(sum(gy, (2, 3)), 0) if need_b else None,  # contiguous axes first: faster
        )


class Conv2dGradX(Function):
    """gx = W slid over gy the other way: linear in both, so conv2d and its gradients again."""

    def __init__(self, shape: tuple[int, ...], stride: Pair, pad: Pair) -> None:
        self.shape, self.stride, self.pad = tuple(shape), stride, pad

    def forward(self, gy: Any, W: Any) -> Any:
        return signatures.conv2d_grad_x(gy, W, self.shape, self.stride, self.pad)

    def backward(self, ggx: Any) -> Any:
        gy, W = self.inputs
        need_gy, need_W = self.needs_grad
        return (
            Conv2d(self.stride, self.pad)(ggx, W, None) if need_gy else None,
            Conv2dGradW(W.shape[2:], self.stride, self.pad)(ggx, gy) if need_W else None,
        )


class Conv2dGradW(Function):
    """gW = gy slid over x: linear in both, so conv2d and its gradients again."""

    def __init__(self, kernel: Pair, stride: Pair, pad: Pair) -> None:
        self.kernel, self.stride, self.pad = kernel, stride, pad

    def forward(self, x: Any, gy: Any) -> Any:
        return signatures.conv2d_grad_W(x, gy, self.kernel, self.stride, self.pad)

    def backward(self, ggW: Any) -> Any:
        x, gy = self.inputs
        need_x, need_gy = self.needs_grad
        return (
            Conv2dGradX(x.shape, self.stride, self.pad)(gy, ggW) if need_x else None,
            Conv2d(self.stride, self.pad)(x, ggW, None) if need_gy else None,
        )


def conv2d(x: Any, W: Any, b: Any = None, stride: int | Pair = 1, pad: int | Pair = 0) -> Variable:
    """Return images convolved with filters (book step 57; without flipping the filters).

    Args:
        x: images, shape (N, C, H, W).
        W: filters, shape (OC, C, KH, KW).
        b: shape (OC,), or None.
        stride: steps between applications, an integer or a pair (down, across).
        pad: zeros around the images, an integer or a pair.

    Returns:
        shape (N, OC, OH, OW); see `get_conv_outsize`.

    Raises:
        ShapeError: the shapes do not fit together, or the filters not into the images.
        ArgumentError: a setting is out of range.
    """
    return Conv2d(pair(stride), pair(pad))(x, W, b)


def conv2d_simple(
    x: Any, W: Any, b: Any = None, stride: int | Pair = 1, pad: int | Pair = 0
) -> Variable:
    """Return the same as `conv2d`, spelled out: lay out the windows, multiply (book step 57)."""
    require_conv_shapes(x.shape, W.shape, b)
    OC, C, KH, KW = W.shape
    OH, OW = window_counts(x.shape, (KH, KW), pair(stride), pair(pad))
    cols = im2col(x, (KH, KW), stride, pad)
    y = linear(cols, transpose(reshape(W, (OC, C * KH * KW))), b)
    return transpose(reshape(y, (x.shape[0], OH, OW, OC)), (0, 3, 1, 2))


def require_conv_shapes(x: tuple[int, ...], W: tuple[int, ...], b: Any) -> None:
    """Raise `ShapeError` unless images, filters and bias fit together."""
    fits = len(x) == len(W) == 4 and x[1] == W[1]
    if not fits or (b is not None and tuple(b.shape) != (W[0],)):
        has_bias = "" if b is None else f", b {tuple(b.shape)}"
        raise ShapeError(
            f"conv2d: x {tuple(x)}, W {tuple(W)}{has_bias}: x is (N, C, H, W), W is "
            "(OC, C, KH, KW) with the same C, b is (OC,)"
        )
