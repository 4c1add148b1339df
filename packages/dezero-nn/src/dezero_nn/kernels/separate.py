"""Compute the two gradients of a convolution by two kernels, if this costs less than one kernel."""

from __future__ import annotations

from dezero_core.extend import Array, Kernel

from ..conv_kernels import TOLERANCE
from ..functions.conv import conv2d_grad_W_op, conv2d_grad_x_op, conv2d_grads_op
from ..windows import ConvParams
from .im2col import COPY


def separate_conv2d_grads(
    gy: Array, x: Array, W: Array, params: ConvParams
) -> tuple[Array, Array, Array]:
    """Compute each gradient by its cheapest kernel; see `conv2d_grads_op`."""
    return conv2d_grads_op.portable(gy, x, W, params)


def cost(gy: Array, x: Array, W: Array, params: ConvParams) -> float:
    """Return the cost of both gradients, plus one more pass over gy for the bias gradient."""
    of_x = conv2d_grad_x_op.estimate(gy, W, x.shape, params)
    of_W = conv2d_grad_W_op.estimate(x, gy, (W.shape[2], W.shape[3]), params)
    return of_x + of_W + COPY * gy.size


KERNELS = [
    Kernel("conv2d_grads", "numpy", separate_conv2d_grads, tolerance=TOLERANCE, cost=cost),
]
