"""Layers: parameters and what is computed with them."""

from .conv import Conv2d, Deconv2d
from .dropout import Dropout
from .embedding import EmbedID
from .layer import Layer
from .linear import Linear
from .normalization import BatchNorm, LayerNorm
from .recurrent import GRU, LSTM, RNN

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "BatchNorm",
    "Conv2d",
    "Deconv2d",
    "Dropout",
    "EmbedID",
    "Layer",
    "LayerNorm",
    "Linear",
]
