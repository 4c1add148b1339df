"""Define the cross entropy of scores or log-probabilities with labels or target probabilities.

If the targets are labels and the losses are added up, one named op computes the loss and its
gradient in the same pass over the scores. All other settings are composed of library functions.
"""

from __future__ import annotations

import math
from typing import Any

from dezero_core import Config, Function, Variable, as_variable, get_array_module
from dezero_core.arguments import as_integer, as_number, normalize_axes
from dezero_core.dtypes import as_floating, cast, narrow, sum_over, widen
from dezero_core.errors import ArgumentError, LabelError, ShapeError, UnsupportedType
from dezero_core.extend import Array, backend_of, kernel_op, unwrap
from dezero_core.functions import expand_dims, get_item, reshape, sum, transpose, where
from dezero_core.hints import hinted
from dezero_core.state import on_device_of
from dezero_core.variable import AnyArray, Operand

from .activation import log_softmax, softmax, subtract_maximum
from .labels import is_label, one_hot, require_classes, require_library
from .reductions import require_reduction

IGNORED = -100
"""The label that is not counted by default, as in PyTorch."""


@kernel_op
def cross_entropy_op(
    x: Array, t: Array, scale: Array, needs_gx: bool
) -> tuple[Array, Array | None]:
    """Return the sum of -scale log softmax(x)[t] over rows, and its gradient (N, C) or None.

    x: (N, C); t: (N,), integers from 0 to C - 1; scale: (N,), in the dtype of ``x``. Rows whose
    scale is 0 are not counted. The gradient by ``x`` is None unless ``needs_gx`` is True.
    """
    xp, backend = get_array_module(x), backend_of(x)
    zero, shifted = backend.scalar_like(0.0, x), subtract_maximum(x, 1)
    p = xp.exp(shifted)
    z = sum_over(p, backend, 1)
    # select with `where`, because scores may be -inf, and 0 * -inf is NaN
    picked = xp.sum(xp.where(is_label(x, t), shifted, zero), axis=1)
    loss = sum_over(xp.where(scale == 0, zero, (xp.log(z) - picked) * scale), backend)
    if not needs_gx:
        return loss, None
    return loss, (p / z[:, None] - one_hot(x, t)) * scale[:, None]


class CrossEntropy(Function):
    """y = -sum over rows of scale log softmax(x)[t];  dy/dx = (softmax(x) - onehot(t)) scale.

    If ``needs_gx`` is True, the derivative is the second output.
    """

    materialize_grads = False

    def __init__(self, needs_gx: bool) -> None:
        self.needs_gx = needs_gx

    def forward(self, x: Array, t: Array, scale: Array) -> Any:
        y, gx = cross_entropy_op(x, t, scale, self.needs_gx)
        return (y, gx) if self.needs_gx else y

    def backward(self, gy: AnyArray, _: Any) -> Any:
        x, t, scale = self.inputs
        gx = self.outputs[1]
        return CrossEntropyGrad()(gy, x, unwrap(t), unwrap(scale), unwrap(gx)), None, None


class CrossEntropyGrad(Function):
    """gx = gy (p - onehot(t)) scale, with p = softmax(x);  for dp/dx see `Softmax`."""

    def forward(self, gy: Array, x: Array, t: Array, scale: Array, gx: Array) -> Any:
        is_one = backend_of(gy).can_read(gy) and float(gy) == 1.0
        return gx if is_one else gx * gy

    def backward(self, ggx: AnyArray) -> Any:
        gy, x, t, scale, _ = self.inputs
        p, scale = softmax(x), expand_dims(scale, 1)
        weighted = ggx * scale * gy
        ggy = sum(ggx * scale * (p - one_hot(x, t)))
        return ggy, p * (weighted - sum(weighted * p, 1, keepdims=True)), None, None, None


