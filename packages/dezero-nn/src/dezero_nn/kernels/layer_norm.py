"""Compute layer and RMS normalisation, and their gradients, with BLAS for the sums.

For rows x with mean m and inverse standard deviation r, the results are sums of products of a
column with a row. BLAS computes these products, and the sums of rows and columns, in half the time
of NumPy's broadcasting and sums:

    y   =  x * (r gamma^T)  +  [-m r, 1] [gamma; beta]
    gx  =  gy * (r gamma^T)  -  x * b  -  (a - m b)        a, b: columns, see `write_gradient`

RMS normalisation is the case m = 0. Rows far from 0 are centred first, because the variance, mean
of x**2 - m**2, would lose digits.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from dezero_core.dtypes import MAX_TERMS, sum_over
from dezero_core.extend import Kernel, backend_of

from ..parallel import parallel_for

Arrays = tuple[np.ndarray, ...]

FAR = 4.0
"""Ratio of m**2 to the variance above which rows are centred first. With a ratio of 16, the error
of y was 8e-7 instead of 2e-7 of the largest y (300 elements three deviations from 0). With half
this value, more rows take an additional pass, which takes a third of the op's time."""

BLOCK = 1 << 17
"""Elements of a block of rows, 512 kB of float32. Blocks depend only on the shape, so that results
have the same bits for any number of threads. With half this size, 1024 rows of 128 elements took
1.15 times as long (AVX2); twice this size exceeds a cache of 1 MB."""

MAX_ROWS = 8 * MAX_TERMS
"""Maximum rows of a block. BLAS adds rows one after the other in single precision, so the rows are
added in groups of `MAX_TERMS`, and the groups one after the other: the rounding error is that of
about 500 terms. With half as many rows, blocks of short rows are so small that calling NumPy takes
longer than computing; with twice as many, the error is no larger."""

MIN_ELEMENTS = 1 << 15
"""Normalise arrays with at least this many elements in blocks. One row of 128 elements took 51 us
in blocks and 16 us by the portable definition, 128 rows 105 and 57 us, 512 rows 199 and 170 us (the
machine also ran other programs). Fewer elements are normalised by `normalise_few`. The gradients
have no such limit: the portable definition was never faster."""

COST = 60
"""Cost of an element in multiply-adds, for `parallel_for`: about 1.2 ns. With half this cost,
arrays twice as large run on one thread; with twice this cost, arrays that take 0.2 ms are split."""


def supports_norm(x: np.ndarray, *others: object) -> bool:
    """Return whether all arrays are float32, or all float64, and rows have two elements or more.

    A row of one element is its own mean: its gradient is a difference of equal numbers.
    """
    if type(x) is not np.ndarray or x.dtype.char not in "fd" or x.size == 0 or x.shape[-1] < 2:
        return False
    for other in others:
        if hasattr(other, "dtype") and (type(other) is not np.ndarray or other.dtype != x.dtype):
            return False
    return True


def supports_large_norm(x: np.ndarray, *others: object) -> bool:
    """Return whether `supports_norm` accepts the arrays, and ``x`` is large enough."""
    return x.size >= MIN_ELEMENTS and supports_norm(x, *others)


def supports_small_norm(x: np.ndarray, *others: Any) -> bool:
    """Return whether `supports_norm` accepts the arrays, ``x`` is small, and ``axes`` is 1."""
    return x.size < MIN_ELEMENTS and others[-2] == 1 and supports_norm(x, *others)


def layer_norm(
    x: np.ndarray, gamma: np.ndarray | None, beta: np.ndarray | None, axes: int, eps: float
) -> Arrays:
    """Return the result, and the mean and inverse standard deviation of each row."""
    return normalise(x, gamma, beta, axes, eps, centred=True)


def rms_norm(x: np.ndarray, gamma: np.ndarray | None, axes: int, eps: float) -> Arrays:
    """Return the result, and the inverse root mean square of each row."""
    y, _, inverse = normalise(x, gamma, None, axes, eps, centred=False)
    return y, inverse


