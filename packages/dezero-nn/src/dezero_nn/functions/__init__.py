"""The ops of dezero-nn: each a class and a function side by side, related ones in one file."""

from .activation import leaky_relu, log_softmax, relu, sigmoid, softmax
from .columns import col2im, im2col
from .conv import conv2d, conv2d_simple
from .dropout import dropout
from .linear import linear
from .loss import accuracy, mean_squared_error, softmax_cross_entropy
from .normalization import batch_norm
from .pooling import average_pooling, pooling, pooling_simple

__all__ = [
    "accuracy",
    "average_pooling",
    "batch_norm",
    "col2im",
    "conv2d",
    "conv2d_simple",
    "dropout",
    "im2col",
    "leaky_relu",
    "linear",
    "log_softmax",
    "mean_squared_error",
    "pooling",
    "pooling_simple",
    "relu",
    "sigmoid",
    "softmax",
    "softmax_cross_entropy",
]