@hinted
def cross_entropy(
    x: Operand,
    t: Operand,
    weight: Operand | None = None,
    *,
    ignore_index: int = IGNORED,
    label_smoothing: float = 0.0,
    reduction: str = "mean",
    axis: int | None = None,
) -> Variable:
    """Return the cross entropy between softmax(x) and labels or target probabilities.

    Args:
        x: scores, shape (N, C), (N, C, ...) or (C,).
        t: integer labels from [0, C) in the shape of ``x`` without the class axis; or
            probabilities, such as one-hot vectors, in the shape of ``x``.
        weight: a factor for each class, shape (C,); default 1. No gradient flows to it.
        ignore_index: a label whose rows are not counted (default -100).
        label_smoothing: the fraction e in [0, 1] of each target that is spread equally over all
            classes (default 0). Szegedy et al., "Rethinking the Inception Architecture", 2016.
        reduction: ``"mean"`` (default) divides the sum of the losses by the sum of the weights of
            the counted labels; for probabilities, by the number of rows. ``"sum"`` adds the losses.
            ``"none"`` returns the loss of each row, in the shape of ``x`` without the class axis.
        axis: the class axis; default 1, or the last if ``x`` has fewer than three axes.

    Returns:
        dtype of ``x``. If no row is counted, the mean is 0.

    Raises:
        ShapeError: the shapes of ``x``, ``t`` and ``weight`` do not fit.
        LabelError: labels are not integers, or one is out of range.
        ArgumentError: ``reduction`` or ``label_smoothing`` is out of range.
    """
    smoothing = as_fraction("cross_entropy", "label_smoothing", label_smoothing)
    require_reduction("cross_entropy", reduction)
    x, t = as_variable(as_floating(x)), as_target("cross_entropy", t)
    axis = class_axis("cross_entropy", x, t, axis)
    with on_device_of(x.data):
        rows = rows_of(widen(x), axis)
        weights = class_weights("cross_entropy", weight, rows)
        if t.shape == x.shape:
            total: Any = max(rows.shape[0], 1)
            q = rows_of(as_floating(t, x), axis)
            losses = losses_of_probabilities(rows, q, weights, smoothing)
        else:
            labels, scale = counted_labels("cross_entropy", t, rows, weights, ignore_index)
            total = sum_or_one(scale)
            if smoothing:
                losses = losses_of_probabilities(rows, one_hot(rows, labels), weights, smoothing)
                losses = where(scale == 0, 0.0, losses)
            elif reduction == "none":
                losses = losses_of_labels(log_softmax(rows), labels, scale)
            else:
                scale = scale / total if reduction == "mean" else scale
                return narrow(sum_of_losses(rows, labels, scale), x)
        return narrow(reduced_rows(losses, total, without_axis(x, axis), reduction), x)


@hinted
def nll_loss(
    x: Operand,
    t: Operand,
    weight: Operand | None = None,
    *,
    ignore_index: int = IGNORED,
    reduction: str = "mean",
    axis: int | None = None,
) -> Variable:
    """Return minus the log-probability ``x`` of each label, for example of `log_softmax`.

    `cross_entropy` takes scores instead, and is faster. The arguments and errors are those of
    `cross_entropy`, but ``t`` holds labels, and ``x`` log-probabilities.
    """
    require_reduction("nll_loss", reduction)
    x, t = as_variable(as_floating(x)), as_target("nll_loss", t)
    axis = class_axis("nll_loss", x, t, axis)
    with on_device_of(x.data):
        rows = rows_of(widen(x), axis)
        weights = class_weights("nll_loss", weight, rows)
        labels, scale = counted_labels("nll_loss", t, rows, weights, ignore_index)
        losses = losses_of_labels(rows, labels, scale)
        return narrow(reduced_rows(losses, sum_or_one(scale), t.shape, reduction), x)


def as_fraction(op: str, name: str, value: object) -> float:
    """Return a number from 0 to 1; any other number raises `ArgumentError`."""
    number = as_number(op, name, value)
    if not 0 <= number <= 1:
        raise ArgumentError(f"{op}: {name} {number}: expected a number in [0, 1]")
    return number


def as_target(op: str, t: Operand) -> Variable:
    """Return targets as a Variable; lists raise `UnsupportedType`."""
    if isinstance(t, list | tuple):
        what = f"{op}: t is of type {type(t).__name__}"
        raise UnsupportedType(f"{what}; expected an array of labels or probabilities")
    return as_variable(t)


