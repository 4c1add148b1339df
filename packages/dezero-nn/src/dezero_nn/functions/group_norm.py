"""Define group, instance and local response normalisation, for which examples are independent."""

from __future__ import annotations

import math
from typing import Any

from dezero_core import Variable, as_variable
from dezero_core.arguments import as_integer, as_number
from dezero_core.dtypes import as_floating, call_widened
from dezero_core.errors import ShapeError
from dezero_core.extend import backend_of
from dezero_core.functions import reshape
from dezero_core.hints import hinted
from dezero_core.variable import Operand

from .normalization import BatchNorm
from .pooling import average_pooling


@hinted
def group_norm(
    x: Operand, num_groups: int, gamma: Operand | None = None, beta: Operand | None = None,
    eps: float = 1e-5,
) -> Variable:  # fmt: skip
    """Normalise groups of channels of each example to mean 0 and variance 1; scale each channel.

    Wu and He, "Group Normalization", 2018. The order of the arguments is that of
    ``torch.nn.functional.group_norm``.

    Args:
        x: shape (N, C) or (N, C, ...).
        num_groups: the number of equal groups of adjacent channels; it divides C.
        gamma: the factor of each channel, shape (C,); None (default) for 1.
        beta: added to each channel, shape (C,); None (default) for 0.
        eps: added to the variance (default 1e-5).

    Raises:
        ShapeError: ``num_groups`` does not divide C, or the shapes are incompatible.
        ArgumentError: ``num_groups`` is below 1.
    """
    groups = as_integer("group_norm", "num_groups", num_groups, 1)
    return normalize_groups("group_norm", x, groups, gamma, beta, eps)


@hinted
def instance_norm(
    x: Operand, gamma: Operand | None = None, beta: Operand | None = None, eps: float = 1e-5
) -> Variable:
    """Normalise each channel of each example to mean 0 and variance 1; scale each channel.

    Ulyanov, Vedaldi and Lempitsky, "Instance Normalization", 2016. The function has no running
    statistics; ``torch.nn.functional.instance_norm`` takes them before ``weight`` and ``bias``.

    Args:
        x: shape (N, C, ...).
        gamma: the factor of each channel, shape (C,); None (default) for 1.
        beta: added to each channel, shape (C,); None (default) for 0.
        eps: added to the variance (default 1e-5).

    Raises:
        ShapeError: ``x`` has fewer than three axes, or the shapes are incompatible.
    """
    x = as_variable(x)
    if x.ndim < 3:
        raise ShapeError(f"instance_norm: x {x.shape}: expected (N, C, ...), at least three axes")
    return normalize_groups("instance_norm", x, max(x.shape[1], 1), gamma, beta, eps)


def normalize_groups(op: str, x: Any, groups: int, gamma: Any, beta: Any, eps: float) -> Variable:
    """Normalise ``groups`` groups of channels; see `group_norm`."""
    x, gamma, beta = as_floating(x, gamma), as_floating(gamma, x), as_floating(beta, x)
    x, eps = as_variable(x), as_number(op, "eps", eps)
    channels = x.shape[1:2]
    if x.ndim < 2 or channels[0] % groups:
        raise ShapeError(
            f"{op}: x {x.shape}, num_groups {groups}: expected (N, C, ...), with C a multiple of "
            "num_groups"
        )
    for name, each in (("gamma", gamma), ("beta", beta)):
        if each is not None and tuple(each.shape) != channels:
            raise ShapeError(
                f"{op}: {name} {tuple(each.shape)} for x {x.shape}: expected {channels}"
            )

    def scaled(x: Variable, gamma: Any, beta: Any) -> Variable:
        y, shape = standardized(x, x.shape[0] * groups, eps), (-1, *[1] * (x.ndim - 2))
        y = y if gamma is None else y * reshape(gamma, shape)
        return y if beta is None else y + reshape(beta, shape)

    result: Variable = call_widened(scaled, x, gamma, beta)
    return result


def standardized(x: Variable, rows: int, eps: float) -> Variable:
    """Reshape ``x`` to ``rows`` rows, and normalise each; the rows are channels of `BatchNorm`."""
    if x.size == 0:
        return reshape(x, x.shape)
    zeros = Variable(backend_of(x.data).zeros((rows,), x.data), requires_grad=False)
    y, _, _ = BatchNorm(eps)(reshape(x, (1, rows, x.size // rows)), zeros + 1, zeros)
    return reshape(y, x.shape)


@hinted
def local_response_norm(
    x: Operand, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> Variable:
    """Divide by a power of the mean square of neighbouring channels.

    y = x / (k + alpha m)**beta, where m is the mean of x**2 over ``size`` adjacent channels,
    including zeros beyond the first and last channel, like
    ``torch.nn.functional.local_response_norm``. Krizhevsky et al., "ImageNet Classification with
    Deep Convolutional Neural Networks", 2012, has a sum instead of the mean.

    Args:
        x: shape (N, C, ...).
        size: the number of channels in a window.
        alpha, beta, k: numbers (defaults 1e-4, 0.75, 1.0).

    Raises:
        ShapeError: ``x`` has fewer than three axes.
        ArgumentError: ``size`` is below 1.
    """
    op, x = "local_response_norm", as_variable(x)
    size = as_integer(op, "size", size, 1)
    alpha, beta, k = (
        as_number(op, name, value) for name, value in (("alpha", alpha), ("beta", beta), ("k", k))
    )
    if x.ndim < 3:
        raise ShapeError(f"{op}: x {x.shape}: expected (N, C, ...), at least three axes")

    def divided(x: Variable) -> Variable:
        N, C, *rest = x.shape
        squares = reshape(x * x, (N, 1, C, math.prod(rest)))
        means = average_pooling(squares, (size, 1), 1, (size // 2, 0))[:, :, :C]
        return x * reshape(means * alpha + k, x.shape) ** -beta

    result: Variable = call_widened(divided, x)
    return result
