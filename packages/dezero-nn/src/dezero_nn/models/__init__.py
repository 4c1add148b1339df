"""Models: whole networks."""

from .cnn import CNN
from .mlp import MLP
from .model import Model
from .sequential import Sequential

__all__ = ["CNN", "MLP", "Model", "Sequential"]
