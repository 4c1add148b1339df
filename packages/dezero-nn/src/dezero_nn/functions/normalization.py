"""Define the op of batch normalisation."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

from dezero_core import Config, Function, Variable, as_variable, get_array_module
from dezero_core.arguments import as_number
from dezero_core.dtypes import as_floating, call_widened, cast, is_floating, sum_over, widen
from dezero_core.errors import ArgumentError, ShapeError
from dezero_core.extend import Array, backend_of, kernel_op, unwrap
from dezero_core.functions import concat, reshape, sum
from dezero_core.hints import hinted
from dezero_core.state import set_data
from dezero_core.variable import AnyArray

from .channels import ChannelSum, ChannelSumOf, ChannelSums, over_channels

AllSum: TypeAlias = Callable[[Variable], Variable]
"""The type of a function that adds up a vector over several processes."""


class BatchNorm(Function):
    """y = gamma n + beta, n = (x - mean) / s, s = sqrt(var + eps), over all axes except the second.

    Mean and variance, shape (C,), are outputs too. If a channel has m elements, and sums are
    over these elements: dL/dbeta = sum of gy,  dL/dgamma = sum of gy n,
    dL/dx = gamma / s (gy - dL/dbeta / m - n dL/dgamma / m) + (dL/dmean + 2 dL/dvar n s) / m.
    """

    def __init__(self, eps: float) -> None:
        self.eps = eps

    def forward(self, x: Array, gamma: Array, beta: Array) -> Any:
        return batch_norm_op(x, gamma, beta, self.eps)

    def backward(self, gy: AnyArray, gmean: AnyArray, gvar: AnyArray) -> Any:
        (x, gamma, _), (_, mean, var) = self.inputs, self.outputs
        m = math.prod(x.shape) // x.shape[1]
        s = (var + self.eps) ** 0.5
        gbeta, with_centred = ChannelSums()(gy, x, mean)
        ggamma = with_centred / s
        # gx = of_gy gy + of_centred (x - mean) + rest; each factor has shape (C,)
        of_gy = gamma / s
        of_centred = (2 * gvar - of_gy * ggamma / s) / m
        rest = (gmean - of_gy * gbeta) / m
        return ChannelSumOf()(gy, x, mean, of_gy, of_centred, rest), ggamma, gbeta


@kernel_op
def batch_norm_op(x: Array, gamma: Array, beta: Array, eps: float) -> tuple[Array, Array, Array]:
    """Return gamma (x - mean) / sqrt(var + eps) + beta, and each channel's mean and variance.

    x: (N, C, ...); gamma, beta, mean and variance: (C,).
    """
    xp, (axes, shape) = get_array_module(x), over_channels(x)
    m = math.prod(x.shape) // x.shape[1]
    backend = backend_of(x)
    mean = sum_over(x, backend, axes) / m
    centred = x - xp.reshape(mean, shape)
    var = sum_over(centred * centred, backend, axes) / m
    scale = gamma / xp.sqrt(var + eps)
    return centred * xp.reshape(scale, shape) + xp.reshape(beta, shape), mean, var


class BatchNormInference(Function):
    """y = gamma (x - mean) / s + beta, s = sqrt(var + eps), for given mean and var of shape (C,).

    With sums over all axes except the second: dL/dbeta = sum of gy,
    dL/dgamma = sum of gy (x - mean) / s,  dL/dx = gy gamma / s.
    """

    def __init__(self, mean: Array, var: Array, eps: float) -> None:
        self.mean, self.var, self.eps = mean, var, eps

    def forward(self, x: Array, gamma: Array, beta: Array) -> Any:
        return batch_norm_inference_op(x, gamma, beta, self.mean, self.var, self.eps)

    def backward(self, gy: AnyArray) -> Any:
        x, gamma, _ = self.inputs
        inverse_std = (self.var + self.eps) ** -0.5
        gx = gy * reshape(gamma * inverse_std, over_channels(x)[1])
        if not any(self.needs_grad[1:]):
            return gx, None, None
        gbeta, with_centred = ChannelSums()(gy, x, self.mean)
        return gx, with_centred * inverse_std, gbeta


@kernel_op
def batch_norm_inference_op(
    x: Array, gamma: Array, beta: Array, mean: Array, var: Array, eps: float
) -> Array:
    """Return gamma (x - mean) / sqrt(var + eps) + beta, for given statistics.

    x: (N, C, ...); gamma, beta, mean and var: (C,).
    """
    xp, (_, shape) = get_array_module(x), over_channels(x)
    scale = gamma * (var + eps) ** -0.5
    return xp.reshape(scale, shape) * x + xp.reshape(beta - scale * mean, shape)


@hinted
def batch_norm(
    x: AnyArray,
    gamma: AnyArray,
    beta: AnyArray,
    mean: AnyArray,
    var: AnyArray,
    decay: float = 0.9,
    eps: float = 2e-5,
    *,
    all_sum: AllSum | None = None,
) -> Variable:
    """Normalise each channel of ``x`` to mean ``beta`` and standard deviation ``gamma``.

    Training uses the mean and variance of this batch, and updates the running statistics unless
    ``Config.update_buffers`` is off. Evaluation (``test_mode()``, ``model.eval()``) uses the
    running statistics. Ioffe and Szegedy, "Batch Normalization", 2015.

    Args:
        x: shape (N, C) or (N, C, ...).
        gamma, beta: shape (C,).
        mean, var: running statistics, shape (C,), either Buffers, which get new data, or arrays,
            which are updated in place. new = decay old + (1 - decay) batch, where the batch's
            variance is the unbiased one, divided by m - 1 for m elements.
        decay: the factor of the old statistics (default 0.9).
        eps: added to the variance (default 2e-5, as in the book).
        all_sum: a function that adds up a vector over the processes of data parallel training; in
            training, mean and variance are then those of the batches of all processes together.
            It takes and returns a Variable of shape (n,), is called twice, and must be
            differentiable twice. If a process's batch does not count, the function adds zeros for
            it. By default (None) each process normalises by its own batch.

    Raises:
        ShapeError: the shapes are incompatible; in training, a channel has fewer than two
            values, in all processes together.
        ArgumentError: ``mean`` or ``var`` is an array that cannot be written to, or ``all_sum`` is
            not a function.
    """
    decay, eps = as_number("batch_norm", "decay", decay), as_number("batch_norm", "eps", eps)
    if not (all_sum is None or callable(all_sum)):
        raise ArgumentError(f"batch_norm: all_sum is {all_sum!r}; expected a function or None")
    x, gamma, beta = as_floating(x, gamma), as_floating(gamma, x), as_floating(beta, x)
    require_channels(x.shape, gamma.shape, beta.shape)
    if Config.train:
        require_elements(x.shape, 1 if all_sum else 2)
    require_running(x, mean, var)
    if Config.train:
        normalize = BatchNorm(eps) if all_sum is None else partial(over_processes, all_sum, eps)
        y, of_batch, var_of_batch, *count = call_widened(normalize, x, gamma, beta)
        if Config.update_buffers:
            m = unwrap(count[0]) if count else math.prod(x.shape) // x.shape[1]
            update_running(mean, unwrap(of_batch), decay)
            update_running(var, unwrap(var_of_batch) * (m / (m - 1)), decay)
        return y

    mean, var = (x.data if isinstance(x, Variable) else backend_of(x).copy(x) for x in (mean, var))
    statistics = unwrap(widen(mean)), unwrap(widen(var))
    return call_widened(BatchNormInference(*statistics, eps), x, gamma, beta)


def over_processes(
    all_sum: AllSum, eps: float, x: Variable, gamma: Variable, beta: Variable
) -> tuple[Variable, ...]:
    """Normalise by the mean and variance over all processes; return y, mean, variance and count.

    The count of values per channel, shape (1,), is added up together with the values. The variance
    needs a second sum, because the mean of x**2 minus the square of the mean is inaccurate.

    Raises:
        ShapeError: a channel has only one value in all processes together.
    """
    axes, shape = over_channels(x)
    m = math.prod(x.shape) // x.shape[1]
    own = backend_of(x.data).zeros((1,), x.data) + float(m)
    totals = all_sum(concat([ChannelSum()(x), own]))
    count = totals[-1:]
    if m == 1 and float(count) < 2:  # float() waits for a device, so it is not called if m > 1
        require_elements(x.shape, 2)
    mean = totals[:-1] / count
    centred = x - reshape(mean, shape)
    var = all_sum(sum(centred * centred, axes)) / count
    scale = gamma / (var + eps) ** 0.5
    return centred * reshape(scale, shape) + reshape(beta, shape), mean, var, count


def update_running(running: AnyArray, batch: AnyArray, decay: float) -> None:
    """Move running statistics towards the statistics of a batch, in new arrays or in place."""
    old = unwrap(running)
    change = cast((batch - old) * (1 - decay), old.dtype)
    if isinstance(running, Variable):
        set_data(running, old + change)
        return
    backend = backend_of(old)
    if "in_place" not in backend.capabilities:
        raise ArgumentError(
            f"batch_norm: backend {backend.name} does not declare in_place: its arrays cannot be "
            "written to; pass mean and var as Buffers"
        )
    if backend.iadd(old, change) is not old:
        raise ArgumentError(
            f"batch_norm: the running statistics {old.dtype} {old.shape} are read-only; "
            "pass a writable one, or Buffers"
        )


def require_elements(x: tuple[int, ...], least: int) -> None:
    """Raise `ShapeError` if a channel has fewer than ``least`` elements, which is 1 or 2."""
    N, C, *_ = x
    m = math.prod(x) // max(C, 1)
    if m == 0:
        raise ShapeError(f"batch_norm: x {tuple(x)} has no elements to take a mean of")
    if m < least:
        raise ShapeError(
            f"batch_norm: x {tuple(x)}, a batch of {N} with {C} channels, has one value a channel, "
            "whose variance is 0; expected more than one; use a larger batch, "
            "DataLoader(..., drop_last=True), or outside of training model.eval() (test_mode() for "
            "a function or a layer without that flag)"
        )


def require_running(x: AnyArray, mean: AnyArray, var: AnyArray) -> None:
    """Check that the running statistics are floating, with one number for each channel."""
    for name, running in (("mean", mean), ("var", var)):
        array = as_variable(running).data
        if tuple(array.shape) != tuple(x.shape[1:2]):
            raise ShapeError(
                f"batch_norm: {name} {tuple(array.shape)} for x {tuple(x.shape)}; expected one "
                "number for each channel, (C,)"
            )
        if not is_floating(array.dtype, backend_of(array)):
            raise ArgumentError(
                f"batch_norm: {name} is {array.dtype}, which would round every change to 0; "
                "expected floating point"
            )


def require_channels(x: tuple[int, ...], gamma: tuple[int, ...], beta: tuple[int, ...]) -> None:
    """Raise `ShapeError` unless ``gamma`` and ``beta`` have one number for each channel."""
    if len(x) < 2 or tuple(gamma) != (x[1],) or tuple(beta) != (x[1],):
        raise ShapeError(
            f"batch_norm: x {tuple(x)}, gamma {tuple(gamma)}, beta {tuple(beta)}: x is "
            "(N, C, ...), the others are (C,)"
        )
