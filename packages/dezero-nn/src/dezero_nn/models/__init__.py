"""Models: whole networks."""

from .cnn import CNN
from .mlp import MLP
from .model import Model
from .resnet import ResNet, ResNet50, ResNet101, ResNet152
from .sequential import Sequential
from .squeezenet import SqueezeNet
from .vgg import VGG16

__all__ = [
    "CNN",
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
