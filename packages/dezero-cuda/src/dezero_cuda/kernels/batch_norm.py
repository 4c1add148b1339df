"""Launch the kernels of ``batch_norm.cu``, for arrays (N, C, ...) in either memory order."""

from __future__ import annotations

import math

from numpy import int64

from .layouts import Array, contiguous, empty_like, in_order_of, is_channels_last
from .module import launch
from .sums import channel_sum, sums_of_channels


def with_layout_sizes(x: Array) -> tuple[Array, int64, int64]:
    """Return ``x``, in C order or with its channels last, and C and B of the kernels."""
    if x.ndim == 4 and is_channels_last(x):
        return x, int64(x.shape[1]), int64(1)
    return contiguous(x), int64(x.shape[1]), int64(math.prod(x.shape[2:]))


def batch_norm(x: Array, gamma: Array, beta: Array, eps: float) -> tuple[Array, Array, Array]:
    """Return the normalised array, and the mean and the variance of each channel."""
    x, C, B = with_layout_sizes(x)
    mean = channel_sum(x)
    m = x.size // x.shape[1]
    mean /= m
    (var,) = sums_of_channels("squares", 1, x, x, mean)
    var /= m
    y, letter = empty_like(x), x.dtype.char
    arrays = x, mean, var, contiguous(gamma), contiguous(beta), y
    launch("batch_norm", letter, x.size, *arrays, x.dtype.type(eps), C, B)
    return y, mean, var


def channel_sum_of(g: Array, x: Array, shift: Array, a: Array, b: Array, c: Array) -> Array:
    """Return a g + b (x - shift) + c, in the memory order of ``x``."""
    x, C, B = with_layout_sizes(x)
    y = empty_like(x)
    factors = [contiguous(number) for number in (shift, a, b, c)]
    launch("channel_sum_of", x.dtype.char, x.size, in_order_of(x, g), x, *factors, y, C, B)
    return y
