"""Decompose matrices: Cholesky, QR, singular values and eigenvalues of symmetric matrices.

The formulas of the gradients are those of Giles (2008) and Townsend (2016).
"""

from __future__ import annotations

import math
from typing import Any

from ..arguments import require_bool
from ..backends.interface import Array
from ..errors import ArgumentError
from ..hints import hinted
from ..variable import AnyArray, Operand, Variable, get_array_module, unwrap
from .casting import call_widened, narrow, widen
from .indexing import get_item
from .joining import concat
from .linalg import matmul
from .rearranging import tril
from .selection import where
from .shape import expand_dims, matrix_transpose, require_array
from .solving import MatrixFunction, Solve


def product(*xs: Any) -> Any:
    """Return the product of two or more stacks of matrices."""
    first, *others = xs
    for x in others:
        first = matmul(first, x)
    return first


class Cholesky(MatrixFunction):
    """x = y y^T, y lower triangular;  gx = (s + s^T) / 2,  s = y^-T p(y^T gy) y^-1.

    p(m) is the lower triangle of m, with half of the diagonal.
    """

    name = "cholesky"
    expected = "symmetric positive definite matrices"

    def forward(self, x: Array) -> Array:
        y: Array = self.call(x)
        return y

    def backward(self, gy: AnyArray) -> Any:
        (y,) = self.outputs
        transposed = matrix_transpose(y)
        m = matmul(transposed, gy)
        half = (tril(m) + tril(m, -1)) * 0.5
        s = Solve()(transposed, matrix_transpose(Solve()(transposed, half)))
        return (s + matrix_transpose(s)) * 0.5


@hinted
def cholesky(x: Operand, *, upper: bool = False) -> Variable:
    """Return the Cholesky factors of symmetric positive definite matrices.

    Args:
        x: shape (..., n, n). Only one triangle is read; the gradient is symmetric.
        upper: False (default) returns lower triangular y with ``x = y y^T``, True its transpose.

    Raises:
        ShapeError: the matrices are not square.
        ArgumentError: a matrix is not positive definite. Some libraries return NaN instead.
        UnsupportedType: the array library has no linear algebra.
    """
    require_bool("cholesky", "upper", upper)
    y: Variable = call_widened(Cholesky(), x)
    return matrix_transpose(y) if upper else y


class QR(MatrixFunction):
    """x = q r;  gx = (gq + q s) r^-T,  where s is the symmetric matrix of the lower triangle of m.

    m = r gr^T - gq^T q.  x has at least as many rows as columns.
    """

    name, is_square = "qr", False

    def forward(self, x: Array) -> tuple[Array, ...]:
        return tuple(self.call(x))

    def backward(self, gq: AnyArray, gr: AnyArray) -> Any:
        q, r = self.outputs
        m = matmul(r, matrix_transpose(gr)) - matmul(matrix_transpose(gq), q)
        s = tril(m) + matrix_transpose(tril(m, -1))
        return matrix_transpose(Solve()(r, matrix_transpose(gq + matmul(q, s))))


@hinted
def qr(x: Operand) -> tuple[Variable, Variable]:
    """Return q and r with ``x = q r``: q has orthonormal columns, and r is upper triangular.

    The gradient is defined if the first k columns of ``x`` are linearly independent.

    Args:
        x: shape (..., m, n); k = min(m, n).

    Returns:
        q of shape (..., m, k), and r of shape (..., k, n).

    Raises:
        ShapeError: ``x`` has fewer than two axes.
        UnsupportedType: the array library has no linear algebra.
    """
    wide = widen(require_array("qr", x))
    m, n = wide.shape[-2:] if wide.ndim > 1 else (0, 0)
    if m >= n:
        q, r = QR()(wide)
    else:  # the columns after the first m do not change q
        q, r = QR()(get_item(wide, (..., slice(None, m))))
        others = matmul(matrix_transpose(q), get_item(wide, (..., slice(m, None))))
        r = concat([r, others], -1)
    return narrow(q, x), narrow(r, x)


class Eigh(MatrixFunction):
    """x = v diag(w) v^T;  gx = (s + s^T) / 2,  s = v (diag(gw) + e * (v^T gv)) v^T.

    e[i, j] = 1 / (w[j] - w[i]), and 0 for i = j.
    """

    name, materialize_grads = "eigh", False
    expected = "finite elements"

    def forward(self, x: Array) -> tuple[Array, ...]:
        return tuple(self.call(x))

    def backward(self, gw: AnyArray | None, gv: AnyArray | None) -> Any:
        w, v = self.outputs
        transposed = matrix_transpose(v)
        s: Any = 0.0
        if gw is not None:
            s = matmul(v * expand_dims(gw, -2), transposed)
        if gv is not None:
            s = product(v, inverse_gaps("Eigh", w) * matmul(transposed, gv), transposed) + s
        return (s + matrix_transpose(s)) * 0.5


