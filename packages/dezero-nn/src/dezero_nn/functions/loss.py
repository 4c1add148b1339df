"""Define losses, and the accuracy of a classification."""

from __future__ import annotations

import math
from sys import float_info
from typing import Any

from dezero_core import Function, Variable, as_variable, get_array_module
from dezero_core.dtypes import as_floating, call_widened, cast, narrow, sum_over, widen
from dezero_core.errors import ShapeError
from dezero_core.extend import Array, backend_of, kernel_op, unwrap
from dezero_core.functions import astype, clip, get_item, log, mean, reshape, sum
from dezero_core.hints import hinted
from dezero_core.state import on_device_of
from dezero_core.variable import AnyArray, Operand

from .activation import sigmoid, softmax
from .labels import check_labels, is_label, one_hot, require_library, require_range
from .reductions import in_shape_of, loss_of_alike


class MeanSquaredError(Function):
    """y = sum of (x0 - x1)**2 / N;  dy/dx0 = 2 (x0 - x1) / N = -dy/dx1."""

    def forward(self, x0: Array, x1: Array) -> Any:
        difference = x0 - x1
        return sum_over(difference * difference, backend_of(x0)) / x0.shape[0]

    def backward(self, gy: AnyArray) -> Any:
        x0, x1 = self.inputs
        gx0 = (x0 - x1) * (gy * (2 / x0.shape[0]))
        return gx0, -gx0 if self.needs_grad[1] else None


@hinted
def mean_squared_error(x0: Operand, x1: Operand) -> Variable:
    """Return the sum of squared differences divided by the number of rows (book step 42).

    Args:
        x0, x1: arrays of the same shape (N, ...). One shape may have additional axes of length 1 at
            the end, as in (N, 1) and (N,). All other pairs of different shapes are refused, even if
            they would broadcast.

    Returns:
        shape (). As in the book, the sum is divided by N, not by the number of elements.

    Raises:
        ShapeError: the shapes of ``x0`` and ``x1`` differ, or have no axes.
    """
    x0, x1 = match_shapes("mean_squared_error", x0, x1)
    return call_widened(MeanSquaredError(), as_floating(x0, x1), as_floating(x1, x0))


def mean_squared_error_simple(x0: Operand, x1: Operand) -> Variable:
    """Compute `mean_squared_error` from basic functions (book step 42)."""
    x0, x1 = match_shapes("mean_squared_error_simple", as_variable(x0), x1)

    def compute(x0: Variable, x1: Variable) -> Variable:
        return sum((as_variable(x0) - x1) ** 2) / len(x0)

    return call_widened(compute, as_floating(x0, x1), as_floating(x1, x0))


def match_shapes(op: str, x0: Operand, x1: Operand) -> tuple[Any, Any]:
    """Return ``x0``, and ``x1`` in the shape of ``x0``; only last axes of length 1 may differ.

    Raises:
        ShapeError: the shapes differ in more than last axes of length 1, or have no axes, or the
            batch is empty.
    """
    arrays = [x if hasattr(x, "shape") else as_variable(x) for x in (x0, x1)]
    shape0, shape1 = [tuple(x.shape) for x in arrays]
    if 0 in shape0[:1]:
        raise ShapeError(f"{op}: shapes {shape0} and {shape1}: the batch is empty")
    if not shape0 or not shape1 or drop_trailing_ones(shape0) != drop_trailing_ones(shape1):
        raise ShapeError(
            f"{op}: shapes {shape0} and {shape1}: both are (N, ...), and equal; reshape one of them"
        )
    return x0, x1 if shape0 == shape1 else reshape(x1, shape0)


