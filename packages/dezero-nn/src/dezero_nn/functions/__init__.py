"""Define the ops of dezero-nn; one file holds both the class and the function of an op."""

from typing import TYPE_CHECKING

from dezero_core.hints import hinting

from ..hints import FUNCTIONS
from .activation import (
    leaky_relu,
    log_softmax,
    relu,
    sigmoid,
    sigmoid_simple,
    softmax,
    softmax_simple,
)
from .attention import scaled_dot_product_attention
from .columns import col2im, fold, im2col, unfold
from .conv import conv2d, conv2d_simple, deconv2d
from .convolutions import (
    conv1d,
    conv3d,
    conv_transpose1d,
    conv_transpose2d,
    conv_transpose3d,
)
from .cross_entropy import cross_entropy, nll_loss
from .dropout import dropout
from .embedding import embed_id
from .exponential_units import celu, elu, selu
from .gated import glu, swiglu
from .gelu import gelu, silu
from .gru import gru
from .linear import linear, linear_simple
from .loss import (
    accuracy,
    binary_cross_entropy,
    mean_squared_error,
    mean_squared_error_simple,
    sigmoid_cross_entropy,
    softmax_cross_entropy,
    softmax_cross_entropy_simple,
)
from .normalization import batch_norm, layer_norm
from .piecewise import hardsigmoid, hardswish, hardtanh, prelu, relu6, threshold
from .pooling import average_pooling, pooling, pooling_simple
from .recurrent import lstm
from .rotary import rotary
from .smooth import logsigmoid, mish, softmin, softplus, softsign

__all__ = [
    "accuracy",
    "average_pooling",
    "batch_norm",
    "binary_cross_entropy",
    "celu",
    "col2im",
    "conv1d",
    "conv2d",
    "conv2d_simple",
    "conv3d",
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
    "cross_entropy",
    "deconv2d",
    "dropout",
    "elu",
    "embed_id",
    "fold",
    "gelu",
    "glu",
    "gru",
    "hardsigmoid",
    "hardswish",
    "hardtanh",
    "im2col",
    "layer_norm",
    "leaky_relu",
    "linear",
    "linear_simple",
    "log_softmax",
    "logsigmoid",
    "lstm",
    "mean_squared_error",
    "mean_squared_error_simple",
    "mish",
    "nll_loss",
    "pooling",
    "pooling_simple",
    "prelu",
    "relu",
    "relu6",
    "rotary",
    "scaled_dot_product_attention",
    "selu",
    "sigmoid",
    "sigmoid_cross_entropy",
    "sigmoid_simple",
    "silu",
    "softmax",
    "softmax_cross_entropy",
    "softmax_cross_entropy_simple",
    "softmax_simple",
    "softmin",
    "softplus",
    "softsign",
    "swiglu",
    "threshold",
    "unfold",
]

if not TYPE_CHECKING:  # type checkers know the names already
    __getattr__ = hinting(__name__, FUNCTIONS)
