"""The book's ``dezero.functions_conv``."""

from dezero_nn.functions import (
    average_pooling,
    col2im,
    conv2d,
    conv2d_simple,
    im2col,
    pooling,
    pooling_simple,
)

__all__ = [
    "average_pooling",
    "col2im",
    "conv2d",
    "conv2d_simple",
    "im2col",
    "pooling",
    "pooling_simple",
]
