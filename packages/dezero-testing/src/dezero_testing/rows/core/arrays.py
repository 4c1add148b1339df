"""Define the rows of ops that split, rearrange, repeat, pad and select elements of arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from dezero_core import Variable
from dezero_core import functions as F
from dezero_core.backends.host import HostArray

from ...op_case import UNARY, OpCase

PAIRS = (((3, 2),), ((1, 2),), ((0, 2),))
THREE_AXES = (((2, 3, 4),), ((1, 1, 1),), ((2, 0, 4),))
ORDER = np.array([[2, 0], [1, 1], [-1, 0]])


def cases() -> list[OpCase]:
    """Return the rows of this module."""
    return [*splitting(), *rearranging(), *padding(), *selecting(), *contracting()]


def splitting() -> list[OpCase]:
    """Return the rows of ops with several results."""
    return [
        OpCase("split", _split_size, lambda x: _weighted([x[:2], x[2:4], x[4:]]), (((5, 2),),)),
        OpCase(
            "split sizes",
            lambda x: _weighted(F.split(x, [1, 0, 2], -2)),
            lambda x: _weighted([x[:, :1], x[:, 1:1], x[:, 1:]]),
            (((1, 3, 2),), ((0, 3, 1),)),
        ),
        OpCase(
            "split unused",
            lambda x: F.split(x, 1, axis=1)[1] ** 2 + F.sum(x),
            lambda x: x[:, 1:2] ** 2 + np.sum(x),
            (((2, 3),),),
        ),
        OpCase(
            "chunk",
            lambda x: _weighted(F.chunk(x, 4, axis=-1)),
            lambda x: _weighted([x[:, :2], x[:, 2:4], x[:, 4:5]]),
            (((2, 5),), ((1, 5),), ((0, 5),)),
        ),
    ]


def _split_size(x: Variable) -> Any:
    return _weighted(F.split(x, 2))


def _weighted(parts: Any) -> Any:
    """Return the sum over i of i times the sum of the squares of part i."""
    return sum(i * (part * part).sum() for i, part in enumerate(parts, 1))


def rearranging() -> list[OpCase]:
    """Return the rows of ops that move or repeat elements."""
    return [
        OpCase(
            "permute_dims",
            lambda x: F.permute_dims(x, (1, -1, 0)),
            lambda x: np.einsum("abc->bca", x),
            THREE_AXES,
        ),
        OpCase(
            "moveaxis",
            lambda x: F.moveaxis(x, (0, -1), (1, 0)),
            lambda x: np.einsum("abc->cab", x),
            THREE_AXES,
        ),
        OpCase("flip", F.flip, lambda x: x.ravel()[::-1].reshape(x.shape)),
        OpCase("flip axis", lambda x: F.flip(x, (-1, 0)), lambda x: x[::-1, :, ::-1], THREE_AXES),
        OpCase(
            "repeat",
            lambda x: F.repeat(x, 2),
            lambda x: np.stack([x.ravel(), x.ravel()], 1).ravel(),
        ),
        OpCase(
            "repeat axis",
            lambda x: F.repeat(x, 3, axis=-1),
            lambda x: np.concatenate([x[:, i // 3, None] for i in range(6)], 1),
            PAIRS,
        ),
        OpCase(
            "repeat list",
            lambda x: F.repeat(x, [1, 3, 2], axis=1),
            lambda x: x[:, (0, 1, 1, 1, 2, 2)],
            (((2, 3, 2),), ((0, 3, 1),)),
        ),
        OpCase(
            "tile",
            lambda x: F.tile(x, (2, 1, 3)),
            lambda x: np.stack([np.concatenate([x, x, x], 1)] * 2),
            PAIRS,
        ),
        OpCase("tile last", lambda x: F.tile(x, 2), lambda x: np.concatenate([x, x], -1), PAIRS),
        OpCase(
            "roll",
            lambda x: F.roll(x, 1),
            lambda x: np.append(x.ravel()[-1:], x.ravel()[:-1]).reshape(x.shape),
        ),
        OpCase(
            "roll axes",
            lambda x: F.roll(x, (1, -2), (0, -1)),
            lambda x: x[[1, 0]][..., [2, 3, 0, 1]],
            (((2, 3, 4),), ((2, 1, 4),), ((2, 0, 4),)),
        ),
    ]


def padding() -> list[OpCase]:
    """Return the rows of ops that add or set constant elements."""
    return [
        OpCase("pad", lambda x: F.pad(x, ((1, 0), (2, 3)), 2.0), _pad_reference, PAIRS),
        *[
            OpCase(
                f"pad {mode}",
                lambda x, mode=mode: F.pad(x, ((1, 0), (2, 7)), mode=mode),
                lambda x, mode=mode: np.pad(x, ((1, 0), (2, 7)), mode),
                (((2, 3),), ((1, 1),)),
            )
            for mode in ("edge", "reflect", "wrap")
        ],
        OpCase(
            "tril",
            lambda x: F.tril(x, -1) + F.tril(2 * x, 1) + x,
            lambda x: x * (1 + np.tri(3, 4, -1) + 2 * np.tri(3, 4, 1)).astype(x.dtype),
            (((2, 3, 4),), ((0, 3, 4),)),
        ),
        OpCase(
            "triu",
            lambda x: F.triu(x) + F.triu(2 * x, k=1) + x,
            lambda x: x * (4 - np.tri(3, 4, -1) - 2 * np.tri(3, 4)).astype(x.dtype),
            (((3, 4),), ((1, 3, 4),)),
        ),
        OpCase(
            "masked_fill",
            lambda x: F.masked_fill(x * x, x.data > 0, 0.5) + x,
            lambda x: np.where(x > 0, np.full_like(x, 0.5), x * x) + x,
            UNARY,
        ),
        OpCase(
            "masked_fill value",
            lambda x, value: F.masked_fill(x, x.data > 0, value * value) + x,
            lambda x, value: x + x * (x <= 0) + value**2 * (x > 0),
            (((3, 2), ()), ((0, 2), ())),
        ),
    ]


def _pad_reference(x: HostArray) -> Any:
    y = np.full((x.shape[0] + 1, 7), 2.0, x.dtype)
    y[1:, 2:4] = x
    return y


def selecting() -> list[OpCase]:
    """Return the rows of ops that select elements at integer positions."""
    return [
        OpCase(
            "take", lambda x: F.take(x, [[0, -1], [2, 0]]) + F.sum(x), _take_reference, PAIRS[:1]
        ),
        OpCase(
            "take axis",
            lambda x: F.take(x, [1, 0, -1, 2], axis=1),
            lambda x: np.stack([x[:, 1], x[:, 0], x[:, 2], x[:, 2]], 1),
            (((2, 3, 2),), ((0, 3, 1),)),
        ),
        OpCase(
            "take_along_axis",
            lambda x, i: F.take_along_axis(x, i, axis=0) + F.sum(x, 0),
            lambda x, i: np.stack([x[i[:, k], k] for k in range(x.shape[1])], 1) + x.sum(0),
            (((3, 2), (4, 2)), ((3, 1), (2, 1)), ((3, 1), (0, 1))),
            integers={1: 3},
        ),
        OpCase(
            "take_along_axis broadcast",
            lambda x, i: F.take_along_axis(x, i) + F.sum(x, -1, keepdims=True),
            lambda x, i: x[:, i[0]] + x.sum(1)[:, None],
            (((2, 3), (1, 4)),),
            integers={1: 3},
        ),
        OpCase(
            "add_at",
            lambda x, values: F.add_at(x, [1, 0, 1], values),
            _add_at_reference,
            (((3, 2), (3, 2)), ((2, 1), (3, 1)), ((2, 0), (3, 0))),
        ),
        OpCase(
            "add_at slice",
            lambda x, value: F.add_at(x, (slice(1, 3), 0), value * value),
            _add_at_slice_reference,
            (((3, 2), ()),),
        ),
        OpCase(
            "diagonal",
            lambda x: F.diagonal(x, -1) + F.sum(x),
            lambda x: np.stack([x[i + 1, i] for i in range(len(x) - 1)], -1) + np.sum(x),
            (((4, 3, 2),), ((2, 3),), ((2, 3, 0),)),
        ),
        OpCase(
            "diagonal axes",
            lambda x: F.diagonal(x, 1, -1, 0) * x.sum(),
            lambda x: np.stack([x[1, :, 0], x[2, :, 1]], 1) * x.sum(),
            (((3, 2, 4),), ((3, 1, 4),)),
        ),
    ]


def _add_at_reference(x: HostArray, values: HostArray) -> Any:
    y = x.copy()
    for row, value in zip([1, 0, 1], values, strict=True):
        y[row] += value
    return y


def _add_at_slice_reference(x: HostArray, value: HostArray) -> Any:
    y = x.copy()
    y[1:3, 0] += value * value
    return y


def _take_reference(x: HostArray) -> Any:
    return np.array([[x[0, 0], x[2, 1]], [x[1, 0], x[0, 0]]]) + x.sum()


def contracting() -> list[OpCase]:
    """Return the rows of ops that multiply arrays and sum over axes."""
    return [
        OpCase("outer", F.outer, lambda a, b: a[:, None] * b[None], (((3,), (2,)), ((0,), (2,)))),
        OpCase(
            "tensordot",
            F.tensordot,
            lambda a, b: np.einsum("ijk,jklm->ilm", a, b),
            (((2, 3, 2), (3, 2, 4, 1)), ((1, 1, 1), (1, 1, 0, 2))),
        ),
        OpCase(
            "tensordot axes",
            lambda a, b: F.tensordot(a, b, ((0, -1), (1, 0))),
            lambda a, b: np.einsum("ijk,ki->j", a, b),
            (((2, 3, 4), (4, 2)), ((2, 0, 1), (1, 2)), ((0, 1, 4), (4, 0))),
        ),
        OpCase(
            "vecdot",
            F.vecdot,
            lambda a, b: np.sum(a * b, -1),
            (((2, 3), (2, 3)), ((2, 1, 3), (4, 3)), ((1,), (1,)), ((0, 2), (2,))),
        ),
        OpCase(
            "vecdot axis",
            lambda a, b: F.vecdot(a, b, axis=-2),
            lambda a, b: np.sum(a * b, -2),
            (((3, 2), (4, 3, 2)), ((0, 2), (0, 2))),
        ),
        einsum_row("einsum", "bhtd,bhsd->bhts", ((2, 1, 3, 2), (2, 1, 4, 2)), ((0, 1, 1, 2),) * 2),
        einsum_row("einsum axes moved", "bthd,bshd->hsb", ((2, 3, 1, 2), (2, 4, 1, 2))),
        einsum_row("einsum three operands", "bn,anm,bm->ba", ((2, 3), (2, 3, 2), (2, 2))),
        einsum_row("einsum diagonal", "...ii->...i", ((2, 3, 3),), add_sum=True),
        einsum_row("einsum broadcast", "...ij,...jk", ((2, 1, 1, 3), (2, 3, 2)), ((1, 2), (2, 0))),
        einsum_row("einsum one axis", "ij,kj->", ((2, 3), (4, 3)), ((1, 0), (2, 0))),
        einsum_row("einsum elementwise", "ij,j->ji", ((2, 3), (3,)), ((2, 1), (3,))),
        einsum_row("einsum rows", "bi,bi->b", ((2, 3), (2, 3))),
    ]


def einsum_row(name: str, subscripts: str, *shapes: Any, add_sum: bool = False) -> OpCase:
    """Return a row that compares with NumPy's einsum, perhaps with the sum of the input added."""

    def ours(*xs: Variable) -> Any:
        y = F.einsum(subscripts, *xs)
        return y + F.sum(xs[0]) if add_sum else y

    def reference(*xs: HostArray) -> Any:
        y = np.einsum(subscripts, *xs)
        return y + xs[0].sum() if add_sum else y

    return OpCase(name, ours, reference, shapes)
