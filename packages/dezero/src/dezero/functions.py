"""Re-export every op of dezero_core and dezero_nn under the book's name ``dezero.functions``.

`pytorch_names` adds names of PyTorch for some of these ops.
"""

# ruff: noqa: F403, F405 (every op of both packages; __all__ names them)

from typing import TYPE_CHECKING

from dezero_core import Variable
from dezero_core.functions import *
from dezero_core.functions.broadcast import BroadcastTo, SumTo
from dezero_core.functions.exponential import Exp, Log
from dezero_core.functions.indexing import GetItem
from dezero_core.functions.linalg import MatMul
from dezero_core.functions.reduction import Max, Min, Sum
from dezero_core.functions.selection import Clip
from dezero_core.functions.shape import Reshape, Transpose
from dezero_core.functions.trigonometric import Cos, Sin, Tanh
from dezero_core.hints import bind_functions, hinting
from dezero_nn.functions import *
from dezero_nn.functions import batch_norm
from dezero_nn.functions.activation import LeakyReLU, LogSoftmax, ReLU, Sigmoid, Softmax
from dezero_nn.functions.linear import Linear
from dezero_nn.functions.loss import MeanSquaredError, SoftmaxCrossEntropy
from dezero_nn.hints import FUNCTIONS

from . import pytorch_names
from .pytorch_names import *

batch_nrom = batch_norm
"""Normalise over a batch; an alias of `batch_norm`, spelled as in the book."""

BOOK = (
    BroadcastTo, Clip, Cos, Exp, GetItem, LeakyReLU, Linear, Log, LogSoftmax, MatMul, Max,
    MeanSquaredError, Min, ReLU, Reshape, Sigmoid, Sin, Softmax, SoftmaxCrossEntropy, Sum, SumTo,
    Tanh, Transpose,
)  # fmt: skip
"""The book's op classes that take the same arguments in DeZero as in the book."""

__all__ = [
    "abs", "accuracy", "acos", "acosh", "adaptive_avg_pool1d", "adaptive_avg_pool2d",
    "adaptive_avg_pool3d", "adaptive_max_pool1d", "adaptive_max_pool2d", "add", "add_at",
    "affine_grid", "alpha_dropout", "amax", "amin", "argmax", "argmin", "argsort", "asin", "asinh",
    "astype", "atan", "atan2", "atanh", "average", "average_pooling", "avg_pool1d", "avg_pool2d",
    "avg_pool3d", "batch_norm", "batch_nrom", "bernoulli", "binary_cross_entropy",
    "binary_cross_entropy_with_logits", "bmm", "broadcast_to", "cat", "ceil", "celu", "cholesky",
    "chunk", "clamp", "clip", "col2im", "concat", "conv1d", "conv2d", "conv2d_simple", "conv3d",
    "conv_transpose1d", "conv_transpose2d", "conv_transpose3d", "cos", "cosh",
    "cosine_embedding_loss", "cosine_similarity", "cross_entropy", "ctc_loss", "cumprod", "cumsum",
    "cumulative_prod", "cumulative_sum", "deconv2d", "det", "diagonal", "div", "dot", "dropout",
    "dropout1d", "dropout2d", "dropout3d", "eigh", "einsum", "elu", "embed_id", "embedding", "erf",
    "exp", "exp2", "expand_dims", "expm1", "flatten", "flip", "floor", "floor_divide", "fold",
    "gaussian_nll_loss", "gelu", "get_item", "glu", "grid_sample", "group_norm", "gru",
    "gumbel_softmax", "hardsigmoid", "hardswish", "hardtanh", "hinge_embedding_loss", "hstack",
    "huber_loss", "im2col", "index_select", "instance_norm", "interpolate", "inv", "kl_div",
    "l1_loss", "layer_norm", "leaky_relu", "linear", "linear_simple", "local_response_norm", "log",
    "log1p", "log2", "log10", "log_softmax", "logaddexp", "logsigmoid", "logsumexp", "lp_pool1d",
    "lp_pool2d", "lstm", "margin_ranking_loss", "masked_fill", "matmul", "matrix_transpose", "max",
    "max_pool1d", "max_pool2d", "max_pool3d", "maximum", "mean", "mean_squared_error",
    "mean_squared_error_simple", "min", "minimum", "mish", "mm", "moveaxis", "movedim", "mse_loss",
    "mul", "multinomial", "mv", "neg", "nll_loss", "normalize", "one_hot", "outer", "pad",
    "pairwise_distance", "permute", "permute_dims", "pixel_shuffle", "pixel_unshuffle",
    "poisson_nll_loss", "pooling", "pooling_simple", "pos", "pow", "prelu", "prod", "qr",
    "reciprocal", "relu", "relu6", "remainder", "repeat", "reshape", "rms_norm", "roll", "rotary",
    "round", "rsqrt", "scaled_dot_product_attention", "selu", "sigmoid", "sigmoid_cross_entropy",
    "sigmoid_simple", "sign", "silu", "sin", "sinh", "slogdet", "smooth_l1_loss",
    "soft_margin_loss", "softmax", "softmax_cross_entropy", "softmax_cross_entropy_simple",
    "softmax_simple", "softmin", "softplus", "softsign", "solve", "sort", "split", "sqrt", "square",
    "squeeze", "stack", "std", "sub", "sum", "sum_to", "svd", "swiglu", "take", "take_along_axis",
    "tan", "tanh", "tensordot", "threshold", "tile", "topk", "transpose", "tril",
    "triplet_margin_loss", "triu", "trunc", "unbind", "unfold", "unsqueeze", "unstack", "var",
    "vecdot", "vector_norm", "vstack", "where",
]  # fmt: skip
"""The names of all functions of both packages and `pytorch_names`; a test checks this list."""

bind_functions(pytorch_names.__all__, Variable)

if not TYPE_CHECKING:  # type checkers that saw __getattr__ would accept every name
    __getattr__ = hinting(__name__, FUNCTIONS)