def drop_trailing_ones(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Drop the axes of length 1 at the end of a shape, but never the first axis."""
    while len(shape) > 1 and shape[-1] == 1:
        shape = shape[:-1]
    return shape


@kernel_op
def softmax_cross_entropy_op(x: Array, t: Array) -> Array:
    """Return minus the mean of log softmax(x)[t], of shape (), in the dtype of ``x``.

    x: (N, C); t: (N,) or (N, 1), integers from 0 to C - 1.
    """
    xp, backend = get_array_module(x), backend_of(x)
    shifted = x - xp.max(x, axis=1, keepdims=True)  # so that exp does not overflow
    log_z = xp.log(sum_over(xp.exp(shifted), backend, 1))
    # mask with `where`, not by multiplying: scores may be -inf, and 0 * -inf is NaN
    picked = xp.sum(xp.where(is_label(x, t), shifted, backend_of(x).scalar_like(0.0, x)), axis=1)
    return sum_over(log_z - picked, backend) / x.shape[0]


@kernel_op
def softmax_cross_entropy_grad_op(gy: Array, x: Array, t: Array) -> Array:
    """Return (softmax(x) - onehot(t)) gy / N, of shape (N, C).

    gy: (); x and t: as for `softmax_cross_entropy_op`.
    """
    xp = get_array_module(x)
    p = xp.exp(x - xp.max(x, axis=1, keepdims=True))
    p = p / sum_over(p, backend_of(x), 1, keepdims=True)
    return (p - one_hot(x, t)) * (gy / x.shape[0])


class SoftmaxCrossEntropy(Function):
    """y = -mean over rows of log softmax(x)[t];  dy/dx = (softmax(x) - onehot(t)) / N."""

    def forward(self, x: Array, t: Array) -> Any:
        check_labels("softmax_cross_entropy", x, t)
        return softmax_cross_entropy_op(x, t)

    def backward(self, gy: AnyArray) -> Any:
        x, t = self.inputs
        return SoftmaxCrossEntropyGrad()(gy, x, unwrap(t)), None


class SoftmaxCrossEntropyGrad(Function):
    """gx = (p - onehot(t)) gy / N, with p = softmax(x);  for dp/dx see `Softmax`."""

    def forward(self, gy: Array, x: Array, t: Array) -> Any:
        return softmax_cross_entropy_grad_op(gy, x, t)

    def backward(self, ggx: AnyArray) -> Any:
        gy, x, t = self.inputs
        p = softmax(x)
        weighted = ggx * (gy / x.shape[0])
        return (
            sum(ggx * (p - one_hot(x, t))) / x.shape[0],
            p * (weighted - sum(weighted * p, 1, keepdims=True)),
            None,
        )


@hinted
def softmax_cross_entropy(x: Operand, t: Operand) -> Variable:
    """Return the mean cross entropy between softmax(x) and labels (book step 47).

    Args:
        x: scores, shape (N, C).
        t: integer labels from [0, C), shape (N,) or (N, 1). The range of ``t`` is checked unless
            ``t`` is on an accelerator or in a lazy library, where DeZero would wait for a value.

    Returns:
        shape (), dtype of ``x``.

    Raises:
        ShapeError: the number of labels differs from the number of rows of scores.
        LabelError: the labels are not integers, or one is out of range.
    """
    return narrow(SoftmaxCrossEntropy()(widen(x), t), x)


def softmax_cross_entropy_simple(x: Operand, t: Operand) -> Variable:
    """Compute `softmax_cross_entropy` from `softmax`, `log` and `mean` (book step 47).

    Probabilities below 1e-15 are replaced by 1e-15, and get no gradient.
    """
    x, labels = as_variable(as_floating(x)), as_variable(t).data
    check_labels("softmax_cross_entropy_simple", x, labels)
    rows = backend_of(labels).arange(x.shape[0], labels)
    positions = rows, get_array_module(labels).reshape(labels, (-1,))

    def compute(x: Operand) -> Variable:
        return -mean(get_item(log(clip(softmax(x), 1e-15, 1.0)), positions))

    return call_widened(compute, x)


class SigmoidCrossEntropy(Function):
    """y = sum of (log(1 + exp(x)) - t x) / N;  dy/dx = (sigmoid(x) - t) / N,  dy/dt = -x / N."""

    def forward(self, x: Array, t: Array) -> Any:
        xp = get_array_module(x)
        # log(1 + e^x) = max(x, 0) + log(1 + e^-|x|): no overflow, and accurate far from 0
        factor = xp.where(x > 0, 1 - t, -t)  # the factor of x in max(x, 0) - t x
        finite = xp.where(
            factor == 0, backend_of(x).scalar_like(0.0, x), x
        )  # so that 0 times inf is 0, not NaN
        terms = factor * finite + xp.log1p(xp.exp(-xp.abs(x)))
        return sum_over(terms, backend_of(x)) / x.shape[0]

    def backward(self, gy: AnyArray) -> Any:
        x, t = self.inputs
        scale = gy / x.shape[0]
        need_x, need_t = self.needs_grad
        return (
            (sigmoid(x) - t) * scale if need_x else None,
            -x * scale if need_t else None,
        )


@hinted
def sigmoid_cross_entropy(x: Operand, t: Operand) -> Variable:
    """Return the cross entropy between sigmoid(x) and targets, accurate for scores of any size.

    Args:
        x: scores, shape (N, ...).
        t: targets from 0 to 1, with as many elements as ``x``; integers are allowed.

    Returns:
        shape (), dtype of ``x``: the sum over all elements divided by N.

    Raises:
        ShapeError: ``x`` has no rows, or ``x`` and ``t`` differ in size.
    """
    x = as_variable(as_floating(x))
    t = targets_like("sigmoid_cross_entropy", x, t)
    return call_widened(SigmoidCrossEntropy(), x, t)


@hinted
def binary_cross_entropy(
    p: Operand, t: Operand, weight: Operand | None = None, *, reduction: str | None = None
) -> Variable:
    """Return the cross entropy between probabilities and targets.

    Probabilities of 0 and 1 are replaced by the nearest numbers with a finite logarithm, and get no
    gradient. `sigmoid_cross_entropy` takes scores instead of probabilities, and replaces nothing.

    Args:
        p: probabilities from 0 to 1, shape (N, ...).
        t: targets from 0 to 1, with as many elements as ``p``; integers are allowed.
        weight: a factor for each loss, in a shape that broadcasts to that of ``p``.
        reduction: None (default) divides the sum over all elements by N, as in the book. As in
            PyTorch, ``"mean"`` divides by the number of elements, ``"sum"`` adds all losses, and
            ``"none"`` returns the loss of each element; then the shapes must be equal.

    Returns:
        shape (), or the shape of ``p`` if ``reduction`` is ``"none"``; dtype of ``p``.

    Raises:
        ShapeError: ``p`` has no rows, or ``p`` and ``t`` differ in size.
        ArgumentError: ``reduction`` has another value, or an element of ``p`` or ``t`` is not in
            [0, 1]. The elements are not checked if ``p`` is on an accelerator or in a lazy library,
            where DeZero would wait for a value.
    """

    def losses(p: Variable, t: Operand) -> Variable:
        with on_device_of(p.data):
            require_range("binary_cross_entropy", "p", p.data)
            require_range("binary_cross_entropy", "t", unwrap(t))
        y = negative_log_likelihoods(p, t)
        return y if weight is None else y * in_shape_of("binary_cross_entropy", "weight", weight, p)

    if reduction is not None:
        return loss_of_alike("binary_cross_entropy", losses, reduction, p, t)
    p = as_variable(as_floating(p))
    t = targets_like("binary_cross_entropy", p, t)
    return call_widened(lambda p, t: sum(losses(p, t)) / p.shape[0], p, t)


def negative_log_likelihoods(p: Variable, t: Operand) -> Variable:
    """Return minus the log-likelihood of each target under its probability."""
    # float() would round the smallest positive longdouble to 0
    least = max(float(get_array_module(p).finfo(p.dtype).smallest_normal), float_info.min)
    return -(log(clip(p, least)) * t + log(clip(1 - p, least)) * (1 - as_variable(t)))


def targets_like(op: str, x: Variable, t: Operand) -> Any:
    """Return targets in the shape and dtype of ``x``, as a Variable only if ``t`` requires grad."""
    targets = t if isinstance(t, Variable) else as_variable(t).data
    if x.ndim == 0 or x.shape[0] == 0 or math.prod(targets.shape) != x.size:
        raise ShapeError(
            f"{op}: {tuple(x.shape)} and targets {tuple(targets.shape)}: expected as many targets "
            "as scores, and at least one row"
        )
    if isinstance(targets, Variable) and targets.requires_grad:
        targets = targets if targets.dtype == x.dtype else astype(targets, x.dtype)
        return targets if targets.shape == x.shape else reshape(targets, x.shape)
    with on_device_of(x.data):
        array = cast(unwrap(targets), x.dtype)
        if tuple(array.shape) == x.shape:
            return array
        return get_array_module(array).reshape(array, x.shape)


@hinted
def accuracy(y: Operand, t: Operand) -> Variable:
    """Return the fraction of rows whose largest score is that of the label (book step 48).

    Args:
        y: scores, shape (N, C). If several scores of a row are the largest, the first counts.
        t: integer labels, shape (N,) or (N, 1).

    Returns:
        shape (), dtype of ``y`` if that is floating; no gradient flows to the scores.

    Raises:
        ShapeError, LabelError: as for `softmax_cross_entropy`.
    """
    scores, labels = as_variable(y).data, as_variable(t).data
    check_labels("accuracy", scores, labels)
    require_library("accuracy", "t", labels, scores)
    xp = get_array_module(scores)
    with on_device_of(scores, labels):
        hits = xp.argmax(scores, axis=1) == xp.reshape(cast(labels, xp.int64), (scores.shape[0],))
    return astype(mean(Variable(hits, requires_grad=False)), as_floating(scores).dtype)
