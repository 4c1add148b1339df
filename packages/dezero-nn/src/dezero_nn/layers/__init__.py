"""Define layers, which hold parameters and compute outputs from inputs."""

from typing import TYPE_CHECKING

from dezero_core.hints import hinting

from ..hints import LAYERS
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

if not TYPE_CHECKING:  # type checkers must report unknown names
    __getattr__ = hinting(__name__, LAYERS)
