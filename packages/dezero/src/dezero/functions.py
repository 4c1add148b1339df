"""Re-export every op of dezero_core and dezero_nn under the book's name ``dezero.functions``.

`pytorch_names` adds names of PyTorch for some of these ops.
"""

# ruff: noqa: F403 (every op of both packages)

from typing import TYPE_CHECKING

from dezero_core import Variable
from dezero_core import functions as core_functions
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
from dezero_nn import functions as nn_functions
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

__all__ = ["batch_nrom"]
__all__ += core_functions.__all__
__all__ += nn_functions.__all__
__all__ += pytorch_names.__all__

bind_functions(pytorch_names.__all__, Variable)

if not TYPE_CHECKING:  # type checkers that saw __getattr__ would accept every name
    __getattr__ = hinting(__name__, FUNCTIONS)
