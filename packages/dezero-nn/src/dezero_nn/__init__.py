"""Layers, losses, models and optimizers for DeZero."""

from . import functions, layers, models, optimizers
from .__about__ import __version__
from .functions import accuracy, dropout, linear, relu, sigmoid, softmax, softmax_cross_entropy
from .layers import Layer, Linear
from .models import MLP, Model, Sequential
from .optimizers import SGD, Adam, Optimizer

__all__ = [
    "MLP",
    "SGD",
    "Adam",
    "Layer",
    "Linear",
    "Model",
    "Optimizer",
    "Sequential",
    "__version__",
    "accuracy",
    "dropout",
    "functions",
    "layers",
    "linear",
    "models",
    "optimizers",
    "relu",
    "sigmoid",
    "softmax",
    "softmax_cross_entropy",
]
