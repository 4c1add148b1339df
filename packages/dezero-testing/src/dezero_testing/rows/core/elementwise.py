"""Define the rows of elementwise functions: logarithms, inverse functions, rounding and erf.

The rows of rounding functions add a term to the result, because their own gradient is zero.
"""

from __future__ import annotations

import math

import numpy as np

from dezero_core import functions as F
from dezero_core.backends.host import HostArray

from ...op_case import OpCase

SHAPES = (((3, 2),), ((),), ((0, 2),))
PAIRS = (((3, 2), (2,)), ((), (3, 1)), ((1,), (1,)), ((0, 2), (2,)))


def cases() -> list[OpCase]:
    """Return the rows of this module."""
    return [*exponentials(), *inverses(), *rounding()]


def exponentials() -> list[OpCase]:
    """Return the rows of logarithms, exponentials, powers and hyperbolic functions."""
    return [
        OpCase("exp2", F.exp2, lambda x: 2**x, SHAPES),
        OpCase("expm1", F.expm1, lambda x: np.exp(x) - 1, SHAPES),
        OpCase("log1p", F.log1p, lambda x: np.log(1 + x), SHAPES, low=-0.5),
        OpCase("logaddexp", F.logaddexp, lambda x, y: np.log(np.exp(x) + np.exp(y)), PAIRS),
        OpCase("log2", F.log2, lambda x: np.log(x) / math.log(2), SHAPES, low=0.5),
        OpCase("log10", F.log10, lambda x: np.log(x) / math.log(10), SHAPES, low=0.5),
        OpCase("square", F.square, lambda x: x**2, SHAPES),
        OpCase("reciprocal", F.reciprocal, lambda x: x**-1, SHAPES, low=0.5),
        OpCase("rsqrt", F.rsqrt, lambda x: x**-0.5, SHAPES, low=0.5),
        OpCase("sinh", F.sinh, lambda x: (np.exp(x) - np.exp(-x)) / 2, SHAPES),
        OpCase("cosh", F.cosh, lambda x: (np.exp(x) + np.exp(-x)) / 2, SHAPES),
        OpCase("erf", F.erf, _erf, SHAPES),
        OpCase("erf large", lambda x: F.erf(x / 2), lambda x: _erf(x / 2), SHAPES, 2.0, 6.0),
    ]


def _erf(x: HostArray) -> HostArray:
    return np.vectorize(math.erf, otypes=[x.dtype])(x)


def inverses() -> list[OpCase]:
    """Return the rows of inverse trigonometric and inverse hyperbolic functions."""
    return [
        OpCase("asin", F.asin, np.arcsin, SHAPES, -0.9, 0.9),
        OpCase("acos", F.acos, lambda x: math.pi / 2 - np.arcsin(x), SHAPES, -0.9, 0.9),
        OpCase("atan", F.atan, lambda x: np.arcsin(x / np.sqrt(1 + x * x)), SHAPES),
        OpCase("atan2", F.atan2, np.arctan2, PAIRS),
        OpCase("atan2 scalar", lambda x: F.atan2(0.5, x), lambda x: np.angle(x + 0.5j), SHAPES),
        OpCase("asinh", F.asinh, lambda x: np.log(x + np.sqrt(x * x + 1)), SHAPES, low=-1.0),
        OpCase("acosh", F.acosh, lambda x: np.log(x + np.sqrt(x * x - 1)), SHAPES, low=1.5),
        OpCase("atanh", F.atanh, lambda x: np.log((1 + x) / (1 - x)) / 2, SHAPES, -0.9, 0.9),
    ]


def rounding() -> list[OpCase]:
    """Return the rows of functions that round, and of divisions with a rounded quotient."""
    return [
        OpCase("floor", lambda x: F.floor(x) * x, lambda x: (x - x % 1) * x, SHAPES, 1.0),
        OpCase("ceil", lambda x: F.ceil(x) * x, lambda x: (x + -x % 1) * x, SHAPES, 0.1),
        OpCase("trunc", lambda x: F.trunc(3 * x) * x, lambda x: np.fix(3 * x) * x, SHAPES, 0.5),
        OpCase(
            "round", lambda x: F.round(x) * x, lambda x: (x + 0.5 - (x + 0.5) % 1) * x, SHAPES, 0.6
        ),
        OpCase(
            "round decimals",
            lambda x: F.round(x, 1) * x + F.round(100 * x, decimals=-1),
            lambda x: np.around(x, 1) * x + np.around(100 * x, -1),
            SHAPES,
            low=0.5,
        ),
        OpCase("sign", lambda x: F.sign(x) * x, lambda x: np.hypot(x, 0), SHAPES),
        OpCase(
            "floor_divide",
            lambda x0, x1: F.floor_divide(3 * x0, x1) * x0 + x1,
            lambda x0, x1: (3 * x0 - 3 * x0 % x1) / x1 * x0 + x1,
            PAIRS,
            low=1.0,
        ),
        OpCase(
            "remainder",
            lambda x0, x1: F.remainder(3 * x0, x1),
            lambda x0, x1: 3 * x0 - x1 * np.floor(3 * x0 / x1),
            PAIRS,
            low=1.0,
        ),
    ]
