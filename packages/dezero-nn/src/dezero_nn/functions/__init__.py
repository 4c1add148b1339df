"""Define the ops of dezero-nn; one file holds both the class and the function of an op."""

from typing import TYPE_CHECKING

from dezero_core import Variable
from dezero_core.hints import bind, bind_functions, hinting

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
from .convolutions import conv1d, conv3d, conv_transpose1d, conv_transpose2d, conv_transpose3d
from .cross_entropy import cross_entropy, nll_loss
from .ctc import ctc_loss
from .dropout import alpha_dropout, dropout, dropout1d, dropout2d, dropout3d
from .embedding import embed_id, embedding
from .encoding import one_hot
from .exponential_units import celu, elu, selu
from .gated import glu, swiglu
from .gelu import gelu, silu
from .grid_sample import affine_grid, grid_sample
from .group_norm import group_norm, instance_norm, local_response_norm
from .gru import gru
from .layer_norm import layer_norm, rms_norm
from .likelihood_losses import (
    binary_cross_entropy_with_logits,
    gaussian_nll_loss,
    kl_div,
    poisson_nll_loss,
)
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
from .margin_losses import (
    cosine_embedding_loss,
    hinge_embedding_loss,
    margin_ranking_loss,
    soft_margin_loss,
    triplet_margin_loss,
)
from .max_avg_pool import (
    avg_pool1d,
    avg_pool2d,
    avg_pool3d,
    lp_pool1d,
    lp_pool2d,
    max_pool1d,
    max_pool2d,
    max_pool3d,
)
from .normalization import batch_norm
from .piecewise import hardsigmoid, hardswish, hardtanh, prelu, relu6, threshold
from .pooling import average_pooling, pooling, pooling_simple
from .recurrent import lstm
from .regression_losses import huber_loss, l1_loss, mse_loss, smooth_l1_loss
from .resampling import (
    adaptive_avg_pool1d,
    adaptive_avg_pool2d,
    adaptive_avg_pool3d,
    adaptive_max_pool1d,
    adaptive_max_pool2d,
    interpolate,
    pixel_shuffle,
    pixel_unshuffle,
)
from .rotary import rotary
from .sampling import bernoulli, gumbel_softmax, multinomial
from .similarity import cosine_similarity, normalize, pairwise_distance
from .smooth import logsigmoid, mish, softmin, softplus, softsign

__all__ = [
    "accuracy",
    "adaptive_avg_pool1d",
    "adaptive_avg_pool2d",
    "adaptive_avg_pool3d",
    "adaptive_max_pool1d",
    "adaptive_max_pool2d",
    "affine_grid",
    "alpha_dropout",
    "average_pooling",
    "avg_pool1d",
    "avg_pool2d",
    "avg_pool3d",
    "batch_norm",
    "bernoulli",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "celu",
    "col2im",
    "conv1d",
    "conv2d",
    "conv2d_simple",
    "conv3d",
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
    "cosine_embedding_loss",
    "cosine_similarity",
    "cross_entropy",
    "ctc_loss",
    "deconv2d",
    "dropout",
    "dropout1d",
    "dropout2d",
    "dropout3d",
    "elu",
    "embed_id",
    "embedding",
    "fold",
    "gaussian_nll_loss",
    "gelu",
    "glu",
    "grid_sample",
    "group_norm",
    "gru",
    "gumbel_softmax",
    "hardsigmoid",
    "hardswish",
    "hardtanh",
    "hinge_embedding_loss",
    "huber_loss",
    "im2col",
    "instance_norm",
    "interpolate",
    "kl_div",
    "l1_loss",
    "layer_norm",
    "leaky_relu",
    "linear",
    "linear_simple",
    "local_response_norm",
    "log_softmax",
    "logsigmoid",
    "lp_pool1d",
    "lp_pool2d",
    "lstm",
    "margin_ranking_loss",
    "max_pool1d",
    "max_pool2d",
    "max_pool3d",
    "mean_squared_error",
    "mean_squared_error_simple",
    "mish",
    "mse_loss",
    "multinomial",
    "nll_loss",
    "normalize",
    "one_hot",
    "pairwise_distance",
    "pixel_shuffle",
    "pixel_unshuffle",
    "poisson_nll_loss",
    "pooling",
    "pooling_simple",
    "prelu",
    "relu",
    "relu6",
    "rms_norm",
    "rotary",
    "scaled_dot_product_attention",
    "selu",
    "sigmoid",
    "sigmoid_cross_entropy",
    "sigmoid_simple",
    "silu",
    "smooth_l1_loss",
    "soft_margin_loss",
    "softmax",
    "softmax_cross_entropy",
    "softmax_cross_entropy_simple",
    "softmax_simple",
    "softmin",
    "softplus",
    "softsign",
    "swiglu",
    "threshold",
    "triplet_margin_loss",
    "unfold",
]

bind_functions(__all__, Variable)
bind(FUNCTIONS, Variable)

if not TYPE_CHECKING:  # type checkers know the names already
    __getattr__ = hinting(__name__, FUNCTIONS)
