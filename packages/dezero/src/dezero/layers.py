"""The book's ``dezero.layers``."""

from dezero_nn.layers import Layer, Linear

__all__ = ["Layer", "Linear"]
