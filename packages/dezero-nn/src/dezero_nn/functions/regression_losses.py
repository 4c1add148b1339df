"""Define losses of differences between predictions and targets, with PyTorch's names and defaults.

Unlike the book's `mean_squared_error`, which divides by the number of rows, these losses are means
over all elements.
"""

from __future__ import annotations

from typing import Any

from dezero_core import Function, Variable, get_array_module
from dezero_core.extend import Array
from dezero_core.functions import abs, clip, square
from dezero_core.hints import hinted
from dezero_core.variable import AnyArray, Operand

from .reductions import as_positive, loss_of_alike


@hinted
def mse_loss(x: Operand, t: Operand, *, reduction: str = "mean") -> Variable:
    """Return the mean of the squared differences between ``x`` and ``t``.

    Args:
        x, t: arrays of equal shapes.
        reduction: ``"mean"`` (default), ``"sum"``, or ``"none"`` for the loss of each element.

    Returns:
        shape (), or the shape of ``x`` if ``reduction`` is ``"none"``.

    Raises:
        ShapeError: the shapes differ, or there are no elements to average.
        ArgumentError: ``reduction`` has another value.
    """
    return loss_of_alike("mse_loss", lambda x, t: square(x - t), reduction, x, t)


@hinted
def l1_loss(x: Operand, t: Operand, *, reduction: str = "mean") -> Variable:
    """Return the mean of the absolute differences between ``x`` and ``t``.

    Where ``x`` equals ``t``, the derivative is 0. The arguments and errors are those of `mse_loss`.
    """
    return loss_of_alike("l1_loss", lambda x, t: abs(x - t), reduction, x, t)


@hinted
def huber_loss(x: Operand, t: Operand, *, reduction: str = "mean", delta: float = 1.0) -> Variable:
    """Return the mean of losses that are squares near 0 and linear far from 0.

    The loss of a difference d is d**2 / 2 if abs(d) <= delta, else delta (abs(d) - delta / 2).
    Huber, "Robust Estimation of a Location Parameter", 1964.

    Args:
        x, t, reduction: as for `mse_loss`.
        delta: a positive number (default 1.0).

    Raises:
        ArgumentError: ``delta`` is not positive, or ``reduction`` has an unknown value.
        ShapeError: as for `mse_loss`.
    """
    delta = as_positive("huber_loss", "delta", delta)
    return loss_of_alike("huber_loss", lambda x, t: Huber(delta)(x - t), reduction, x, t)


@hinted
def smooth_l1_loss(
    x: Operand, t: Operand, *, reduction: str = "mean", beta: float = 1.0
) -> Variable:
    """Return `huber_loss` with ``delta=beta``, divided by ``beta``; `l1_loss` if ``beta`` is 0.

    Girshick, "Fast R-CNN", 2015. The arguments and errors are those of `huber_loss`.
    """
    if beta == 0:
        return l1_loss(x, t, reduction=reduction)
    beta = as_positive("smooth_l1_loss", "beta", beta)
    return loss_of_alike("smooth_l1_loss", lambda x, t: Huber(beta)(x - t) / beta, reduction, x, t)


class Huber(Function):
    """y = c (d - c / 2) with c = min(max(d, -delta), delta);  dy/dd = c."""

    def __init__(self, delta: float) -> None:
        self.delta = delta

    def forward(self, d: Array) -> Any:
        # this is d**2 / 2 where c = d, and delta (abs(d) - delta / 2) where c = +-delta
        limited = get_array_module(d).clip(d, -self.delta, self.delta)
        return limited * (d - limited * 0.5)

    def backward(self, gy: AnyArray) -> Any:
        (d,) = self.inputs
        return gy * clip(d, -self.delta, self.delta)
