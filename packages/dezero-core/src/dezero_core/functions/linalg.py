"""Multiply matrices, stacks of matrices, and vectors."""

from __future__ import annotations

from math import prod
from typing import Any

from ..backends.interface import Array
from ..backends.kernels import kernel_op
from ..diagnosis import broadcast_shape, shape_of
from ..errors import ShapeError
from ..function import Function
from ..variable import Operand, Variable
from .shape import matrix_transpose, reshape


@kernel_op
def matmul_op(x: Array, W: Array) -> Array:
    """Return x @ W, for x (..., n, k) and W (..., k, m), or vectors."""
    return x @ W


class MatMul(Function):
    """y = x W;  dL/dx = gy W^T,  dL/dW = x^T gy, for stacks of matrices and for vectors."""

    broadcasts = True

    def forward(self, x: Array, W: Array) -> Array:
        return matmul_op(x, W)

    def backward(self, gy: Array | Variable) -> Any:
        x, W = self.inputs
        need_x, need_W = self.needs_grad
        if W.ndim == 1:  # treat the vector as a matrix with one column
            W, gy = reshape(W, (-1, 1)), reshape(gy, (*gy.shape, 1))
        if x.ndim == 1:  # treat the vector as a matrix with one row
            x, gy = reshape(x, (1, -1)), reshape(gy, (*gy.shape[:-1], 1, gy.shape[-1]))
        gx = matmul(gy, matrix_transpose(W)) if need_x else None
        if not need_W:
            return gx, None
        if x.ndim > W.ndim == 2:  # sum over the rows of all matrices in one product
            x, gy = as_rows(x), as_rows(gy)
        gW = matmul(matrix_transpose(x), gy)
        if self.inputs[1].ndim == 1:
            gW = reshape(gW, gW.shape[:-1])
        return gx, gW  # the backward pass sums over broadcast leading axes

    def diagnose(self, *arrays: Array) -> None:
        x, W = map(shape_of, arrays)
        if matmul_shape(x, W) is None:
            raise ShapeError(
                f"MatMul: shapes {x} and {W}: the last axis of the first must match the "
                "second to last of the second (the only axis of a vector), and the axes before "
                "these must broadcast"
            )


def as_rows(x: Array | Variable) -> Any:
    """Join all axes but the last: reshape (..., n) to (rows, n)."""
    return x if x.ndim == 2 else reshape(x, (prod(x.shape[:-1]), x.shape[-1]))


def matmul_shape(x: tuple[int, ...], W: tuple[int, ...]) -> tuple[int, ...] | None:
    """Return the shape of ``x @ W`` for arrays of these shapes, or None if they do not match."""
    if not x or not W or x[-1] != W[-2:][0]:
        return None
    leading = broadcast_shape(x[:-2], W[:-2])
    return None if leading is None else (*leading, *x[-2:-1], *(W[-1:] if len(W) > 1 else ()))


def matmul(x: Operand, W: Operand) -> Variable:
    """Return the matrix product ``x @ W`` (book step 41).

    Args:
        x: shape (..., n, k), or (k,).
        W: shape (..., k, m), or (k,); leading axes broadcast.

    Returns:
        shape (..., n, m), without n if ``x`` is a vector, and without m if ``W`` is a vector.

    Raises:
        ShapeError: the lengths k of ``x`` and ``W`` differ, or the leading axes do not broadcast.
    """
    return MatMul()(x, W)
