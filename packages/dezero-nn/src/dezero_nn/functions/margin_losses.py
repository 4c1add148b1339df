"""Define losses that are 0 if scores or distances differ by at least a margin."""

from __future__ import annotations

from dezero_core import Variable, as_variable
from dezero_core.arguments import as_number, require_bool
from dezero_core.dtypes import as_floating, call_widened
from dezero_core.functions import minimum, where
from dezero_core.hints import hinted
from dezero_core.variable import Operand

from .activation import relu
from .reductions import loss_of_alike, reduced, require_reduction
from .similarity import common_shape, cosine_similarity, pairwise_distance
from .smooth import Softplus


@hinted
def triplet_margin_loss(
    anchor: Operand,
    positive: Operand,
    negative: Operand,
    *,
    margin: float = 1.0,
    p: float = 2.0,
    eps: float = 1e-6,
    swap: bool = False,
    reduction: str = "mean",
) -> Variable:
    """Return the mean of max(d(anchor, positive) - d(anchor, negative) + margin, 0).

    The distance d is `pairwise_distance`. Balntas et al., "Learning local feature descriptors with
    triplets and shallow convolutional neural networks", 2016.

    Args:
        anchor, positive, negative: vectors along the last axis; the shapes broadcast.
        margin: the difference of distances from which the loss is 0 (default 1.0).
        p, eps: the settings of the distance (default 2.0 and 1e-6).
        swap: use the distance from ``positive`` to ``negative`` where it is smaller than the
            distance from ``anchor`` to ``negative`` (default False).
        reduction: ``"mean"`` (default), ``"sum"``, or ``"none"`` for the loss of each triplet.

    Raises:
        ShapeError: the shapes do not broadcast, or have no axes, or there is nothing to average.
        ArgumentError: ``reduction`` has another value.
    """
    require_reduction("triplet_margin_loss", reduction)
    margin = as_number("triplet_margin_loss", "margin", margin)
    require_bool("triplet_margin_loss", "swap", swap)

    def compute(a: Variable, near: Variable, far: Variable) -> Variable:
        to_far = pairwise_distance(a, far, p, eps)
        if swap:
            to_far = minimum(to_far, pairwise_distance(near, far, p, eps))
        losses = relu(pairwise_distance(a, near, p, eps) - to_far + margin)
        return reduced("triplet_margin_loss", losses, reduction)

    vectors = [as_floating(as_variable(x)) for x in (anchor, positive, negative)]
    common_shape("triplet_margin_loss", *vectors)
    return call_widened(compute, *vectors)


@hinted
def margin_ranking_loss(
    x1: Operand, x2: Operand, t: Operand, *, margin: float = 0.0, reduction: str = "mean"
) -> Variable:
    """Return the mean of max(-t (x1 - x2) + margin, 0); t is 1 or -1.

    Args:
        x1, x2: scores, of equal shapes.
        t: 1 where ``x1`` should be larger than ``x2``, -1 where it should be smaller.
        margin: the difference of scores from which the loss is 0 (default 0.0).
        reduction: as for `triplet_margin_loss`.

    Raises:
        ShapeError: the shapes differ, or there are no elements to average.
        ArgumentError: ``reduction`` has another value.
    """
    margin = as_number("margin_ranking_loss", "margin", margin)

    def losses(x1: Variable, x2: Variable, t: Variable) -> Variable:
        return relu(margin - t * (x1 - x2))

    return loss_of_alike("margin_ranking_loss", losses, reduction, x1, x2, t)


@hinted
def hinge_embedding_loss(
    x: Operand, t: Operand, *, margin: float = 1.0, reduction: str = "mean"
) -> Variable:
    """Return the mean of ``x`` where t is 1, and of max(margin - x, 0) where t is -1.

    Args:
        x: distances.
        t: 1 for similar pairs and -1 for different ones, in the shape of ``x``.
        margin: the distance from which different pairs have the loss 0 (default 1.0).
        reduction: as for `triplet_margin_loss`.

    Raises:
        ShapeError, ArgumentError: as for `margin_ranking_loss`.
    """
    margin = as_number("hinge_embedding_loss", "margin", margin)

    def losses(x: Variable, t: Variable) -> Variable:
        return where(t == 1, 0.0, relu(margin - x)) + where(t == -1, 0.0, x)

    return loss_of_alike("hinge_embedding_loss", losses, reduction, x, t)


@hinted
def cosine_embedding_loss(
    x1: Operand, x2: Operand, t: Operand, *, margin: float = 0.0, reduction: str = "mean"
) -> Variable:
    """Return the mean of 1 - cos(x1, x2) where t is 1, and of max(cos - margin, 0) where t is -1.

    Args:
        x1, x2: vectors along the last axis, of equal shapes (N, D) or (D,).
        t: 1 for similar pairs and -1 for different ones, shape (N,) or ().
        margin: the cosine up to which different pairs have the loss 0 (default 0.0).
        reduction: as for `triplet_margin_loss`.

    Raises:
        ShapeError: the shapes do not fit, or there is nothing to average.
        ArgumentError: ``reduction`` has another value.
    """
    margin = as_number("cosine_embedding_loss", "margin", margin)
    common_shape("cosine_embedding_loss", as_variable(x1), as_variable(x2))
    cosine = cosine_similarity(x1, x2, -1)

    def losses(cosine: Variable, t: Variable) -> Variable:
        return where(t == 1, 1.0 - cosine, relu(cosine - margin))

    return loss_of_alike("cosine_embedding_loss", losses, reduction, cosine, t)


@hinted
def soft_margin_loss(x: Operand, t: Operand, *, reduction: str = "mean") -> Variable:
    """Return the mean of log(1 + exp(-t x)); t is 1 or -1, in the shape of ``x``.

    The arguments and errors are those of `hinge_embedding_loss`, without ``margin``.
    """
    return loss_of_alike("soft_margin_loss", lambda x, t: Softplus()(-t * x), reduction, x, t)
