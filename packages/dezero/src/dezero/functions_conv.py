"""The book's ``dezero.functions_conv``."""

from typing import Any

from dezero_core.extend import unwrap
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


def im2col_array(x: Any, kernel_size: Any, stride: Any, pad: Any, to_matrix: bool = True) -> Any:
    """`im2col` from array to array."""
    return im2col(x, kernel_size, stride, pad, to_matrix).data


def col2im_array(
    x: Any, input_shape: Any, kernel_size: Any, stride: Any, pad: Any, to_matrix: bool = True
) -> Any:
    """`col2im` from array to array."""
    return unwrap(col2im(x, input_shape, kernel_size, stride, pad, to_matrix))