def layer_norm_of_few(
    x: np.ndarray, gamma: np.ndarray | None, beta: np.ndarray | None, axes: int, eps: float
) -> Arrays:
    """Compute `layer_norm` of a small array over the last axis."""
    mean = np.add.reduce(x, axis=-1, keepdims=True) / x.shape[-1]
    y, inverse = normalise_few(x - mean, gamma, eps)
    if beta is not None:
        y += beta
    return y, mean, inverse


def rms_norm_of_few(x: np.ndarray, gamma: np.ndarray | None, axes: int, eps: float) -> Arrays:
    """Compute `rms_norm` of a small array over the last axis."""
    return normalise_few(x.copy(), gamma, eps)


def normalise_few(y: np.ndarray, gamma: np.ndarray | None, eps: float) -> Arrays:
    """Divide ``y`` in place by the root mean squares of its rows; return also the reciprocals.

    NumPy's operators take half as long for few elements as its functions with the argument ``out``.
    """
    squares = np.vecdot(y, y)[..., np.newaxis]
    inverse = (squares / y.shape[-1] + eps) ** -0.5
    y *= inverse
    if gamma is not None:
        y *= gamma
    return y, inverse


def normalise(
    x: np.ndarray, gamma: np.ndarray | None, beta: np.ndarray | None, axes: int, eps: float,
    centred: bool,
) -> Arrays:  # fmt: skip
    """Return y, the mean of each row (0 unless centred) and the inverse root of the variance."""
    rows, shape = as_rows(x, axes), x.shape[: x.ndim - axes] + (1,) * axes
    y, mean, inverse = (
        np.empty(x.shape, x.dtype),
        np.zeros(shape, x.dtype),
        np.empty(shape, x.dtype),
    )
    factors = np.stack([flat(gamma, 1.0, rows), flat(beta, 0.0, rows)])
    out, m, r = as_rows(y, axes), mean.reshape(-1), inverse.reshape(-1)
    blocks = row_blocks(rows)

    def compute(part: slice) -> None:
        for block in blocks[part]:
            write_rows(rows[block], factors, eps, centred, out[block], m[block], r[block])

    parallel_for(len(blocks), COST * x.size, compute)
    return y, mean, inverse


def write_rows(
    x: np.ndarray, factors: np.ndarray, eps: float, centred: bool, y: np.ndarray, m: np.ndarray,
    r: np.ndarray,
) -> None:  # fmt: skip
    """Write y, the means m and the inverse roots r of a block of rows."""
    shift = m
    if centred:
        write_moments(x, m, r)
        if (m * m > FAR * r).any():
            x, shift = x - m[:, np.newaxis], np.empty_like(m)
            write_moments(x, shift, r)
            np.maximum(r, 0, out=r)  # equal elements
            m += shift
    else:
        np.vecdot(x, x, out=r)
        r /= x.shape[1]
    r += eps
    np.sqrt(r, out=r)
    np.reciprocal(r, out=r)
    np.matmul(pair(r, 0), factors, out=y)
    y *= x
    if centred:
        y += pair(-shift * r, 1) @ factors


def write_moments(x: np.ndarray, m: np.ndarray, var: np.ndarray) -> None:
    """Write the mean and the variance of each row, as mean of x**2 - m**2."""
    np.matmul(x, np.full(x.shape[1], 1 / x.shape[1], x.dtype), out=m)
    np.vecdot(x, x, out=var)
    var /= x.shape[1]
    var -= m * m


def layer_norm_grad(
    gy: np.ndarray, x: np.ndarray, gamma: np.ndarray | None, mean: np.ndarray,
    inverse_std: np.ndarray, axes: int,
) -> tuple[np.ndarray | None, ...]:  # fmt: skip
    """Return the gradients of x, gamma (None if gamma is None) and beta."""
    gx, sums = norm_grad(gy, x, gamma, mean, inverse_std, axes)
    return gx, None if gamma is None else sums[0], sums[1]


def rms_norm_grad(
    gy: np.ndarray, x: np.ndarray, gamma: np.ndarray | None, inverse: np.ndarray, axes: int
) -> tuple[np.ndarray | None, ...]:
    """Return the gradients of x and gamma (None if gamma is None)."""
    gx, sums = norm_grad(gy, x, gamma, None, inverse, axes)
    return gx, None if gamma is None else sums[0]


