"""Define ops on one axis of an array, which pooling and interpolation are composed of."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from dezero_core import Function, Variable, get_array_module
from dezero_core.dtypes import cast
from dezero_core.extend import Array, backend_of
from dezero_core.functions import matmul, reshape
from dezero_core.variable import AnyArray


def times_matrix(x: AnyArray, axis: int, weights: Array) -> Variable:
    """Return the product of ``weights``, shape (m, n), with an axis, of length n, of ``x``."""
    lead, n, rest = x.shape[:axis], x.shape[axis], x.shape[axis + 1 :]
    if not rest:
        return matmul(x, weights.T)
    y = matmul(weights, reshape(x, (math.prod(lead), n, math.prod(rest))))
    return reshape(y, (*lead, weights.shape[0], *rest))


class AtPositions(Function):
    """y = x at the positions ``index`` of an axis;  gx = gy times a matrix of zeros and ones.

    The matrix product adds the gradients of repeated positions faster than a scatter-add.
    """

    def __init__(self, axis: int, index: Array) -> None:
        self.axis, self.index = axis, index

    def forward(self, x: Array) -> Any:
        return get_array_module(x).take(x, self.index, axis=self.axis)

    def backward(self, gy: AnyArray) -> Any:
        (x,) = self.inputs
        element = backend_of(self.index).arange(x.shape[self.axis], self.index)
        return times_matrix(gy, self.axis, cast(element[:, None] == self.index, gy.dtype))


def at_positions(x: Variable, axis: int, index: Sequence[int]) -> Variable:
    """Return the elements of ``x`` at the positions ``index`` of an axis."""
    backend = backend_of(x.data)
    return AtPositions(axis, cast(backend.asarray(list(index)), backend.dtype("int64")))(x)
