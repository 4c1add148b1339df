"""Compute norms of vectors."""

from __future__ import annotations

import math
from typing import Any

from ..arguments import Axis, AxisLike, as_axes, as_number, normalize_axes
from ..hints import hinted
from ..variable import Operand, Variable, unwrap
from .arithmetic import abs, pow
from .casting import call_widened
from .moments import root
from .powers import square
from .reduction import max, min, sum
from .rounding import sign
from .selection import where
from .shape import require_array


@hinted
def vector_norm(
    x: Operand, ord: float = 2, axis: AxisLike = None, keepdims: bool = False
) -> Variable:
    """Return the norm of the vectors in ``x``: the ``ord``-th root of the sum of ``|x|**ord``.

    Where the norm is 0, its gradient is 0. Equal maxima get equal parts of the gradient. As in
    NumPy, the elements are not scaled: if a ``|x|**ord`` overflows, the norm is inf. For ``ord`` 2,
    this happens above 1e19 in float32 and above 1e154 in float64.

    Args:
        x: any shape; integers are converted to floating point, and half precision is computed in
            float32.
        ord: a number (default 2). inf gives the largest ``|x|``, -inf the smallest, and 0 the
            number of elements that are not 0.
        axis: an integer, or a list, tuple or array of integers; negative values count from the
            end; None (default) stands for all axes.
        keepdims: keep reduced axes with length 1 (default False).

    Raises:
        ShapeError: an axis is out of range, is repeated, or has no elements if ``ord`` is inf.
        ArgumentTypeError: an axis is not an integer, ``ord`` is not a number, or ``keepdims``
            is not a bool.
    """
    ord, axis = as_number("vector_norm", "ord", ord), as_axes("vector_norm", axis, keepdims)
    array = require_array("vector_norm", x)
    if array.ndim:  # a 0-d array has the axis 0, as in sum
        normalize_axes("vector_norm", axis, array.ndim)
    return call_widened(lambda x: norm(x, ord, axis, keepdims), array)


def norm(x: Any, ord: float, axis: Axis, keepdims: bool) -> Any:
    """Return the norm of floating-point ``x``; see `vector_norm`."""
    if ord == 2:
        return root(sum(square(x), axis, keepdims))
    if ord in (math.inf, -math.inf):
        return (max if ord > 0 else min)(abs(x), axis, keepdims)
    if ord == 0:
        return sum(square(sign(x)), axis, keepdims)
    size = abs(x)
    if ord == 1:
        return sum(size, axis, keepdims)
    # Powers of 0 would have an infinite or NaN derivative, so replace 0 before computing them.
    is_zero = unwrap(size) == 0
    powers = where(is_zero, 0.0 if ord > 0 else math.inf, pow(where(is_zero, 1.0, size), ord))
    total = sum(powers, axis, keepdims)
    is_regular = (total > 0) & (total < math.inf)
    y = pow(where(is_regular, total, 1.0), 1 / ord)
    return where(is_regular, y, unwrap(total) ** (1 / ord))
