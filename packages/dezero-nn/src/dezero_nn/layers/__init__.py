"""Layers: parameters and what is computed with them."""

from .conv import Conv2d
from .dropout import Dropout
from .layer import Layer
from .linear import Linear
from .normalization import BatchNorm

__all__ = ["BatchNorm", "Conv2d", "Dropout", "Layer", "Linear"]
