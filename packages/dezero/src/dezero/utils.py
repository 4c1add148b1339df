"""The book's ``dezero.utils``."""

from dezero_nn import get_conv_outsize, pair

__all__ = ["get_conv_outsize", "pair"]
