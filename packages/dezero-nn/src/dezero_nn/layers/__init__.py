"""Define layers, which hold parameters and compute outputs from inputs."""

from typing import TYPE_CHECKING

from dezero_core.hints import hinting

from ..hints import LAYERS
from .activations import (
    ELU,
    GELU,
    GLU,
    SELU,
    Flatten,
    Hardsigmoid,
    Hardswish,
    Hardtanh,
    Identity,
    LeakyReLU,
    LogSigmoid,
    LogSoftmax,
    Mish,
    PReLU,
    ReLU,
    ReLU6,
    Sigmoid,
    SiLU,
    Softmax,
    Softplus,
    Tanh,
)
from .attention import MultiHeadAttention, RotaryEmbedding
from .batch_norms import BatchNorm1d, BatchNorm2d, BatchNorm3d
from .conv import Conv2d, Deconv2d
from .dropout import AlphaDropout, Dropout, Dropout1d, Dropout2d, Dropout3d
from .embedding import Embedding, EmbedID
from .kv_cache import KVCache
from .layer import Layer
from .linear import Linear
from .normalization import BatchNorm, LayerNorm
from .recurrent import GRU, LSTM, RNN
from .rms_norm import RMSNorm
from .transformer import FeedForward, SwiGLU, TransformerBlock

__all__ = [
    "ELU",
    "GELU",
    "GLU",
    "GRU",
    "LSTM",
    "RNN",
    "SELU",
    "AlphaDropout",
    "BatchNorm",
    "BatchNorm1d",
    "BatchNorm2d",
    "BatchNorm3d",
    "Conv2d",
    "Deconv2d",
    "Dropout",
    "Dropout1d",
    "Dropout2d",
    "Dropout3d",
    "EmbedID",
    "Embedding",
    "FeedForward",
    "Flatten",
    "Hardsigmoid",
    "Hardswish",
    "Hardtanh",
    "Identity",
    "KVCache",
    "Layer",
    "LayerNorm",
    "LeakyReLU",
    "Linear",
    "LogSigmoid",
    "LogSoftmax",
    "Mish",
    "MultiHeadAttention",
    "PReLU",
    "RMSNorm",
    "ReLU",
    "ReLU6",
    "RotaryEmbedding",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Softplus",
    "SwiGLU",
    "Tanh",
    "TransformerBlock",
]

if not TYPE_CHECKING:  # type checkers must report unknown names
    __getattr__ = hinting(__name__, LAYERS)
