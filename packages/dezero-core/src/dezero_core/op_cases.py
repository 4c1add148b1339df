"""The rows of core's op table: adding an op is adding a row."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import functions as F
from .hookspecs import DEZERO_API, hookimpl
from .testing.op_case import BINARY, UNARY, OpCase

__all__ = ["DEZERO_API", "dezero_op_cases"]

MATRICES = (
    ((3, 4), (4, 2)),
    ((2, 3, 4), (4, 2)),
    ((2, 1, 3, 4), (3, 4, 2)),
    ((4,), (4,)),
    ((3, 4), (4,)),
    ((4,), (2, 4, 3)),
    ((1, 1), (1, 1)),
    ((0, 4), (4, 2)),
)
THREE_AXES = (((2, 3, 4),), ((1, 1, 1),), ((2, 0, 4),))


@hookimpl
def dezero_op_cases() -> list[OpCase]:
    """Elementwise ops, selection, shape, broadcasting, reduction, matrices, casting."""
    return [
        OpCase("add", F.add, np.add, BINARY),
        OpCase("add scalar", lambda x: 1.5 + x, lambda x: 1.5 + x),
        OpCase("add same", lambda x: F.add(x, x), lambda x: 2 * x),
        OpCase("sub", F.sub, np.subtract, BINARY),
        OpCase("sub scalar", lambda x: 1.5 - x, lambda x: 1.5 - x),
        OpCase("mul", F.mul, np.multiply, BINARY),
        OpCase("mul same", lambda x: x * x, np.square),
        OpCase("div", F.div, np.divide, BINARY, low=0.5),
        OpCase("div scalar", lambda x: 1 / x, np.reciprocal, low=0.5),
        OpCase("neg", F.neg, np.negative),
        OpCase("pos", F.pos, np.positive),
        OpCase("pow", F.pow, np.power, BINARY, low=0.5),
        OpCase("pow square", lambda x: x**2, np.square),
        OpCase("pow cube", lambda x: x**3, lambda x: x * x * x),
        OpCase("pow root", lambda x: x**0.5, np.sqrt, low=0.5),
        OpCase("pow inverse", lambda x: x**-1, np.reciprocal, low=0.5),
        OpCase("pow base", lambda x: 2**x, np.exp2),
        OpCase("exp", F.exp, np.exp),
        OpCase("log", F.log, np.log, low=0.5),
        OpCase("sin", F.sin, np.sin),
        OpCase("cos", F.cos, np.cos),
        OpCase("tanh", F.tanh, np.tanh),
        OpCase("maximum", _maximum_mixed, _maximum_mixed_reference, BINARY),
        OpCase(
            "maximum scalar", lambda x: F.maximum(x, 0.5), lambda x: np.maximum(x, 0.5), low=0.6
        ),
        OpCase("where", _where_mixed, _where_mixed_reference, BINARY),
        OpCase(
            "reshape", lambda x: F.reshape(x, (4, -1)), lambda x: x.reshape(4, -1), THREE_AXES[:1]
        ),
        OpCase("reshape flat", lambda x: x.reshape(-1), np.ravel, UNARY[:3]),
        OpCase("transpose", F.transpose, np.transpose, THREE_AXES),
        OpCase(
            "transpose axes",
            lambda x: F.transpose(x, (1, -1, 0)),
            lambda x: np.transpose(x, (1, 2, 0)),
            THREE_AXES,
        ),
        OpCase(
            "matrix_transpose", F.matrix_transpose, lambda x: np.swapaxes(x, -1, -2), THREE_AXES
        ),
        OpCase(
            "broadcast_to",
            lambda x: F.broadcast_to(x, (4, 3, 2)),
            lambda x: np.tile(x.reshape(-1, 2)[None, :1], (4, 3, 1)),
            (((1, 2),), ((2,),)),
        ),
        OpCase(
            "sum_to", lambda x: F.sum_to(x, (3, 1)), _sum_to_reference, (((2, 3, 4),), ((3, 0),))
        ),
        OpCase("sum", F.sum, np.sum),
        OpCase("sum axis", lambda x: F.sum(x, -2), lambda x: np.sum(x, 1), THREE_AXES),
        OpCase(
            "sum keepdims",
            lambda x: F.sum(x, (0, -1), keepdims=True),
            lambda x: np.einsum("abc->b", x)[None, :, None],
            THREE_AXES,
        ),
        OpCase("matmul", F.matmul, np.matmul, MATRICES),
        OpCase("astype", lambda x: F.astype(x, x.dtype), lambda x: x),
    ]


def _maximum_mixed(x0: Any, x1: Any) -> Any:
    """Each input is the larger one somewhere."""
    return F.maximum(x0, x1) + F.maximum(-2 * x0, -3 * x1)


def _maximum_mixed_reference(x0: Any, x1: Any) -> Any:
    return (x0 + x1 + abs(x0 - x1)) / 2 + (-2 * x0 - 3 * x1 + abs(3 * x1 - 2 * x0)) / 2


def _where_mixed(x0: Any, x1: Any) -> Any:
    return F.where(x0 > x1, 2 * x0, x1) + F.where(x0 > x1, 3 * x1, x0)


def _where_mixed_reference(x0: Any, x1: Any) -> Any:
    larger = x0 > x1
    return larger * (2 * x0 + 3 * x1) + ~larger * (x0 + x1)


def _sum_to_reference(x: Any) -> Any:
    return (
        np.einsum("abc->b", x.reshape(-1, 3, x.shape[-1]))[:, None] if x.size else np.zeros((3, 1))
    )