def norm_grad(
    gy: np.ndarray, x: np.ndarray, gamma: np.ndarray | None, mean: np.ndarray | None,
    inverse: np.ndarray, axes: int,
) -> Arrays:  # fmt: skip
    """Return the gradient of x, and those of gamma and beta as one array."""
    rows, g_rows, gx = as_rows(x, axes), as_rows(gy, axes), np.empty(x.shape, x.dtype)
    out, r, row = as_rows(gx, axes), inverse.reshape(-1), flat(gamma, 1.0, rows)
    m = None if mean is None else mean.reshape(-1)
    blocks = row_blocks(rows)
    sums = np.empty((len(blocks), 2, rows.shape[1]), x.dtype)

    def compute(part: slice) -> None:
        for block, total in zip(blocks[part], sums[part], strict=True):
            of_block = None if m is None else m[block]
            write_gradient(g_rows[block], rows[block], row, of_block, r[block], out[block], total)

    parallel_for(len(blocks), COST * x.size, compute)
    total = sum_over(sums, backend_of(x), 0)
    return gx, total.reshape(2, *x.shape[x.ndim - axes :])


def write_gradient(
    g: np.ndarray, x: np.ndarray, gamma: np.ndarray, m: np.ndarray | None, r: np.ndarray,
    gx: np.ndarray, sums: np.ndarray,
) -> None:  # fmt: skip
    """Write gx = r (g gamma - a - (x - m) r**2 b), and to ``sums`` those of g (x - m) r and of g.

    a is the mean of g gamma over a row, or 0 if m is None, and b the mean of g gamma (x - m).
    """
    mean_of_g = np.zeros_like(r) if m is None else g @ (gamma / len(gamma))
    if m is None or (m * m * r * r > FAR).any():
        x, m = x if m is None else x - m[:, np.newaxis], np.zeros_like(r)
    products = g * x
    sums[0] = weighted_sum(r, products) - weighted_sum(m * r, g)
    sums[1] = weighted_sum(np.ones_like(r), g)
    b = products @ (gamma / len(gamma)) - m * mean_of_g
    b *= r * r * r
    np.multiply(x, b[:, np.newaxis], out=products)
    products += (r * mean_of_g - m * b)[:, np.newaxis]
    np.matmul(pair(r, 0), np.stack([gamma, gamma]), out=gx)
    gx *= g
    gx -= products


def weighted_sum(weights: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return ``weights @ rows``, as a sum of products of few rows."""
    total = weights[:MAX_TERMS] @ rows[:MAX_TERMS]
    for start in range(MAX_TERMS, len(rows), MAX_TERMS):
        part = slice(start, start + MAX_TERMS)
        total += weights[part] @ rows[part]
    return total


def pair(column: np.ndarray, second: float) -> np.ndarray:
    """Return the matrix [column, second]. NumPy does not call BLAS for matrices of one column."""
    columns = np.full((len(column), 2), second, column.dtype)
    columns[:, 0] = column
    return columns


def as_rows(x: np.ndarray, axes: int) -> np.ndarray:
    """Join the last axes, and all other axes."""
    return x.reshape(-1, math.prod(x.shape[x.ndim - axes :]))


def flat(param: np.ndarray | None, value: float, rows: np.ndarray) -> np.ndarray:
    """Return a parameter as a vector, or a vector of ``value`` for None."""
    return np.full(rows.shape[1], value, rows.dtype) if param is None else param.reshape(-1)


def row_blocks(rows: np.ndarray) -> list[slice]:
    """Return the rows of each block."""
    size = min(MAX_ROWS, max(1, BLOCK // rows.shape[1]))
    return [slice(start, start + size) for start in range(0, len(rows), size)]


KERNELS = [
    Kernel("layer_norm", "numpy", layer_norm_of_few, supports_small_norm, priority=1),
    Kernel("layer_norm", "numpy", layer_norm, supports_large_norm),
    Kernel("layer_norm_grad", "numpy", layer_norm_grad, supports_norm),
    Kernel("rms_norm", "numpy", rms_norm_of_few, supports_small_norm, priority=1),
    Kernel("rms_norm", "numpy", rms_norm, supports_large_norm),
    Kernel("rms_norm_grad", "numpy", rms_norm_grad, supports_norm),
]
