"""Define the rows of activation functions; each reference is the definition of the function.

Some functions have a zero gradient for some inputs. Their rows add a term to the result, so that no
gradient is zero.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dezero_core.backends.host import HostArray
from dezero_nn import functions as F

from ...op_case import OpCase

HALVES = (((3, 4),), ((2,),), ((0, 2),))
FEW: Any = (((3, 2),), ((),), ((0, 2),))


def cases() -> list[OpCase]:
    """Return the rows of this module."""
    return [*piecewise(), *exponential_units(), *smooth(), *gated()]


def piecewise() -> list[OpCase]:
    """Return the rows of functions that are linear in pieces."""
    return [
        OpCase("hardtanh", lambda x: F.hardtanh(x) + x, lambda x: np.clip(x, -1, 1) + x, FEW),
        OpCase(
            "hardtanh bounds",
            lambda x: F.hardtanh(x, -0.5, 1.5) + x,
            lambda x: np.minimum(np.maximum(x, -0.5), 1.5) + x,
            FEW,
        ),
        OpCase("relu6", lambda x: F.relu6(x) + x, lambda x: np.clip(x, 0, 6) + x, FEW, -4, 9),
        OpCase(
            "hardsigmoid",
            lambda x: F.hardsigmoid(x) + x,
            lambda x: np.clip(x / 6 + 0.5, 0, 1) + x,
            FEW,
            -5,
            5,
        ),
        OpCase(
            "hardswish",
            lambda x: F.hardswish(x) + 2 * x,
            lambda x: x * np.clip(x / 6 + 0.5, 0, 1) + 2 * x,
            FEW,
            -5,
            5,
        ),
        OpCase(
            "threshold",
            lambda x: F.threshold(x, 0.5, 20.0) + x,
            lambda x: np.where(x > 0.5, x, x.dtype.type(20)) + x,
            FEW,
        ),
        OpCase(
            "prelu",
            lambda x, a: F.prelu(x, a) + a.sum(),
            lambda x, a: np.maximum(x, 0) + a * np.minimum(x, 0) + a.sum(),
            (((3, 2), (1,)), ((4,), ()), ((0, 2), (1,))),
        ),
        OpCase(
            "prelu channels",
            lambda x, a: F.prelu(x, a) + a.sum(),
            lambda x, a: np.where(x > 0, x, a[:, None] * x) + a.sum(),
            (((3, 2, 2), (2,)), ((1, 1, 3), (1,))),
        ),
    ]


def exponential_units() -> list[OpCase]:
    """Return the rows of functions that are exponential below 0."""
    return [
        OpCase("elu", F.elu, lambda x: np.where(x > 0, x, np.exp(x) - 1), FEW),
        OpCase(
            "elu alpha",
            lambda x: F.elu(x, 0.7),
            lambda x: np.maximum(x, 0) + x.dtype.type(0.7) * np.expm1(np.minimum(x, 0)),
            FEW,
        ),
        OpCase("selu", F.selu, _selu, FEW),
        OpCase(
            "celu",
            lambda x: F.celu(x, 0.7),
            lambda x: np.maximum(x, 0) + np.minimum(0.7 * np.expm1(x / 0.7), 0),
            FEW,
        ),
    ]


def _selu(x: HostArray) -> Any:
    alpha, scale = 1.6732632423543772848, 1.0507009873554804934
    return (scale * (np.maximum(x, 0) + np.minimum(alpha * np.expm1(x), 0))).astype(x.dtype)


def smooth() -> list[OpCase]:
    """Return the rows of smooth functions."""
    return [
        OpCase("softplus", F.softplus, lambda x: np.log(1 + np.exp(x)), FEW),
        OpCase(
            "softplus settings",
            lambda x: F.softplus(x, beta=2.0, threshold=1.0),
            lambda x: np.where(2 * x > 1, x, np.log(1 + np.exp(2 * x)) / 2),
            FEW,
        ),
        OpCase("logsigmoid", F.logsigmoid, lambda x: -np.log(1 + np.exp(-x)), FEW),
        OpCase("mish", F.mish, lambda x: x * np.tanh(np.log(1 + np.exp(x))), FEW, low=-0.8),
        OpCase("softsign", F.softsign, lambda x: x / (1 + np.abs(x)), FEW),
        OpCase(
            "softmin",
            F.softmin,
            lambda x: np.exp(-x) / np.exp(-x).sum(axis=-1, keepdims=True),
            (((2, 3),), ((1, 1),), ((0, 2),)),
        ),
    ]


def gated() -> list[OpCase]:
    """Return the rows of gated linear units."""
    return [
        OpCase("glu", F.glu, lambda x: _gated(x, np.ones_like), HALVES),
        OpCase(
            "glu axis",
            lambda x: F.glu(x, 0),
            lambda x: x[:1] / (1 + np.exp(-x[1:])),
            (((2, 3),), ((2, 0),)),
        ),
        OpCase("swiglu", F.swiglu, lambda x: _gated(x, lambda gate: gate), HALVES),
        OpCase(
            "swiglu gate",
            F.swiglu,
            lambda x, gate: x * gate / (1 + np.exp(-gate)),
            (((3, 2), (3, 2)), ((1,), (1,)), ((0, 2), (0, 2))),
        ),
    ]


def _gated(x: HostArray, factor: Any) -> Any:
    first, second = np.split(x, 2, axis=-1)
    return first * factor(second) / (1 + np.exp(-second))