def class_axis(op: str, x: Variable, t: Variable, axis: int | None) -> int:
    """Return the class axis of ``x`` as an integer from 0; check that ``t`` fits ``x``.

    Raises:
        ShapeError: ``x`` has no axes, or no such axis, or ``t`` has neither the shape of ``x`` nor
            that shape without the class axis.
        BackendMismatch: ``x`` and ``t`` are arrays of different libraries.
    """
    require_library(op, "t", t.data, x.data)
    shape, t_shape = tuple(x.shape), tuple(t.shape)
    if not shape:
        raise ShapeError(f"{op}: x {shape} has no axis of classes; expected (N, C, ...) or (C,)")
    default = 1 if len(shape) > 2 else -1
    chosen = default if axis is None else as_integer(op, "axis", axis)
    (chosen,) = normalize_axes(op, chosen, len(shape))
    expected = without_axis(x, chosen)
    if t_shape not in (expected, shape):
        raise ShapeError(
            f"{op}: x {shape} and t {t_shape}: expected labels {expected}, or probabilities "
            f"{shape}, with classes along axis {chosen} of x; axis= chooses another axis"
        )
    return chosen


def without_axis(x: AnyArray, axis: int) -> tuple[int, ...]:
    """Return the shape of ``x`` without one axis."""
    return (*x.shape[:axis], *x.shape[axis + 1 :])


def rows_of(x: Variable, axis: int) -> Variable:
    """Return ``x`` with the class axis moved to the end, in the shape (N, C)."""
    if x.ndim == 2 and axis == 1:
        return x
    others = [a for a in range(x.ndim) if a != axis]
    return reshape(transpose(x, (*others, axis)), (math.prod(without_axis(x, axis)), x.shape[axis]))


def class_weights(op: str, weight: Operand | None, rows: Variable) -> Array | None:
    """Return the weights of classes as an array (C,) in the dtype of ``rows``, or None."""
    if weight is None:
        return None
    weights = as_variable(weight).data
    require_library(op, "weight", weights, rows.data)
    if tuple(weights.shape) != (rows.shape[1],):
        raise ShapeError(
            f"{op}: weight {tuple(weights.shape)}: expected ({rows.shape[1]},), one for each class"
        )
    return cast(weights, rows.dtype)


def counted_labels(
    op: str, t: Variable, rows: Variable, weights: Array | None, ignore_index: int
) -> tuple[Array, Array]:
    """Return the label and the weight of each row; an ignored label becomes 0, with weight 0."""
    if t.ndim and t.size != rows.shape[0]:
        raise LabelError(f"{op}: t {tuple(t.shape)} has the shape of x: expected labels")
    ignored = as_integer(op, "ignore_index", ignore_index)
    xp = get_array_module(t)
    labels = xp.reshape(t.data, (-1,))
    counted = cast(labels, xp.int64) != ignored
    labels = xp.where(counted, labels, xp.zeros_like(labels))
    require_classes(op, "label", labels, rows.shape[1])
    labels, scale = cast(labels, xp.int64), cast(counted, rows.dtype)
    return labels, scale if weights is None else scale * xp.take(weights, labels, axis=0)


def sum_or_one(scale: Array) -> Array:
    """Return the sum of the weights of rows, or 1 if that is 0."""
    total = sum_over(scale, backend_of(scale))
    xp = get_array_module(scale)
    return xp.where(total == 0, backend_of(scale).scalar_like(1.0, scale), total)


def sum_of_losses(rows: Variable, labels: Array, scale: Array) -> Variable:
    """Return the sum over rows of scale times the cross entropy with the label."""
    if rows.requires_grad and Config.enable_backprop:
        y, _ = CrossEntropy(needs_gx=True)(rows, labels, scale)
        return y
    return CrossEntropy(needs_gx=False)(rows, labels, scale)


def losses_of_labels(log_p: Variable, labels: Array, scale: Array) -> Variable:
    """Return for each row minus scale times the log-probability of its label; (N,)."""
    positions = backend_of(labels).arange(log_p.shape[0], labels), labels
    # select with `where`, because log-probabilities may be -inf, and 0 * -inf is NaN
    return where(scale == 0, 0.0, get_item(log_p, positions)) * -scale


def losses_of_probabilities(
    rows: Variable, q: AnyArray, weights: Array | None, smoothing: float
) -> Variable:
    """Return for each row the cross entropy between softmax(rows) and probabilities; (N,)."""
    if smoothing:
        q = q * (1 - smoothing) + smoothing / rows.shape[1]
    terms = log_softmax(rows) * (q if weights is None else q * weights)
    return -sum(terms, 1)


def reduced_rows(
    losses: Variable, total: Array | float, shape: tuple[int, ...], reduction: str
) -> Variable:
    """Return the losses of rows in ``shape``, or their sum, or their sum divided by ``total``."""
    if reduction == "none":
        return reshape(losses, shape)
    return sum(losses) / total if reduction == "mean" else sum(losses)