def eigh(x: Operand) -> tuple[Variable, Variable]:
    """Return the eigenvalues and eigenvectors of symmetric matrices.

    The sign of each eigenvector is arbitrary. The gradient is symmetric. The gradient of
    eigenvectors is undefined for equal eigenvalues: then backward raises ArgumentError.

    Args:
        x: shape (..., n, n). Only one triangle is read.

    Returns:
        the eigenvalues (..., n) in ascending order, and the eigenvectors (..., n, n) as columns.

    Raises:
        ShapeError: the matrices are not square.
        ArgumentError: the computation does not converge.
        UnsupportedType: the array library has no linear algebra.
    """
    w, v = Eigh()(widen(x))
    return narrow(w, x), narrow(v, x)


class SVD(MatrixFunction):
    """x = u diag(s) v^T;  gx = u (diag(gs) + a s + s b) v^T + gu' s^-1 v^T + u s^-1 gv'^T.

    a = e * (u^T gu - gu^T u),  b = e * (v^T gv - gv^T v),  e[i, j] = 1 / (s[j]**2 - s[i]**2), and 0
    for i = j;  gu' = gu - u u^T gu,  gv' = gv - v v^T gv.
    """

    name, is_square, materialize_grads = "svd", False, False
    expected = "finite elements"

    def __init__(self, full_matrices: bool) -> None:
        self.full_matrices = full_matrices

    def forward(self, x: Array) -> tuple[Array, ...]:
        return tuple(self.call(x, full_matrices=self.full_matrices))

    def backward(self, gu: AnyArray | None, gs: AnyArray | None, gvh: AnyArray | None) -> Any:
        u, s, vh = self.outputs
        k = s.shape[-1]
        gx: Any = 0.0
        if gs is not None:
            gx = matmul(u[..., :k] * expand_dims(gs, -2), vh[..., :k, :])
        if gu is None and gvh is None:
            return gx
        if max(u.shape[-1], vh.shape[-2]) > k:
            raise ArgumentError("SVD: gradient of u or vh: pass full_matrices=False")
        e, row = inverse_gaps("SVD", s * s), expand_dims(s, -2)
        if gu is not None:
            a, rest = split_vector_gradient(u, gu, e)
            gx = gx + matmul(matmul(u, a * row) + rest / row, vh)
        if gvh is not None:
            b, rest = split_vector_gradient(matrix_transpose(vh), matrix_transpose(gvh), e)
            gx = gx + matmul(u, matmul(expand_dims(s, -1) * b, vh) + matrix_transpose(rest / row))
        return gx


def split_vector_gradient(u: Any, gu: Any, e: Any) -> tuple[Any, Any]:
    """Return ``e * (u^T gu - gu^T u)``, and the part of ``gu`` outside of the columns of ``u``."""
    m = matmul(matrix_transpose(u), gu)
    return e * (m - matrix_transpose(m)), gu - matmul(u, m)


def inverse_gaps(op: str, w: Any) -> Any:
    """Return ``1 / (w[j] - w[i])`` as a matrix, with 0 on the diagonal.

    Raises:
        ArgumentError: two elements of ``w`` are equal, or one is 0 for an SVD.
    """
    gaps = expand_dims(w, -2) - expand_dims(w, -1)
    is_zero = unwrap(gaps) == 0
    xp = get_array_module(w)
    has_zero = op == "SVD" and bool(xp.any(unwrap(w) == 0))
    if has_zero or int(xp.count_nonzero(is_zero)) > math.prod(w.shape):
        raise ArgumentError(
            f"{op}: equal {'or zero singular values' if op == 'SVD' else 'eigenvalues'}: the "
            "gradient of their vectors is undefined; only the values have a gradient"
        )
    return where(is_zero, 0.0, 1 / where(is_zero, 1.0, gaps))


@hinted
def svd(x: Operand, full_matrices: bool = True) -> tuple[Variable, Variable, Variable]:
    """Return u, s and vh with ``x = u diag(s) vh``: the singular value decomposition.

    The signs of the columns of u are arbitrary. The gradient of u and vh needs
    ``full_matrices=False`` unless the matrices are square, and is undefined for equal or zero
    singular values: then backward raises ArgumentError.

    Args:
        x: shape (..., m, n); k = min(m, n).
        full_matrices: True (default, as in the array API) returns u (..., m, m) and vh (..., n, n);
            False returns u (..., m, k) and vh (..., k, n).

    Returns:
        u; s (..., k), the singular values in descending order; vh.

    Raises:
        ShapeError: ``x`` has fewer than two axes.
        ArgumentError: the computation does not converge.
        UnsupportedType: the array library has no linear algebra.
    """
    require_bool("svd", "full_matrices", full_matrices)
    u, s, vh = SVD(full_matrices)(widen(x))
    return narrow(u, x), narrow(s, x), narrow(vh, x)
