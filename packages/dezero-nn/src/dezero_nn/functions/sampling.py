"""Draw samples of Bernoulli, categorical and Gumbel-softmax distributions."""

from __future__ import annotations

import math
from typing import Any

from dezero_core import Variable, as_variable, get_array_module
from dezero_core.arguments import as_integer, normalize_axes, require_bool
from dezero_core.dtypes import as_floating, cast, widen
from dezero_core.errors import ArgumentError, ShapeError
from dezero_core.extend import Array, backend_of
from dezero_core.hints import hinted
from dezero_core.state import on_device_of
from dezero_core.variable import Operand

from .activation import softmax
from .labels import require_range
from .reductions import as_positive

LEAST = 2.0**-25
"""The replacement for the random number 0, whose logarithm is infinite: half the next number."""


def bernoulli(p: Operand) -> Variable:
    """Draw 1 with probability ``p`` and 0 otherwise, in the shape and dtype of ``p``.

    No gradient flows to ``p``.

    Raises:
        ArgumentError: an element of ``p`` is not in [0, 1]. This is not checked if ``p`` is on
            an accelerator or in a lazy library, where DeZero would wait for a value.
    """
    array = as_floating(as_variable(p)).data
    backend = backend_of(array)
    with on_device_of(array):
        require_range("bernoulli", "p", array)
        drawn = backend.uniform(tuple(array.shape), backend.dtype("float32")) < array
        return Variable(cast(drawn, array.dtype), requires_grad=False)


@hinted
def multinomial(p: Operand, n: int = 1, *, replacement: bool = False) -> Variable:
    """Draw class indices with probabilities proportional to ``p``.

    Args:
        p: nonnegative weights along the last axis, shape (K,) or (..., K); they need not sum to 1.
        n: the number of indices to draw from each row, at least 1 (default 1).
        replacement: whether an index may be drawn several times (default False).

    Returns:
        integers, shape (n,) or (..., n); no gradient flows to ``p``.

    Raises:
        ArgumentError: ``n`` is below 1, a weight is negative or not finite, or a row has fewer than
            ``n`` (with replacement, than 1) positive weights. The weights are not checked on an
            accelerator or in a lazy library.
        ShapeError: ``p`` has no axes, or ``n`` is larger than K without replacement.
    """
    array, n = widen(as_variable(p)).data, as_integer("multinomial", "n", n, 1)
    require_bool("multinomial", "replacement", replacement)
    xp, distinct = get_array_module(array), 1 if replacement else n
    if array.ndim == 0 or array.shape[-1] < distinct:
        raise ShapeError(
            f"multinomial: p {tuple(array.shape)}: expected {distinct} or more weights"
        )
    with on_device_of(array):
        require_range("multinomial", "p", array, math.inf)
        if 0 not in array.shape and backend_of(array).can_read(array):
            if int(xp.min(xp.count_nonzero(array, axis=-1))) < distinct:
                raise ArgumentError(
                    f"multinomial: a row of p has fewer than {distinct} positive weights"
                )
        is_possible = array > 0
        log_p = xp.log(xp.where(is_possible, array, xp.ones_like(array)))
        log_p = xp.where(is_possible, log_p, backend_of(array).scalar_like(-math.inf, array))
        # the largest of log p + noise is a sample; the n largest are n different samples
        if n > 1 and not replacement:
            order = xp.argsort(-log_p - gumbel_noise(tuple(array.shape), array), axis=-1)
            return Variable(order[..., :n], requires_grad=False)
        noise = gumbel_noise((*array.shape[:-1], n, array.shape[-1]), array)
        keys = xp.expand_dims(log_p, axis=-2) + noise
        return Variable(xp.argmax(keys, axis=-1), requires_grad=False)


def gumbel_noise(shape: tuple[int, ...], like: Array) -> Any:
    """Draw samples of the Gumbel distribution, in the dtype and on the device of ``like``."""
    backend, xp = backend_of(like), get_array_module(like)
    uniform = xp.clip(backend.uniform(shape, backend.dtype("float32")), LEAST, None)
    return cast(-xp.log(-xp.log(uniform)), like.dtype)


@hinted
def gumbel_softmax(x: Operand, tau: float = 1.0, hard: bool = False, axis: int = -1) -> Variable:
    """Return the softmax of scores with random noise: a sample of a class with a gradient.

    Jang, Gu and Poole, "Categorical Reparameterization with Gumbel-Softmax", 2017.

    Args:
        x: scores, for example log-probabilities.
        tau: the temperature, above 0 (default 1.0); samples are closer to one-hot if it is small.
        hard: return one-hot samples, with the gradient of the softmax (default False).
        axis: the axis of the classes, by default the last.

    Raises:
        ArgumentError: ``tau`` is not positive.
        ShapeError: ``axis`` is not an axis of ``x``.
    """
    tau, x = as_positive("gumbel_softmax", "tau", tau), as_variable(as_floating(x))
    require_bool("gumbel_softmax", "hard", hard)
    (axis,) = normalize_axes("gumbel_softmax", as_integer("gumbel_softmax", "axis", axis), x.ndim)
    with on_device_of(x.data):
        y = softmax((x + gumbel_noise(x.shape, x.data)) / tau, axis)
        if not hard:
            return y
        backend, xp = backend_of(y.data), get_array_module(y)
        classes = xp.reshape(
            backend.arange(y.shape[axis], y.data), (-1, *(1,) * (y.ndim - axis - 1))
        )
        chosen = cast(classes == xp.argmax(y.data, axis=axis, keepdims=True), y.dtype)
        return y - y.data + chosen
