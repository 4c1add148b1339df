"""The contents of the book's ``dezero.functions``: every op of dezero_core and dezero_nn."""

from typing import TYPE_CHECKING

from dezero_core import functions as _core
from dezero_core.functions import *  # noqa: F403 (their __all__ says what)
from dezero_core.functions.broadcast import BroadcastTo, SumTo
from dezero_core.functions.exponential import Exp, Log
from dezero_core.functions.indexing import GetItem
from dezero_core.functions.linalg import MatMul
from dezero_core.functions.reduction import Max, Min, Sum
from dezero_core.functions.selection import Clip
from dezero_core.functions.shape import Reshape, Transpose
from dezero_core.functions.trigonometric import Cos, Sin, Tanh
from dezero_core.hints import hinting
from dezero_nn import functions as _nn
from dezero_nn.functions import *  # noqa: F403
from dezero_nn.functions import batch_norm
from dezero_nn.functions.activation import LeakyReLU, LogSoftmax, ReLU, Sigmoid, Softmax
from dezero_nn.functions.linear import Linear
from dezero_nn.functions.loss import MeanSquaredError, SoftmaxCrossEntropy
from dezero_nn.hints import FUNCTIONS

batch_nrom = batch_norm
"""An alias of `batch_norm`: the book's spelling."""

BOOK = (
    BroadcastTo, Clip, Cos, Exp, GetItem, LeakyReLU, Linear, Log, LogSoftmax, MatMul, Max,
    MeanSquaredError, Min, ReLU, Reshape, Sigmoid, Sin, Softmax, SoftmaxCrossEntropy, Sum, SumTo,
    Tanh, Transpose,
)  # fmt: skip
"""The book's classes of ops that take the same arguments here."""

__all__ = ["batch_nrom"]
__all__ += _core.__all__
__all__ += _nn.__all__

if not TYPE_CHECKING:  # without __getattr__, type checkers report unknown names
    __getattr__ = hinting(__name__, FUNCTIONS)
