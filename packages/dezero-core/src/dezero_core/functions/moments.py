"""Compute variances and standard deviations."""

from __future__ import annotations

import math
from typing import Any

from ..arguments import AxisLike, as_number, require_bool
from ..errors import ShapeError
from ..hints import hinted
from ..variable import Operand, Variable, unwrap
from .casting import narrow, widen
from .exponential import sqrt
from .powers import square
from .reduction import axes_of, mean, sum
from .selection import where
from .shape import require_array


@hinted
def var(
    x: Operand, axis: AxisLike = None, *, correction: float = 0.0, keepdims: bool = False
) -> Variable:
    """Return the variance of ``x`` over ``axis``.

    The variance of n elements is the sum of squared deviations from the mean, divided by
    ``n - correction``.

    Args:
        x: any shape; integers are converted to floating point, and half precision is computed in
            float32.
        axis: an integer, or a list, tuple or array of integers; negative values count from the
            end; None (default) stands for all axes.
        correction: a number less than n. The default 0 is that of NumPy and of the array API
            standard; PyTorch's default is 1.
        keepdims: keep reduced axes with length 1 (default False).

    Raises:
        ShapeError: an axis is out of range or repeated, or there are too few elements.
        ArgumentTypeError: an axis is not an integer, ``correction`` is not a number, or
            ``keepdims`` is not a bool.
    """
    return narrow(wide_var("var", x, axis, correction, keepdims), x)


@hinted
def std(
    x: Operand, axis: AxisLike = None, *, correction: float = 0.0, keepdims: bool = False
) -> Variable:
    """Return the standard deviation of ``x`` over ``axis``, the square root of the variance.

    Where the standard deviation is 0, its gradient is 0. The arguments and errors are those of
    `var`. The default ``correction`` is 0; PyTorch's default is 1.
    """
    return narrow(root(wide_var("std", x, axis, correction, keepdims)), x)


def wide_var(op: str, x: Operand, axis: Any, correction: Any, keepdims: bool) -> Any:
    """Return the variance of ``x`` in at least single precision; see `var`."""
    require_bool(op, "keepdims", keepdims)
    array = require_array(op, x)
    axes = axes_of(op, axis, array.ndim)
    n = math.prod([array.shape[a] for a in axes])
    correction = as_number(op, "correction", correction)
    if not n > correction:  # also true if the correction is NaN
        raise ShapeError(
            f"{op}: {n} elements along axis {axis} of shape {tuple(array.shape)}: expected more "
            f"elements than the correction {correction}"
        )
    wide = widen(array)
    deviations = wide - mean(wide, axes, keepdims=True)
    return sum(square(deviations), axes, keepdims) / (n - correction)


def root(x: Any) -> Any:
    """Return the square root of ``x``, with the derivative 0 where ``x`` is 0."""
    is_zero = unwrap(x) == 0
    return where(is_zero, 0.0, sqrt(where(is_zero, 1.0, x)))
