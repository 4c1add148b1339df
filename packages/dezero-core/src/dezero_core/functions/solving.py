"""Invert matrices, solve systems of linear equations, and compute determinants.

These ops call the linear algebra extension of the array API, which a library may lack. Matrices are
the last two axes of an array; the axes before them are those of a stack of matrices.
"""

from __future__ import annotations

from typing import Any

from ..backends.interface import Array
from ..backends.registry import backend_of
from ..errors import ArgumentError, ShapeError, UnsupportedType
from ..function import Function
from ..hints import hinted
from ..variable import AnyArray, Operand, Variable, cast, unwrap
from .casting import call_widened, narrow, widen
from .gathering import take
from .linalg import matmul
from .shape import expand_dims, matrix_transpose, moveaxis, require_array, reshape


class MatrixFunction(Function):
    """Call a function of the array API's linear algebra extension on a stack of matrices."""

    name: str
    is_square = True
    expected = "invertible matrices"

    def call(self, *xs: Array, **settings: Any) -> Any:
        """Return the result of the library's function.

        Raises:
            ShapeError: the first array does not have matrices, or they are not square.
            UnsupportedType: the library does not have the function.
            ArgumentError: the function failed, for example because a matrix is singular.
        """
        op, shape, backend = type(self).__name__, tuple(xs[0].shape), backend_of(xs[0])
        if len(shape) < 2 or (self.is_square and shape[-1] != shape[-2]):
            kind = "square matrices (..., n, n)" if self.is_square else "matrices (..., m, n)"
            raise ShapeError(f"{op}: shape {shape}: expected {kind}")
        function = getattr(getattr(backend.xp, "linalg", None), self.name, None)
        if function is None:
            raise UnsupportedType(
                f"{op}: the library of backend {backend.name!r} has no linalg.{self.name}; move "
                "the array to the host with to_cpu()"
            )
        try:
            return function(*xs, **settings)
        except (ValueError, RuntimeError) as error:  # NumPy's and PyTorch's LinAlgError
            shapes = " and ".join([str(tuple(x.shape)) for x in xs])
            raise ArgumentError(
                f"{op}: {error} (shape {shapes}); expected {self.expected}"
            ) from error


class Inv(MatrixFunction):
    """y = x^-1;  gx = -y^T gy y^T."""

    name = "inv"

    def forward(self, x: Array) -> Array:
        y: Array = self.call(x)
        return y

    def backward(self, gy: AnyArray) -> Any:
        (y,) = self.outputs
        transposed = matrix_transpose(y)
        return -matmul(matmul(transposed, gy), transposed)


def inv(x: Operand) -> Variable:
    """Return the inverse of each square matrix in ``x``, of shape (..., n, n).

    Integers are converted to floating point; half precision is computed in float32. To solve
    ``a x = b``, `solve` is faster and more accurate.

    Raises:
        ShapeError: the matrices are not square.
        ArgumentError: a matrix is singular. Some libraries return NaN instead of raising an error.
        UnsupportedType: the array library has no linear algebra.
    """
    return call_widened(Inv(), x)


class Solve(MatrixFunction):
    """x = a^-1 b;  gb = a^-T gx,  ga = -gb x^T."""

    name, broadcasts = "solve", True
    expected = "invertible matrices and a right side with as many rows"

    def forward(self, a: Array, b: Array) -> Array:
        x: Array = self.call(a, b)
        return x

    def backward(self, gx: AnyArray) -> Any:
        (a, _), (x,) = self.inputs, self.outputs
        gb = Solve()(matrix_transpose(a), gx)
        return -matmul(gb, matrix_transpose(x)) if self.needs_grad[0] else None, gb

    def diagnose(self, *arrays: Array) -> None:
        """Leave the error as it is: `MatrixFunction.call` explains it."""


@hinted
def solve(a: Operand, b: Operand) -> Variable:
    """Return the solution x of the linear equations ``a x = b``.

    Args:
        a: square matrices, shape (..., n, n).
        b: shape (..., n, k), or (n,), a single vector. Leading axes broadcast.

    Returns:
        the shape of ``b``, with the leading axes of ``a`` and ``b``.

    Raises:
        ShapeError: the matrices are not square.
        ArgumentError: a matrix is singular, or the shapes do not match. Some libraries return NaN
            instead of raising an error.
        UnsupportedType: the array library has no linear algebra.
    """
    vector = require_array("solve", b)
    if vector.ndim != 1:
        return call_widened(Solve(), a, b)
    x = call_widened(Solve(), a, expand_dims(vector, -1))
    return reshape(x, x.shape[:-1])


MAX_COFACTOR_ROWS = 32
"""Rows of the largest matrices that get `cofactors`, which need n**2 (n - 1)**2 elements each."""


class Det(MatrixFunction):
    """y = the determinant of x;  gx = gy y x^-T, the cofactors of x."""

    name = "det"

    def forward(self, x: Array) -> Array:
        y: Array = self.call(x)
        return y

    def backward(self, gy: AnyArray) -> Any:
        (x,), (y,) = self.inputs, self.outputs
        try:
            inverse = Inv()(x)
        except ArgumentError:  # a matrix is singular
            if x.shape[-1] > MAX_COFACTOR_ROWS:
                raise
            return expand_dims(gy, (-2, -1)) * cofactors(x)
        return expand_dims(gy * y, (-2, -1)) * matrix_transpose(inverse)


def cofactors(x: AnyArray) -> Any:
    """Return the derivatives of the determinants of ``x`` with respect to each element.

    They are the determinants of ``x`` without the element's row and column, times (-1)**(i + j).
    """
    n = x.shape[-1]
    if n == 1:
        return x * 0.0 + 1.0
    others = [[*range(i), *range(i + 1, n)] for i in range(n)]
    minors = take(take(x, others, -2), others, -1)  # (..., i, n - 1, j, n - 1)
    index = backend_of(unwrap(x)).arange(n, unwrap(x))
    signs = 1 - 2 * ((index[:, None] + index) % 2)
    return Det()(moveaxis(minors, -2, -3)) * cast(signs, x.dtype)


def det(x: Operand) -> Variable:
    """Return the determinant of each square matrix in ``x``, of shape (..., n, n).

    If a matrix is singular, the gradients are computed from the determinants of the parts of each
    matrix without one row and one column. These parts have n**4 elements for each matrix, so
    backward through singular matrices of more than 32 rows raises ArgumentError.

    Raises:
        ShapeError: the matrices are not square.
        UnsupportedType: the array library has no linear algebra.
    """
    return call_widened(Det(), x)


class SlogDet(MatrixFunction):
    """y0, y1 = the sign of the determinant of x, log |determinant|;  gx = gy1 x^-T."""

    name, materialize_grads = "slogdet", False

    def forward(self, x: Array) -> tuple[Array, ...]:
        return tuple(self.call(x))

    def backward(self, g_sign: AnyArray | None, gy: AnyArray | None) -> Any:
        (x,) = self.inputs
        return None if gy is None else expand_dims(gy, (-2, -1)) * matrix_transpose(Inv()(x))


def slogdet(x: Operand) -> tuple[Variable, Variable]:
    """Return the signs of determinants, and the logarithms of their absolute values.

    Unlike `det`, this function does not overflow for large matrices. Gradients flow to the
    logarithms; they need invertible matrices. If a matrix is singular, the results are 0 and -inf.

    Args:
        x: square matrices, shape (..., n, n).

    Raises:
        ShapeError: the matrices are not square.
        UnsupportedType: the array library has no linear algebra.
    """
    sign, logarithm = SlogDet()(widen(x))
    return narrow(sign, x), narrow(logarithm, x)
