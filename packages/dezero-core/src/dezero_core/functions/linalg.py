"""Products of matrices."""

from __future__ import annotations

from typing import Any

from ..errors import ShapeError
from ..function import Function
from ..variable import Variable
from .shape import matrix_transpose, reshape


class MatMul(Function):
    """y = x W;  dL/dx = gy W^T,  dL/dW = x^T gy, for stacks of matrices."""

    broadcasts = True

    def forward(self, x: Any, W: Any) -> Any:
        return x @ W

    def backward(self, gy: Any) -> Any:
        x, W = self.inputs
        need_x, need_W = self.needs_grad
        return (
            gy @ matrix_transpose(W) if need_x else None,
            matrix_transpose(x) @ gy if need_W else None,
        )

    def diagnose(self, *arrays: Any) -> None:
        x, W = arrays
        raise ShapeError(
            f"MatMul: shapes {tuple(x.shape)} and {tuple(W.shape)}: the last axis of the first "
            "must have the length of the second to last of the second"
        )


def matmul(x: Any, W: Any) -> Variable:
    """Return the matrix product ``x @ W`` (book step 41).

    Args:
        x: shape (..., n, k), or (k,).
        W: shape (..., k, m), or (k,); leading axes broadcast.

    Returns:
        shape (..., n, m), without the axis that a 1-d operand does not have.

    Raises:
        ShapeError: the shapes do not fit.
    """
    if x.ndim == 0 or W.ndim == 0:
        raise ShapeError(f"MatMul: shapes {tuple(x.shape)} and {tuple(W.shape)}: needs axes")
    rows = reshape(x, (1, *x.shape)) if x.ndim == 1 else x
    columns = reshape(W, (*W.shape, 1)) if W.ndim == 1 else W
    y = MatMul()(rows, columns)
    if x.ndim == 1 or W.ndim == 1:
        n, m = y.shape[-2:]
        y = reshape(y, (*y.shape[:-2], *[n] * (x.ndim > 1), *[m] * (W.ndim > 1)))
    return y
