"""Define the rows of ops of transformers; each reference computes the definition of the op."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from dezero_core.testing import HostArray
from dezero_nn import functions as F

from ...op_case import OpCase


def cases() -> list[OpCase]:
    """Return the rows of this module."""
    return [*activations()]


def activations() -> list[OpCase]:
    """Return the rows of activation functions; their derivatives are 0 near -1."""
    return [
        OpCase("silu", F.silu, lambda x: x * (1 + np.tanh(x / 2)) / 2, low=-1.0),
        OpCase("gelu", F.gelu, _gelu, low=-0.6),
        OpCase("gelu tanh", lambda x: F.gelu(x, approximate="tanh"), _gelu_by_tanh, low=-0.6),
    ]


def _gelu(x: HostArray) -> Any:
    step = [(1 + math.erf(value / math.sqrt(2))) / 2 for value in x.ravel().tolist()]
    return (x * np.reshape(step, x.shape)).astype(x.dtype)


def _gelu_by_tanh(x: HostArray) -> Any:
    z = np.sqrt(2 / np.pi) * (x.astype("float64") + 0.044715 * x.astype("float64") ** 3)
    return (x / (1 + np.exp(-2 * z))).astype(x.dtype)
