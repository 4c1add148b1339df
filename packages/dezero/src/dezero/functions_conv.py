"""Re-export convolutions and pooling under the book's name ``dezero.functions_conv``."""

from collections.abc import Sequence

from dezero_core.extend import Array, unwrap
from dezero_nn.functions import (
    average_pooling,
    col2im,
    conv2d,
    conv2d_simple,
    deconv2d,
    im2col,
    pooling,
    pooling_simple,
)

Pair = tuple[int, int]

__all__ = [
    "average_pooling",
    "col2im",
    "col2im_array",
    "conv2d",
    "conv2d_simple",
    "deconv2d",
    "im2col",
    "im2col_array",
    "pooling",
    "pooling_simple",
]


def im2col_array(
    x: Array, kernel_size: int | Pair, stride: int | Pair, pad: int | Pair, to_matrix: bool = True
) -> Array:
    """Apply `im2col` to an array (N, C, H, W); return an array."""
    return unwrap(im2col(x, kernel_size, stride, pad, to_matrix))


def col2im_array(
    x: Array,
    input_shape: Sequence[int],
    kernel_size: int | Pair,
    stride: int | Pair,
    pad: int | Pair,
    to_matrix: bool = True,
) -> Array:
    """Apply `col2im` to an array; return an array of shape ``input_shape``."""
    return unwrap(col2im(x, input_shape, kernel_size, stride, pad, to_matrix))
