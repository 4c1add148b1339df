"""Define the op of fully connected layers: a matmul, plus a bias."""

from __future__ import annotations

from typing import Any

from dezero_core import Function, Variable
from dezero_core.diagnosis import broadcast_shape, shape_of
from dezero_core.dtypes import as_floating
from dezero_core.errors import ShapeError
from dezero_core.extend import Array, backend_of
from dezero_core.functions import matmul, matrix_transpose, sum_to
from dezero_core.functions.linalg import as_rows, matmul_op, matmul_shape
from dezero_core.hints import hinted
from dezero_core.variable import AnyArray, Operand


class Linear(Function):
    """y = x W + b;  dL/dx = gy W^T,  dL/dW = x^T gy,  dL/db = sum of gy over the rows."""

    def forward(self, x: Array, W: Array, b: Array | None) -> Any:
        y = matmul_op(x, W)
        if b is None or b.dtype != y.dtype or b.shape != y.shape[-1:]:
            return y if b is None else y + b
        return backend_of(y).iadd(y, b)

    def backward(self, gy: AnyArray) -> Any:
        x, W, b = self.inputs
        need_x, need_W, need_b = self.needs_grad
        return (
            matmul(gy, matrix_transpose(W)) if need_x else None,
            matmul(matrix_transpose(as_rows(x)), as_rows(gy)) if need_W else None,
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
