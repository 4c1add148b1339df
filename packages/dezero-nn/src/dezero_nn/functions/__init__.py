"""The ops of dezero-nn: each a class and a function side by side, related ones in one file."""

from .activation import relu, sigmoid, softmax
from .dropout import dropout
from .linear import linear
from .loss import accuracy, softmax_cross_entropy

__all__ = [
    "accuracy",
    "dropout",
    "linear",
    "relu",
    "sigmoid",
    "softmax",
    "softmax_cross_entropy",
]
