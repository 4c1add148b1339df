"""Define per-channel ops, which convolution and batch normalisation use for their gradients.

Arrays with one number per channel have shape (C,). Each kernel reads each array once.
"""

from __future__ import annotations

from typing import Any

from dezero_core import Function, get_array_module
from dezero_core.dtypes import sum_over
from dezero_core.extend import Array, backend_of, kernel_op
from dezero_core.functions import broadcast_to, reshape, sum
from dezero_core.variable import AnyArray


def over_channels(x: AnyArray) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return all axes of ``x`` except the channel axis, and the shape for broadcasting (C,)."""
    axes = (0, *range(2, x.ndim))
    return axes, (1, x.shape[1], *[1] * (x.ndim - 2))


@kernel_op
def channel_sum_op(g: Array) -> Array:
    """Return the sum over each channel of g (N, C, ...), an array of shape (C,)."""
    return sum_over(g, backend_of(g), over_channels(g)[0])


class ChannelSum(Function):
    """y = sum of x over all axes except the channel axis;  dy/dx = 1 for each element."""

    def forward(self, x: Array) -> Any:
        return channel_sum_op(x)

    def backward(self, gy: AnyArray) -> Any:
        (x,) = self.inputs
        return broadcast_to(reshape(gy, over_channels(x)[1]), x.shape)


@kernel_op
def channel_sums_op(g: Array, x: Array, shift: Array) -> tuple[Array, Array]:
    """Return the sums of g and of g (x - shift) over each channel, both of shape (C,).

    g and x: (N, C, ...); shift: (C,).
    """
    xp, backend, (axes, shape) = get_array_module(x), backend_of(x), over_channels(x)
    product = g * (x - xp.reshape(shift, shape))
    return sum_over(g, backend, axes), sum_over(product, backend, axes)


class ChannelSums(Function):
    """y0 = sum of g, y1 = sum of g (x - shift), both per channel;  dy1/dg = x - shift."""

    def forward(self, g: Array, x: Array, shift: Array) -> Any:
        return channel_sums_op(g, x, shift)

    def backward(self, gy0: AnyArray, gy1: AnyArray) -> Any:
        (g, x, shift), (total, _) = self.inputs, self.outputs
        _, shape = over_channels(x)
        gy1_wide = reshape(gy1, shape)
        gg = gy1_wide * (x - reshape(shift, shape)) + reshape(gy0, shape)
        return gg, gy1_wide * g, -gy1 * total


@kernel_op
def channel_sum_of_op(g: Array, x: Array, shift: Array, a: Array, b: Array, c: Array) -> Array:
    """Return a g + b (x - shift) + c, in the shape of ``x``.

    g and x: (N, C, ...); shift, a, b and c: (C,), one number for each channel.
    """
    xp, (_, shape) = get_array_module(x), over_channels(x)
    shift, a, b, c = (xp.reshape(number, shape) for number in (shift, a, b, c))
    return a * g + b * (x - shift) + c


class ChannelSumOf(Function):
    """y = a g + b (x - shift) + c, where shift, a, b and c have one number per channel."""

    def forward(self, g: Array, x: Array, shift: Array, a: Array, b: Array, c: Array) -> Any:
        return channel_sum_of_op(g, x, shift, a, b, c)

    def backward(self, gy: AnyArray) -> Any:
        g, x, shift, a, b, _ = self.inputs
        axes, shape = over_channels(x)
        gc, gb = ChannelSums()(gy, x, shift)
        return gy * reshape(a, shape), gy * reshape(b, shape), -b * gc, sum(gy * g, axes), gb, gc
