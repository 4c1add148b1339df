"""Define the rows of ops of transformers; each reference computes the definition of the op."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from dezero_core.backends.host import HostArray
from dezero_core.functions import sum
from dezero_nn import functions as F

from ...op_case import OpCase


def cases() -> list[OpCase]:
    """Return the rows of this module."""
    return [*activations(), *norms(), *embeddings()]


def activations() -> list[OpCase]:
    """Return the rows of activation functions; their derivatives are 0 near -1."""
    return [
        OpCase("silu", F.silu, lambda x: x * (1 + np.tanh(x / 2)) / 2, low=-1.0),
        OpCase("gelu", F.gelu, _gelu, low=-0.6),
        OpCase("gelu tanh", lambda x: F.gelu(x, approximate="tanh"), _gelu_by_tanh, low=-0.6),
    ]


def norms() -> list[OpCase]:
    """Return the rows of layer normalisation without parameters, and of RMS normalisation."""
    return [
        OpCase(
            "layer_norm plain",
            lambda x: F.layer_norm(x, eps=0.1),
            _layer_norm,
            (((2, 3),), ((1, 1),)),
        ),
        OpCase(
            "layer_norm beta",
            lambda x, beta: F.layer_norm(x, None, beta, eps=0.1),
            lambda x, beta: _layer_norm(x.reshape(-1, beta.size)).reshape(x.shape) + beta,
            (((2, 3, 2), (3, 2)), ((0, 2), (2,))),
        ),
        OpCase("rms_norm", lambda x: F.rms_norm(x, eps=0.1), _rms_norm, (((2, 3),), ((1, 1),))),
        OpCase(
            "rms_norm gamma",
            lambda x, gamma: F.rms_norm(x, gamma, eps=0.1),
            lambda x, gamma: _rms_norm(x.reshape(-1, gamma.size)).reshape(x.shape) * gamma,
            (((4, 3), (3,)), ((2, 2, 3), (2, 3)), ((0, 2), (2,))),
        ),
    ]


def embeddings() -> list[OpCase]:
    """Return the row of embedding; the sum of the table gives all its rows a gradient."""
    return [
        OpCase(
            "embedding",
            lambda W, ids: F.embedding(ids, W, padding_idx=-1) + sum(W),
            lambda W, ids: W[ids] + W.sum(dtype=W.dtype),
            (((3, 2), (2, 4)), ((2, 1), ()), ((2, 0), (0,))),
            integers={1: 1},
        )
    ]


def _layer_norm(x: HostArray) -> Any:
    return _rms_norm(x - x.mean(-1, keepdims=True))


def _rms_norm(x: HostArray) -> Any:
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + 0.1)


def _gelu(x: HostArray) -> Any:
    step = [(1 + math.erf(value / math.sqrt(2))) / 2 for value in x.ravel().tolist()]
    return (x * np.reshape(step, x.shape)).astype(x.dtype)


def _gelu_by_tanh(x: HostArray) -> Any:
    z = np.sqrt(2 / np.pi) * (x.astype("float64") + 0.044715 * x.astype("float64") ** 3)
    return (x / (1 + np.exp(-2 * z))).astype(x.dtype)
