"""Define the rows of products, cumulative sums and products, variances, norms and sorting."""

from __future__ import annotations

from typing import Any

import numpy as np

from dezero_core import functions as F
from dezero_core.backends.host import HostArray

from ...op_case import OpCase

AXES = (((2, 3),), ((1, 1),), ((2, 0),))
MATRICES = (((2, 3),), ((3, 1),))


def cases() -> list[OpCase]:
    """Return the rows of this module."""
    return [*products(), *moments(), *norms(), *sorting()]


def products() -> list[OpCase]:
    """Return the rows of products, and of cumulative sums and products."""
    return [
        OpCase("prod", F.prod, lambda x: np.multiply.reduce(x.ravel()), AXES),
        OpCase(
            "prod axes",
            lambda x: F.prod(x, (0, -1), keepdims=True),
            lambda x: np.multiply.reduce(x, (0, 2))[None, :, None],
            (((2, 2, 3),), ((1, 2, 0),)),
        ),
        OpCase("cumulative_sum", F.cumulative_sum, np.cumsum, (((4,),), ((0,),))),
        OpCase(
            "cumulative_sum initial",
            lambda x: F.cumulative_sum(x, 0, include_initial=True),
            lambda x: np.cumsum(np.vstack([0 * x[:1], x]), 0) if len(x) else np.zeros((1, 2)),
            (((3, 2),), ((1, 2),)),
        ),
        OpCase("cumulative_prod", F.cumulative_prod, _cumulative_prod, (((5,),), ((1,),))),
        OpCase(
            "cumulative_prod initial",
            lambda x: F.cumulative_prod(x, -1, include_initial=True),
            lambda x: _cumulative_prod(np.hstack([0 * x[:, :1] + 1, x])),
            MATRICES,
        ),
    ]


def _cumulative_prod(x: HostArray) -> Any:
    n = x.shape[-1]
    return np.stack([np.multiply.reduce(x[..., : i + 1], -1) for i in range(n)], -1)


def moments() -> list[OpCase]:
    """Return the rows of variances, standard deviations and indices of minima."""
    return [
        OpCase("var", F.var, lambda x: _var(x.ravel()), (((3, 2),), ((1,),))),
        OpCase(
            "var axis",
            lambda x: F.var(x, -1, correction=1, keepdims=True),
            lambda x: _var(x, 1)[:, None],
            (((2, 3),), ((0, 2),)),
        ),
        OpCase("std", F.std, lambda x: np.sqrt(_var(x.ravel())), (((3, 2),), ((2,),))),
        OpCase(
            "std axis",
            lambda x: F.std(x, 1, correction=0.5),
            lambda x: np.sqrt(_var(x, 0.5)),
            (((2, 3),), ((0, 2),)),
        ),
        OpCase("argmin", F.argmin, lambda x: np.argsort(x.ravel())[0], AXES[:2], order=0),
        OpCase(
            "argmin axis",
            lambda x: F.argmin(x, -2, keepdims=True),
            lambda x: np.argsort(x, 0)[:1],
            AXES[:2],
            order=0,
        ),
    ]


def _var(x: HostArray, correction: float = 0.0) -> Any:
    """Return the variance over the last axis: the mean of all squared differences, halved."""
    n = x.shape[-1]
    differences = x[..., :, None] - x[..., None, :]
    return (differences**2).sum((-2, -1)) / (2 * n * (n - correction))


def norms() -> list[OpCase]:
    """Return the rows of vector norms."""
    return [
        OpCase("vector_norm", F.vector_norm, lambda x: np.sqrt(np.vdot(x, x)), AXES),
        OpCase(
            "vector_norm axis",
            lambda x: F.vector_norm(x, 3, 1, keepdims=True),
            lambda x: np.cbrt(np.sum(abs(x) ** 3, 1))[:, None],
            AXES,
        ),
        OpCase(
            "vector_norm one",
            lambda x: F.vector_norm(x, 1, -1) + F.vector_norm(x, -0.5, -1),
            lambda x: abs(x).sum(1) + (abs(x) ** -0.5).sum(1) ** -2,
            AXES[:2],
        ),
        OpCase(
            "vector_norm extreme",
            lambda x: (
                F.vector_norm(x, np.inf, 0) + F.vector_norm(x, -np.inf, 0) + F.vector_norm(x, 0, 0)
            ),
            lambda x: np.sort(abs(x), 0)[-1] + np.sort(abs(x), 0)[0] + len(x),
            (((2, 3),), ((1, 1),)),
        ),
    ]


def sorting() -> list[OpCase]:
    """Return the rows of ops that sort; ranks are counted by comparing all pairs."""
    return [
        OpCase("sort", F.sort, lambda x: np.take_along_axis(x, _order(x), -1), AXES),
        OpCase(
            "sort descending",
            lambda x: F.sort(x, 0, descending=True),
            lambda x: -np.take_along_axis(-x.T, _order(-x.T), -1).T,
            (((3, 2),), ((0, 2),)),
        ),
        OpCase("argsort", lambda x: F.argsort(x, axis=1), _order, AXES[:2], order=0),
        OpCase(
            "topk",
            lambda x: F.topk(x, 2)[0] * F.topk(x, 2, largest=False)[0] + F.sum(x),
            lambda x: np.sort(x)[:, :-3:-1] * np.sort(x)[:, :2] + x.sum(),
            (((2, 3),), ((1, 2),)),
        ),
        OpCase(
            "topk indices",
            lambda x: F.topk(x, 1, axis=0)[1],
            lambda x: _order(-x.T).T[:1],
            AXES[:2],
            order=0,
        ),
    ]


def _order(x: HostArray) -> Any:
    """Return the indices that sort the last axis of ``x``, which has no equal elements."""
    ranks = (x[..., :, None] > x[..., None, :]).sum(-1)
    return (ranks[..., None, :] == np.arange(x.shape[-1])[:, None]).argmax(-1) if x.size else ranks
