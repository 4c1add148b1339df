"""The book's ``dezero.layers``."""

from dezero_nn.layers import BatchNorm, Conv2d, Dropout, Layer, Linear

__all__ = ["BatchNorm", "Conv2d", "Dropout", "Layer", "Linear"]
