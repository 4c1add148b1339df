"""Define models, layers that represent whole networks."""

from typing import TYPE_CHECKING

from dezero_core.hints import hinting

from ..hints import MODELS
from .cnn import CNN
from .gpt import GPT
from .mlp import MLP
from .model import Model
from .resnet import ResNet, ResNet50, ResNet101, ResNet152
from .sequential import Sequential
from .squeezenet import SqueezeNet
from .vgg import VGG16

__all__ = [
    "CNN",
    "GPT",
    "MLP",
    "VGG16",
    "Model",
    "ResNet",
    "ResNet50",
    "ResNet101",
    "ResNet152",
    "Sequential",
    "SqueezeNet",
]

if not TYPE_CHECKING:  # type checkers must report unknown names
    __getattr__ = hinting(__name__, MODELS)
