"""Define the rows of losses with a reduction; each reference adds up the losses one by one."""

from __future__ import annotations

from typing import Any

import numpy as np

from dezero_core import Variable
from dezero_core.backends.host import HostArray
from dezero_core.extend import backend_of
from dezero_nn import functions as F

from ...op_case import OpCase

LABELLED = (((2, 3), (2,)), ((3,), ()))
PAIRS = (((2, 2), (2, 2)), ((), ()))
WEIGHTS = (0.5, 1.0, 2.0)
"""Weights of three classes."""


def cases() -> list[OpCase]:
    """Return the rows of this module."""
    return [*cross_entropies(), *regressions(), *likelihoods(), *similarities(), *margins()]


def cross_entropies() -> list[OpCase]:
    """Return the rows of the cross entropy, with labels and with probabilities."""
    return [
        OpCase("cross_entropy", F.cross_entropy, _cross_entropy, LABELLED, integers={1: 3}),
        OpCase(
            "cross_entropy label_smoothing",
            lambda x, t: (
                F.cross_entropy(x, t, _weights(x), ignore_index=1, label_smoothing=0.1)
                + (x * x).sum()
            ),
            lambda x, t: (
                _cross_entropy(x, t, WEIGHTS, ignored=1, smoothing=0.1) + np.square(x).sum()
            ),
            (((5, 3), (5,)), ((1, 3), (1,))),
            integers={1: 3},
            order=1,
        ),
        OpCase(
            "cross_entropy ignored",
            lambda x, t: F.cross_entropy(x, t, ignore_index=1) + (x * x).sum(),
            lambda x, t: _cross_entropy(x, t, ignored=1) + np.square(x).sum(),
            (((5, 3), (5,)), ((1, 3), (1,))),
            integers={1: 3},
        ),
        OpCase(
            "cross_entropy axis",
            lambda x, t: F.cross_entropy(x, t, _weights(x), reduction="sum", axis=0),
            lambda x, t: _losses(np.moveaxis(x, 0, -1), t, WEIGHTS)[0].sum(),
            (((3, 2, 2), (2, 2)), ((3, 0), (0,))),
            integers={1: 3},
            order=1,
        ),
        OpCase(
            "cross_entropy none",
            lambda x, t: F.cross_entropy(x, t, reduction="none"),
            lambda x, t: _losses(np.moveaxis(x, 1, -1), t)[0],
            (((2, 3, 2), (2, 2)), ((1, 3), (1,))),
            integers={1: 3},
            order=1,
        ),
        OpCase(
            "cross_entropy probabilities",
            lambda x, t: F.cross_entropy(x, t, _weights(x), label_smoothing=0.1),
            lambda x, t: (
                -((0.9 * t + 0.1 / 3) * np.log(_softmax(x)) * WEIGHTS).sum() / max(x.size // 3, 1)
            ),
            (((2, 3), (2, 3)), ((3,), (3,))),
            low=0.1,
            order=1,
        ),
        OpCase(
            "binary_cross_entropy reduction",
            lambda p, t: F.binary_cross_entropy(p, t, _weights(p), reduction="none"),
            lambda p, t: -(t * np.log(p) + (1 - t) * np.log(1 - p)) * np.array(WEIGHTS, p.dtype),
            (((2, 3), (2, 3)), ((0, 3), (0, 3))),
            low=0.1,
            high=0.9,
            order=1,
        ),
        OpCase(
            "nll_loss",
            lambda x, t: F.nll_loss(x, t) + (x * x).sum(),
            lambda x, t: (
                -np.mean([row[i] for row, i in zip(x.reshape(-1, 3), t.ravel(), strict=True)])
                + np.square(x).sum()
            ),
            LABELLED,
            integers={1: 3},
        ),
    ]


def regressions() -> list[OpCase]:
    """Return the rows of losses of differences."""
    return [
        OpCase("mse_loss", F.mse_loss, lambda x, t: np.square(x - t).mean(), PAIRS),
        OpCase(
            "mse_loss none",
            lambda x, t: F.mse_loss(x, t, reduction="none"),
            lambda x, t: np.square(x - t),
            (((2, 2), (2, 2)), ((0, 2), (0, 2))),
            order=1,
        ),
        OpCase(
            "l1_loss",
            lambda x, t: F.l1_loss(x, t, reduction="sum"),
            lambda x, t: np.abs(x - t).sum(),
            (((2, 2), (2, 2)), ((0, 2), (0, 2))),
        ),
        OpCase(
            "huber_loss",
            lambda x, t: F.huber_loss(x, t, delta=0.7),
            lambda x, t: _huber(x - t, 0.7).mean(),
            PAIRS,
        ),
        OpCase(
            "smooth_l1_loss",
            lambda x, t: F.smooth_l1_loss(x, t, beta=0.7),
            lambda x, t: _huber(x - t, 0.7).mean() / 0.7,
            PAIRS,
        ),
    ]


def _huber(d: HostArray, delta: float) -> Any:
    return np.where(np.abs(d) <= delta, d * d / 2, delta * (np.abs(d) - delta / 2))


def likelihoods() -> list[OpCase]:
    """Return the rows of losses of distributions."""
    return [
        OpCase(
            "binary_cross_entropy_with_logits",
            F.binary_cross_entropy_with_logits,
            lambda x, t: _with_logits(x, t).mean(),
            PAIRS,
        ),
        OpCase(
            "binary_cross_entropy_with_logits weights",
            lambda x, t: F.binary_cross_entropy_with_logits(
                x, t, _weights(x), pos_weight=2.0 * _weights(x), reduction="none"
            ),
            lambda x, t: (_with_logits(x, t, 2 * np.array(WEIGHTS)) * WEIGHTS).astype(x.dtype),
            (((2, 3), (2, 3)), ((0, 3), (0, 3))),
            order=1,
        ),
        OpCase(
            "kl_div",
            lambda x, t: F.kl_div(x, t, reduction="batchmean"),
            lambda x, t: (t * (np.log(t) - x)).sum() / max(len(x), 1),
            (((2, 2), (2, 2)), ((0, 2), (0, 2))),
            low=0.1,
        ),
        OpCase(
            "kl_div log_target",
            lambda x, t: F.kl_div(x, t, log_target=True),
            lambda x, t: np.mean(np.exp(t) * (t - x)),
            PAIRS,
            order=1,
        ),
        OpCase(
            "gaussian_nll_loss",
            lambda x, t, v: F.gaussian_nll_loss(x, t, v, full=True),
            lambda x, t, v: (
                -np.mean(np.log(np.exp(-((x - t) ** 2) / (2 * v)) / np.sqrt(2 * np.pi * v)))
            ),
            (((2, 2), (2, 2), (2, 1)), ((2,), (2,), ()), ((1, 1), (1, 1), (1,))),
            low=0.1,
        ),
        OpCase(
            "poisson_nll_loss", F.poisson_nll_loss, lambda x, t: np.mean(np.exp(x) - t * x), PAIRS
        ),
        OpCase(
            "poisson_nll_loss full",
            lambda x, t: F.poisson_nll_loss(x, t, log_input=False, full=True, reduction="sum"),
            lambda x, t: (x - t * np.log(x + 1e-8) + _stirling(t)).sum(),
            PAIRS,
            low=0.1,
            order=1,
        ),
    ]


def _with_logits(x: HostArray, t: HostArray, positive: Any = 1.0) -> Any:
    p = 1 / (1 + np.exp(-x.astype("float64")))
    return -(positive * t * np.log(p) + (1 - t) * np.log(1 - p))


def _stirling(t: HostArray) -> Any:
    return np.where(t > 1, t * np.log(t) - t + np.log(2 * np.pi * t) / 2, 0)


def similarities() -> list[OpCase]:
    """Return the rows of norms and distances."""
    return [
        OpCase(
            "normalize",
            lambda x: F.normalize(x) + x,
            lambda x: _unit(x) + x,
            (((3, 2),), ((0, 2),)),
        ),
        OpCase(
            "normalize axis",
            lambda x: F.normalize(x, 1.0, 0) + x,
            lambda x: x / np.abs(x).sum(axis=0) + x,
            (((3, 2),), ((1, 1),)),
            order=1,
        ),
        OpCase(
            "cosine_similarity",
            F.cosine_similarity,
            lambda x, y: (_unit(x) * _unit(y)).sum(axis=1),
            (((2, 2), (2, 2)), ((2, 3), (1, 3)), ((0, 2), (0, 2))),
        ),
        OpCase(
            "pairwise_distance",
            F.pairwise_distance,
            lambda x, y: np.sqrt(np.square(x - y + x.dtype.type(1e-6)).sum(axis=-1)),
            (((2, 2), (2, 2)), ((2, 3), (3,)), ((0, 2), (0, 2))),
        ),
        OpCase(
            "pairwise_distance ord",
            lambda x, y: F.pairwise_distance(x, y, 3.0, 0.0, keepdims=True),
            lambda x, y: (np.abs(x - y) ** 3).sum(axis=-1, keepdims=True) ** (1 / 3),
            (((2, 2), (2, 2)),),
            order=1,
        ),
    ]


def _unit(x: HostArray) -> Any:
    return x / np.sqrt(np.square(x).sum(axis=1, keepdims=True))


def margins() -> list[OpCase]:
    """Return the rows of losses with a margin; large margins make each loss positive."""
    return [
        OpCase(
            "triplet_margin_loss",
            lambda a, p, n: F.triplet_margin_loss(a, p, n, margin=9.0, eps=0.0),
            lambda a, p, n: np.mean(_distance(a, p) - _distance(a, n) + 9),
            (((2, 2), (2, 2), (2, 2)),),
        ),
        OpCase(
            "triplet_margin_loss swap",
            lambda a, p, n: (
                F.triplet_margin_loss(a, p, n, eps=0.0, swap=True, reduction="none")
                + 0.1 * (a * p * n).sum()
            ),
            lambda a, p, n: (
                np.maximum(_distance(a, p) - np.minimum(_distance(a, n), _distance(p, n)) + 1, 0)
                + 0.1 * (a * p * n).sum()
            ),
            (((2, 2), (2, 2), (2, 2)), ((1, 1), (1, 1), (1, 1))),
            order=1,
        ),
        OpCase(
            "margin_ranking_loss",
            lambda x, y, t: F.margin_ranking_loss(x, y, 2 * t - 1, margin=9.0),
            lambda x, y, t: np.mean((1 - 2 * t) * (x - y) + 9),
            (((3, 2), (3, 2), (3, 2)), ((), (), ())),
            integers={2: 2},
        ),
        OpCase(
            "hinge_embedding_loss",
            lambda x, t: F.hinge_embedding_loss(x, 2 * t - 1, margin=3.0),
            lambda x, t: np.mean(np.where(t == 1, x, 3 - x)),
            PAIRS,
            integers={1: 2},
        ),
        OpCase(
            "cosine_embedding_loss",
            lambda x, y, t: F.cosine_embedding_loss(x, y, 2 * t - 1, margin=-2.0),
            lambda x, y, t: np.mean(
                np.where(t == 1, -1, 1) * (_unit(x) * _unit(y)).sum(axis=1) + np.where(t == 1, 1, 2)
            ),
            (((2, 2), (2, 2), (2,)), ((1, 2), (1, 2), (1,))),
            integers={2: 2},
        ),
        OpCase(
            "soft_margin_loss",
            lambda x, t: F.soft_margin_loss(x, 2 * t - 1, reduction="sum"),
            lambda x, t: np.log(1 + np.exp((1 - 2 * t) * x)).sum(),
            (((2, 2), (2, 2)), ((0, 2), (0, 2))),
            integers={1: 2},
        ),
    ]


def _distance(x: HostArray, y: HostArray) -> Any:
    return np.sqrt(np.square(x - y).sum(axis=-1))


def _weights(x: Variable) -> Any:
    return backend_of(x.data).asarray(list(WEIGHTS))


def _softmax(x: HostArray) -> Any:
    e = np.exp(x.astype("float64"))
    return e / e.sum(axis=-1, keepdims=True)


def _losses(
    x: HostArray,
    t: HostArray,
    weights: tuple[float, ...] = (1.0, 1.0, 1.0),
    ignored: int = -100,
    smoothing: float = 0.0,
) -> Any:
    """Return the losses of rows in the shape of ``t``, and their weights as a list."""
    found, counted = [], []
    for p, label in zip(_softmax(x).reshape(-1, 3), t.ravel(), strict=True):
        q = [(1 - smoothing) * (c == label) + smoothing / 3 for c in range(3)]
        loss = -sum(w * a * b for w, a, b in zip(weights, q, np.log(p), strict=True))
        found.append(0.0 if label == ignored else loss)
        counted.append(0.0 if label == ignored else weights[label])
    return np.array(found, x.dtype).reshape(t.shape), counted


def _cross_entropy(x: HostArray, t: HostArray, *weights: Any, **settings: Any) -> Any:
    losses, counted = _losses(x, t, *weights, **settings)
    return losses.sum() / (sum(counted) or 1.0)
