"""Losses, and how often a classification is right."""

from __future__ import annotations

from typing import Any

from dezero_core import Function, Variable, get_array_module
from dezero_core.errors import LabelError, ShapeError
from dezero_core.extend import array_of, backend_of, cast

from .activation import softmax


class MeanSquaredError(Function):
    """y = sum of (x0 - x1)**2 / N;  dy/dx0 = 2 (x0 - x1) / N = -dy/dx1."""

    def forward(self, x0: Any, x1: Any) -> Any:
        if x0.shape != x1.shape or x0.ndim == 0:
            raise ShapeError(
                f"mean_squared_error: shapes {tuple(x0.shape)} and {tuple(x1.shape)}: both are "
                "(N, ...), and equal; reshape one of them"
            )
        xp = get_array_module(x0)
        difference = x0 - x1
        return xp.sum(difference * difference, dtype=difference.dtype) / x0.shape[0]

    def backward(self, gy: Any) -> Any:
        x0, x1 = self.inputs
        gx0 = (x0 - x1) * (gy * (2 / x0.shape[0]))
        return gx0, -gx0 if self.needs_grad[1] else None


def mean_squared_error(x0: Any, x1: Any) -> Variable:
    """Return the sum of squared differences divided by the number of rows (book step 42).

    Args:
        x0, x1: shape (N, ...), both the same: a difference that broadcasts is a mistake.

    Returns:
        shape (). As in the book it is divided by N, not by the number of elements.

    Raises:
        ShapeError: the shapes differ, or have no axes.
    """
    return MeanSquaredError()(x0, x1)


class SoftmaxCrossEntropy(Function):
    """y = -mean over rows of log softmax(x)[t];  dy/dx = (softmax(x) - onehot(t)) / N."""

    def forward(self, x: Any, t: Any) -> Any:
        targets = one_hot(x, t)
        xp = get_array_module(x)
        shifted = x - xp.max(x, axis=1, keepdims=True)  # so that exp does not overflow
        log_z = xp.log(xp.sum(xp.exp(shifted), axis=1, dtype=x.dtype))
        picked = xp.sum(shifted * targets, axis=1, dtype=x.dtype)
        return xp.sum(log_z - picked, dtype=x.dtype) / x.shape[0]

    def backward(self, gy: Any) -> Any:
        x, t = self.inputs
        return (softmax(x) - one_hot(x, t)) * (gy / x.shape[0]), None


def softmax_cross_entropy(x: Any, t: Any) -> Variable:
    """Return the mean cross entropy between softmax(x) and labels (book step 47).

    Args:
        x: scores, shape (N, C).
        t: integer labels from [0, C), shape (N,) or (N, 1). The range is checked on every
            backend but accelerators, where looking would make the host wait.

    Returns:
        shape (), dtype of ``x``.

    Raises:
        ShapeError: there is not one label per row of scores.
        LabelError: labels are no integers, or out of range.
    """
    return SoftmaxCrossEntropy()(x, t)


def accuracy(y: Any, t: Any) -> Variable:
    """Return the share of rows whose largest score is at the label; no gradient (book step 48).

    Args:
        y: scores, shape (N, C); of equal scores the first counts.
        t: integer labels, shape (N,) or (N, 1).

    Returns:
        shape (), dtype of ``y``, without a graph.

    Raises:
        ShapeError, LabelError: as `softmax_cross_entropy`.
    """
    y, t = array_of(y), array_of(t)
    check_labels("accuracy", y, t)
    xp = get_array_module(y)
    hits = xp.argmax(y, axis=1) == xp.reshape(t, (y.shape[0],))
    share = xp.sum(cast(hits, y.dtype), dtype=y.dtype) / y.shape[0]
    return Variable(share, requires_grad=False)


def one_hot(x: Any, t: Any) -> Any:
    """An array like the scores ``x``: 1 at each row's label, else 0."""
    x, t = array_of(x), array_of(t)
    check_labels("softmax_cross_entropy", x, t)
    xp = get_array_module(x)
    classes = backend_of(t).arange(x.shape[1], t)
    return cast(classes == xp.reshape(t, (x.shape[0], 1)), x.dtype)


def check_labels(op: str, x: Any, t: Any) -> None:
    """Raise unless ``t`` holds one label for each row of ``x``."""
    if x.ndim != 2 or tuple(t.shape) not in ((x.shape[0],), (x.shape[0], 1)):
        raise ShapeError(
            f"{op}: scores {tuple(x.shape)} and labels {tuple(t.shape)}: scores are (N, C) and "
            "labels (N,) integers; of one-hot rows take the argmax"
        )
    xp = get_array_module(t)
    if not xp.isdtype(t.dtype, "integral"):
        raise LabelError(f"{op}: labels are integers, got {t.dtype}")
    if "accelerator" in backend_of(t).capabilities or x.shape[0] == 0:
        return
    lowest, highest = int(xp.min(t)), int(xp.max(t))
    if lowest < 0 or highest >= x.shape[1]:
        wrong = lowest if lowest < 0 else highest
        raise LabelError(f"{op}: label {wrong} with {x.shape[1]} classes; labels start at 0")
