"""Define losses that compare targets with probability distributions."""

from __future__ import annotations

import math
from typing import Any

from dezero_core import Function, Variable, as_variable, get_array_module
from dezero_core.arguments import require_bool
from dezero_core.dtypes import as_floating
from dezero_core.extend import Array, backend_of
from dezero_core.functions import clip, exp, expand_dims, log, square, where
from dezero_core.hints import hinted
from dezero_core.variable import AnyArray, Operand

from .activation import sigmoid
from .reductions import REDUCTIONS, as_positive, in_shape_of, loss_of_alike
from .smooth import Softplus, log_1p


@hinted
def binary_cross_entropy_with_logits(
    x: Operand,
    t: Operand,
    weight: Operand | None = None,
    *,
    pos_weight: Operand | None = None,
    reduction: str = "mean",
) -> Variable:
    """Return the mean cross entropy between sigmoid(x) and targets, accurate for any scores.

    The book-style `sigmoid_cross_entropy` divides by the number of rows instead.

    Args:
        x: scores, any shape.
        t: targets from 0 to 1, in the shape of ``x``; integers and bools are allowed.
        weight: a factor for each loss, in a shape that broadcasts to that of ``x``.
        pos_weight: a factor for the part of each loss that belongs to the target 1; its shape
            broadcasts too, such as (C,) for scores (N, C).
        reduction: ``"mean"`` (default), ``"sum"``, or ``"none"`` for the loss of each element.

    Raises:
        ShapeError: the shapes do not fit, or there are no elements to average.
        ArgumentError: ``reduction`` has another value.
    """
    op = "binary_cross_entropy_with_logits"

    def losses(x: Variable, t: Variable) -> Variable:
        y: Variable = LogisticLoss()(x, t)
        if pos_weight is not None:
            y = y + t * (in_shape_of(op, "pos_weight", pos_weight, x) - 1.0) * Softplus()(-x)
        return y if weight is None else y * in_shape_of(op, "weight", weight, x)

    return loss_of_alike(op, losses, reduction, x, t)


class LogisticLoss(Function):
    """y = (1 - t) log(1 + exp(x)) + t log(1 + exp(-x));  dy/dx = sigmoid(x) - t,  dy/dt = -x."""

    def forward(self, x: Array, t: Array) -> Any:
        xp, zero = get_array_module(x), backend_of(x).scalar_like(0.0, x)
        near = log_1p(xp.exp(-xp.abs(x)))  # log(1 + e^x) = max(x, 0) + log(1 + e^-|x|)
        factor = xp.where(x > 0, 1 - t, -t)
        return near + factor * xp.where(factor == 0, zero, x)  # so that 0 times inf is 0, not NaN

    def backward(self, gy: AnyArray) -> Any:
        x, t = self.inputs
        need_x, need_t = self.needs_grad
        return gy * (sigmoid(x) - t) if need_x else None, -x * gy if need_t else None


@hinted
def kl_div(
    x: Operand, t: Operand, *, reduction: str = "mean", log_target: bool = False
) -> Variable:
    """Return the Kullback-Leibler divergence of the distribution exp(x) from the distribution t.

    The loss of an element is ``t * (log(t) - x)``, and 0 where ``t`` is 0.

    Args:
        x: log-probabilities, for example of `log_softmax`.
        t: probabilities in the shape of ``x``; their logarithms if ``log_target`` is True.
        reduction: ``"mean"`` (default) divides by the number of elements, as in PyTorch.
            ``"batchmean"`` divides by the length of the first axis, which is the definition.
            ``"sum"`` adds all losses; ``"none"`` returns the loss of each element.
        log_target: whether ``t`` holds logarithms (default False).

    Raises:
        ShapeError: the shapes differ, or there are no elements to average.
        ArgumentError: ``reduction`` has another value.
    """
    require_bool("kl_div", "log_target", log_target)

    def losses(x: Variable, t: Variable) -> Variable:
        if log_target:
            return exp(t) * (t - x)
        return t * (log(where(t > 0, t, 1.0)) - where(t == 0, 0.0, x))

    if reduction == "batchmean":
        y = loss_of_alike("kl_div", losses, "sum", x, t)
        return y / max(1, *as_variable(x).shape[:1])
    words = (*REDUCTIONS, "batchmean")
    return loss_of_alike("kl_div", losses, reduction, x, t, allowed=words)


@hinted
def gaussian_nll_loss(
    x: Operand,
    t: Operand,
    var: Operand,
    *,
    full: bool = False,
    eps: float = 1e-6,
    reduction: str = "mean",
) -> Variable:
    """Return the mean of minus the log-likelihoods of ``t`` under normal distributions.

    Args:
        x: the means of the distributions.
        t: samples, in a shape that broadcasts to that of ``x``.
        var: the variances: a number, or an array in the shape of ``x``, or in this shape without
            the last axis or with length 1 there. Variances below ``eps`` are replaced by ``eps``,
            and get no gradient.
        full: add the constant log(2 pi) / 2 to each loss (default False).
        eps: the least variance (default 1e-6).
        reduction: as for `mse_loss`.

    Raises:
        ShapeError, ArgumentError: as for `mse_loss`.
    """
    eps = as_positive("gaussian_nll_loss", "eps", eps)
    require_bool("gaussian_nll_loss", "full", full)
    means = as_variable(as_floating(x))
    if means.ndim and getattr(var, "shape", None) == tuple(means.shape[:-1]):
        var = expand_dims(as_variable(var), -1)

    def losses(x: Variable, t: Variable, var: Variable) -> Variable:
        least = clip(var, eps)
        y = (log(least) + square(x - t) / least) * 0.5
        return y + 0.5 * math.log(2 * math.pi) if full else y

    samples = in_shape_of("gaussian_nll_loss", "t", t, means)
    variances = in_shape_of("gaussian_nll_loss", "var", var, means)
    return loss_of_alike("gaussian_nll_loss", losses, reduction, means, samples, variances)


@hinted
def poisson_nll_loss(
    x: Operand,
    t: Operand,
    *,
    log_input: bool = True,
    full: bool = False,
    eps: float = 1e-8,
    reduction: str = "mean",
) -> Variable:
    """Return the mean of minus the log-likelihoods of counts under Poisson distributions.

    Args:
        x: the logarithm of the expected count, or the expected count if ``log_input`` is False.
        t: counts, in the shape of ``x``.
        log_input: whether ``x`` holds logarithms (default True).
        full: add Stirling's approximation of log(t!) where ``t`` is above 1 (default False).
        eps: added to ``x`` before its logarithm is computed (default 1e-8).
        reduction: as for `mse_loss`.

    Raises:
        ShapeError, ArgumentError: as for `mse_loss`.
    """
    eps = as_positive("poisson_nll_loss", "eps", eps)
    require_bool("poisson_nll_loss", "log_input", log_input)
    require_bool("poisson_nll_loss", "full", full)

    def losses(x: Variable, t: Variable) -> Variable:
        y = exp(x) - t * x if log_input else x - t * log(x + eps)
        if not full:
            return y
        large = where(t > 1, t, 1.0)
        stirling = large * log(large) - large + log(large * (2 * math.pi)) * 0.5
        return y + where(t > 1, stirling, 0.0)

    return loss_of_alike("poisson_nll_loss", losses, reduction, x, t)
