"""Define the op of fully connected layers: a matmul, plus a bias."""

from __future__ import annotations

from typing import Any

from dezero_core import Function, Variable
from dezero_core.diagnosis import broadcast_shape, shape_of
from dezero_core.dtypes import as_floating
from dezero_core.errors import ShapeError
from dezero_core.extend import Array
from dezero_core.functions import matmul, matrix_transpose, reshape, sum_to
from dezero_core.functions.linalg import matmul_op, matmul_shape
from dezero_core.hints import hinted
from dezero_core.variable import AnyArray, Operand


class Linear(Function):
    """y = x W + b;  dL/dx = gy W^T,  dL/dW = x^T gy,  dL/db = sum of gy over the rows."""

    def forward(self, x: Array, W: Array, b: Array | None) -> Any:
        y = matmul_op(x, W)
        return y if b is None else y + b

    def backward(self, gy: AnyArray) -> Any:
        x, W, b = self.inputs
        need_x, need_W, need_b = self.needs_grad
        gW = None
        if need_W:
            rows, gy_rows = as_rows(x), as_rows(gy)
            gW = matmul(matrix_transpose(rows), gy_rows)
        return (
            matmul(gy, matrix_transpose(W)) if need_x else None,
            gW,
            sum_to(gy, b.shape) if need_b else None,
        )

    def diagnose(self, *arrays: Array) -> None:
        x, W, b = map(shape_of, arrays)
        y = matmul_shape(x, W)
        if y is None or broadcast_shape(y, b) is None:
            bias = "" if arrays[2] is None else f", b {b}"
            raise ShapeError(
                f"Linear: x {x}, W {W}{bias}: x is (..., in), W is (in, out), b is (out,)"
            )


def as_rows(x: AnyArray) -> Any:
    """Join all axes but the last: reshape (..., n) to (rows, n)."""
    return x if x.ndim == 2 else reshape(x, (-1, x.shape[-1]))


@hinted
def linear(x: Operand, W: Operand, b: Operand | None = None) -> Variable:
    """Return ``x @ W + b`` (book step 43).

    Args:
        x: shape (..., in).
        W: shape (in, out).
        b: shape (out,), or None.

    Returns:
        shape (..., out).

    Raises:
        ShapeError: the shapes are incompatible.
    """
    return Linear()(as_floating(x, W), as_floating(W, x), as_floating(b, W))


def linear_simple(x: Operand, W: Operand, b: Operand | None = None) -> Variable:
    """Compute `linear` by `matmul` and a sum (book step 43)."""
    y = matmul(as_floating(x, W), as_floating(W, x))
    return y if b is None else y + as_floating(b, W)
