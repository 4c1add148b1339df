"""Define the rows of arithmetic, shapes, indexing and reductions.

Some ops have a zero gradient at some elements. The rows of these ops add a term to the result, so
that no gradient is zero.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dezero_core import Variable
from dezero_core import functions as F
from dezero_core.arguments import Axis
from dezero_core.backends.host import HostArray

from ...op_case import BINARY, UNARY, OpCase

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
THREE_BOUNDS = (((3, 2), (2,), (3, 1)), ((2,), (3, 2), ()), ((), (), ()), ((0, 2), (2,), ()))
THREE_AXES = (((2, 3, 4),), ((1, 1, 1),), ((2, 0, 4),))
PAIRS = (((3, 2),), ((1, 2),), ((0, 2),))
JOINED = (((2, 3, 2), (2, 1, 2)), ((1, 1, 1), (1, 1, 1)), ((2, 0, 2), (2, 1, 2)))
ALIKE = (((3, 2), (3, 2)), ((), ()), ((1,), (1,)), ((0, 2), (0, 2)))


def cases() -> list[OpCase]:
    """Return the rows of this module."""
    return [
        *arithmetic(),
        *elementwise(),
        *selection(),
        *shape(),
        *indexing(),
        *reduction(),
        *extremes(),
        OpCase("matmul", F.matmul, np.matmul, MATRICES),
        OpCase("astype", lambda x: F.astype(x, x.dtype), lambda x: x),
    ]


def arithmetic() -> list[OpCase]:
    """Return the rows of arithmetic ops."""
    return [
        OpCase("add", F.add, np.add, BINARY),
        OpCase("add scalar", lambda x: 1.5 + x, lambda x: 1.5 + x),
        OpCase("add same", lambda x: F.add(x, x), lambda x: x + x),
        OpCase("sub", F.sub, np.subtract, BINARY),
        OpCase("sub scalar", lambda x: 1.5 - x, lambda x: 1.5 - x),
        OpCase("mul", F.mul, np.multiply, BINARY),
        OpCase("mul same", lambda x: x * x, np.square),
        OpCase("div", F.div, np.divide, BINARY, low=0.5),
        OpCase("div scalar", lambda x: 1 / x, np.reciprocal, low=0.5),
        OpCase("neg", F.neg, np.negative),
        OpCase("pos", F.pos, np.positive),
        OpCase("abs", F.abs, lambda x: x * np.where(x < 0, -1, 1).astype(x.dtype)),
        OpCase("pow", F.pow, np.power, BINARY, low=0.5),
        OpCase("pow square", lambda x: x**2, np.square),
        OpCase("pow cube", lambda x: x**3, lambda x: x * x * x),
        OpCase("pow root", lambda x: x**0.5, np.sqrt, low=0.5),
        OpCase("pow inverse", lambda x: x**-1, np.reciprocal, low=0.5),
        OpCase("pow base", lambda x: 2**x, np.exp2),
    ]


def elementwise() -> list[OpCase]:
    """Return the rows of elementwise functions of one array."""
    return [
        OpCase("exp", F.exp, np.exp),
        OpCase("log", F.log, np.log, low=0.5),
        OpCase("sqrt", F.sqrt, lambda x: x**0.5, low=0.5),
        OpCase("sin", F.sin, np.sin),
        OpCase("cos", F.cos, np.cos),
        OpCase("tan", F.tan, lambda x: np.sin(x) / np.cos(x), low=-1.0, high=1.0),
        OpCase("tanh", F.tanh, np.tanh),
    ]


def selection() -> list[OpCase]:
    """Return the rows of ops that select elements."""
    return [
        OpCase("maximum", _maximum_mixed, _maximum_mixed_reference, BINARY),
        OpCase(
            "maximum scalar", lambda x: F.maximum(x, 0.5), lambda x: np.maximum(x, 0.5), low=0.6
        ),
        OpCase("minimum", _minimum_mixed, lambda a, b: -_maximum_mixed_reference(-a, -b), BINARY),
        OpCase(
            "minimum scalar", lambda x: F.minimum(x, 0.5), lambda x: -np.maximum(-x, -0.5), high=0.4
        ),
        OpCase("where", _where_mixed, _where_mixed_reference, BINARY),
        OpCase("clip", lambda x: F.clip(x, -1.0, 1.0) + 2 * x, _clip_reference),
        OpCase("clip below", lambda x: F.clip(x, 0.5), lambda x: np.fmax(x, 0.5), low=0.6),
        OpCase("clip above", lambda x: F.clip(x, None, 0.5), lambda x: np.fmin(x, 0.5), high=0.4),
        OpCase("clip arrays", _clip_mixed, _clip_mixed_reference, THREE_BOUNDS),
        OpCase(
            "clip array below",
            lambda x, low: F.clip(x, low, 9.0) + F.clip(2 * low, x) + 3 * x + 2 * low,
            lambda x, low: np.fmax(x, low) + np.fmax(x, 2 * low) + 3 * x + 2 * low,
            BINARY,
        ),
        OpCase(
            "clip array above",
            lambda x, high: F.clip(x, -9.0, high) + F.clip(2 * high, None, x) + 3 * x + 2 * high,
            lambda x, high: np.fmin(x, high) + np.fmin(x, 2 * high) + 3 * x + 2 * high,
            BINARY,
        ),
    ]


def _maximum_mixed(x0: Variable, x1: Variable) -> Any:
    """Add two maxima, because one maximum has a zero gradient for the smaller input."""
    return F.maximum(x0, x1) + F.maximum(-2 * x0, -3 * x1)


def _minimum_mixed(x0: Variable, x1: Variable) -> Any:
    return F.minimum(x0, x1) + F.minimum(-2 * x0, -3 * x1)


def _maximum_mixed_reference(x0: HostArray, x1: HostArray) -> Any:
    return (x0 + x1 + abs(x0 - x1)) / 2 + (-2 * x0 - 3 * x1 + abs(3 * x1 - 2 * x0)) / 2


def _where_mixed(x0: Variable, x1: Variable) -> Any:
    return F.where(x0 > x1, 2 * x0, x1) + F.where(x0 > x1, 3 * x1, x0)


def _where_mixed_reference(x0: HostArray, x1: HostArray) -> Any:
    larger = x0 > x1
    return larger * (2 * x0 + 3 * x1) + ~larger * (x0 + x1)


def _clip_mixed(x: Variable, low: Variable, high: Variable) -> Any:
    """Add three clips, so that each input is selected somewhere; ``low`` may be above ``high``."""
    clipped = 2 * F.clip(x, low, high) + 2 * F.clip(low, high, x) + 2 * F.clip(high, x, low)
    return clipped + 2 * x + 3 * low + 4 * high


def _clip_mixed_reference(x: HostArray, low: HostArray, high: HostArray) -> Any:
    orders = ((x, low, high), (low, high, x), (high, x, low))
    clipped = sum(2 * np.fmin(np.fmax(a, b), c) for a, b, c in orders)
    return clipped + 2 * x + 3 * low + 4 * high


def _clip_reference(x: HostArray) -> Any:
    return (np.abs(x + 1) - np.abs(x - 1)) / 2 + 2 * x


def shape() -> list[OpCase]:
    """Return the rows of ops that change the shape."""
    return [
        OpCase(
            "reshape", lambda x: F.reshape(x, (4, -1)), lambda x: x.reshape(4, -1), THREE_AXES[:1]
        ),
        OpCase("reshape flat", lambda x: x.reshape(-1), np.ravel, UNARY[:3]),
        OpCase("flatten", F.flatten, lambda x: x.reshape(len(x), x[0].size), THREE_AXES),
        OpCase(
            "flatten two axes",
            lambda x: F.flatten(x, 0, 1),
            lambda x: x.reshape(-1, x.shape[2]),
            THREE_AXES[:1],
        ),
        OpCase("expand_dims", lambda x: F.expand_dims(x, -1), lambda x: x[..., None]),
        OpCase("expand_dims first", lambda x: F.expand_dims(x, 0), lambda x: x[None]),
        OpCase("squeeze", F.squeeze, lambda x: x[:, 0, :, 0], (((2, 1, 3, 1),), ((0, 1, 2, 1),))),
        OpCase("squeeze axis", lambda x: F.squeeze(x, -2), lambda x: x[0], (((1, 3),), ((1, 1),))),
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
    ]


def _sum_to_reference(x: HostArray) -> Any:
    return (
        np.einsum("abc->b", x.reshape(-1, 3, x.shape[-1]))[:, None] if x.size else np.zeros((3, 1))
    )


def indexing() -> list[OpCase]:
    """Return the rows of indexing and joining."""
    return [
        OpCase(
            "get_item",
            lambda x: 2 * x[::-1, ..., None],
            lambda x: 2 * np.flip(x, 0)[..., None],
            (((3, 2),), ((1,),), ((0, 2),)),
        ),
        OpCase("get_item integer", lambda x: x[-1] * x[0], lambda x: x[0] * x[1], (((2, 3),),)),
        OpCase(
            "get_item rows",
            lambda x: F.get_item(x, [1, 0, 1, 2, 1]),
            lambda x: np.stack([x[1], x[0], x[1], x[2], x[1]]),
            (((3, 2),), ((3, 1),), ((3, 0),)),
        ),
        OpCase(
            "get_item positions",
            lambda x: F.get_item(x, ([0, 1, 0, 1], [1, 0, 1, 1])) + F.sum(x),
            lambda x: np.array([x[0, 1], x[1, 0], x[0, 1], x[1, 1]]) + x.sum(),
            (((2, 2),),),
        ),
        OpCase(
            "get_item mask",
            lambda x: F.concat([x[x > 0], 2 * x[x <= 0]]),
            lambda x: np.concatenate([np.extract(x > 0, x), 2 * np.extract(x <= 0, x)]),
            UNARY,
        ),
        OpCase(
            "concat",
            lambda x, y: F.concat([x, 2 * y, x], axis=-2),
            lambda x, y: np.hstack([x, 2 * y, x]),
            JOINED,
        ),
        OpCase(
            "stack",
            lambda x, y: F.stack([x, 2 * y], axis=-1),
            lambda x, y: np.moveaxis(np.array([x, 2 * y]), 0, -1),
            ALIKE,
        ),
        OpCase(
            "unstack",
            lambda x: F.stack([i * row * row for i, row in enumerate(F.unstack(x), 1)][::-1], -1),
            lambda x: np.stack([i * row * row for i, row in enumerate(x, 1)][::-1], -1),
            (((3, 2),), ((1, 1),), ((2, 0),)),
        ),
        OpCase(
            "unstack axis",
            lambda x: F.unstack(x, -2)[1] * 2 + F.unstack(x, axis=1)[0],
            lambda x: x[:, 1] * 2 + x[:, 0],
            (((2, 2, 3),), ((1, 2, 1),), ((0, 2, 2),)),
        ),
    ]


def reduction() -> list[OpCase]:
    """Return the rows of reductions."""
    return [
        OpCase("sum", F.sum, np.sum),
        OpCase("sum axis", lambda x: F.sum(x, -2), lambda x: np.sum(x, 1), THREE_AXES),
        OpCase(
            "sum keepdims",
            lambda x: F.sum(x, (0, -1), keepdims=True),
            lambda x: np.einsum("abc->b", x)[None, :, None],
            THREE_AXES,
        ),
        OpCase("logsumexp", F.logsumexp, _logsumexp, UNARY[:3]),
        OpCase(
            "logsumexp axis",
            lambda x: F.logsumexp(x, (0, -1), keepdims=True),
            lambda x: _logsumexp(x, (0, 2))[None, :, None],
            THREE_AXES[:2],
        ),
        OpCase("mean", F.mean, lambda x: np.sum(x) / x.size, UNARY[:3]),
        OpCase(
            "mean axis",
            lambda x: F.mean(x, -3),
            lambda x: np.einsum("abc->bc", x) / len(x),
            THREE_AXES,
        ),
        OpCase(
            "average",
            lambda x: F.average(x, (0, -1), keepdims=True),
            lambda x: np.einsum("abc->b", x)[None, :, None] / (len(x) * x.shape[2]),
            THREE_AXES,
        ),
    ]


def _logsumexp(x: HostArray, axis: Axis = None) -> Any:
    return np.log(np.exp(x.astype("float64")).sum(axis=axis)).astype(x.dtype)


def extremes() -> list[OpCase]:
    """Return the rows of maxima, minima and their positions."""
    return [
        OpCase("max", F.max, np.amax, UNARY[1:3]),
        OpCase(
            "max axis",
            lambda x: F.max(x, -1) + F.max(-2 * x, -1),
            lambda x: np.sort(x)[:, 1] - 2 * np.sort(x)[:, 0],
            PAIRS,
        ),
        OpCase(
            "max ties",
            lambda x: F.max(F.stack([x, x]), 0) + F.max(F.stack([x])),
            _plus_largest,
            UNARY[:1],
        ),
        OpCase("min", F.min, np.amin, UNARY[1:3]),
        OpCase(
            "min keepdims",
            lambda x: F.min(x, (1,), keepdims=True) + F.min(-2 * x, 1, keepdims=True),
            lambda x: np.sort(x)[:, :1] - 2 * np.sort(x)[:, 1:],
            PAIRS,
        ),
        OpCase("argmax", F.argmax, _first_largest, UNARY[:3], order=0),
        OpCase(
            "argmax axis",
            lambda x: F.argmax(x, -2, keepdims=True),
            lambda x: np.argsort(-x, axis=1)[:, :1],
            THREE_AXES[:2],
            order=0,
        ),
    ]


def _plus_largest(x: HostArray) -> Any:
    return x + np.sort(x.ravel())[-1]


def _first_largest(x: HostArray) -> Any:
    return np.argsort(-x.ravel())[0]
