"""Make an array namespace of MLX: mend the functions that differ from the array API standard.

The comments name the faults of MLX 0.32.4.
"""

import math
from types import SimpleNamespace

import mlx.core as mx
import numpy as np

REDUCTIONS = (
    "all", "any", "argmax", "argmin", "count_nonzero", "max", "mean", "min", "prod", "sum",
)  # fmt: skip
FLOAT64 = {
    "exp": np.exp,
    "sin": np.sin,
    "cos": np.cos,
    "erf": np.vectorize(math.erf, ["float64"]),
    "logaddexp": np.logaddexp,
}


def namespace():
    """Return MLX's functions, with the mended ones in place of MLX's own."""
    xp = SimpleNamespace(**vars(mx))
    xp.bool = mx.bool_
    xp.sign, xp.vecdot, xp.linalg = sign, vecdot, linalg()
    for name in REDUCTIONS:
        setattr(xp, name, reduction(getattr(mx, name), getattr(np, name)))
    xp.cumulative_sum, xp.cumulative_prod = map(cumulative, (mx.cumsum, mx.cumprod))
    for name, by_numpy in FLOAT64.items():
        setattr(xp, name, exact(getattr(mx, name), by_numpy))
    return xp


def reduction(function, by_numpy):
    """Return a reduction that also works for empty arrays, for which MLX fails, hangs or crashes.

    Positions and counts are int64, as NumPy's; MLX's are uint32 and int32.
    """
    is_index = function in (mx.argmax, mx.argmin, mx.count_nonzero)
    is_sum = function in (mx.sum, mx.prod)

    def reduce(x, *, axis=None, keepdims=False, dtype=None):
        x = x if dtype is None else x.astype(dtype)
        x = widened(x) if is_sum else x
        if x.size == 0:
            y = np.asarray(by_numpy(np.array(x), axis=axis, keepdims=keepdims))
            return mx.array(y, getattr(mx, "bool_" if y.dtype == bool else y.dtype.name))
        y = function(x, axis=axis, keepdims=keepdims)
        return y.astype(mx.int64) if is_index else y

    return reduce


def widened(x):
    """Return integers and bools as 64-bit integers, as the standard requires for sums."""
    if mx.issubdtype(x.dtype, mx.floating):
        return x
    return x.astype(mx.uint64 if mx.issubdtype(x.dtype, mx.unsignedinteger) else mx.int64)


def cumulative(function):
    """Return a cumulative function that adds integers as 64-bit integers."""

    def cumulate(x, *, axis=None, dtype=None):
        return function(widened(x) if dtype is None else x.astype(dtype), axis=axis)

    return cumulate


def exact(function, by_numpy):
    """Return a function that is exact in float64; MLX computes it in single precision."""

    def compute(*xs):
        if xs[0].dtype != mx.float64:
            return function(*xs)
        return mx.array(by_numpy(*map(np.array, xs)), mx.float64)

    return compute


def sign(x):
    """Return the sign; MLX returns 0 for NaN."""
    y = mx.sign(x)
    return mx.where(mx.isnan(x), x, y) if mx.issubdtype(x.dtype, mx.floating) else y


def vecdot(x, y, *, axis=-1):
    """Return the inner products along an axis; MLX looks for the axis before it broadcasts."""
    return mx.sum(mx.multiply(x, y), axis=axis)


def linalg():
    """Return the functions of linear algebra, which MLX computes on the CPU only."""

    def on_cpu(function):
        return lambda *arrays, **options: function(*arrays, **options, stream=mx.cpu)

    def solve(a, b):  # MLX does not broadcast a and b
        batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
        a, b = (mx.broadcast_to(x, (*batch, *x.shape[-2:])) for x in (a, b))
        return mx.linalg.solve(a, b, stream=mx.cpu)

    def svd(x, *, full_matrices=True):  # MLX has no option full_matrices
        u, s, vh = mx.linalg.svd(x, stream=mx.cpu)
        k = len(s) if s.ndim == 1 else s.shape[-1]
        return (u, s, vh) if full_matrices else (u[..., :k], s, vh[..., :k, :])

    names = ("cholesky", "det", "eigh", "inv", "qr", "slogdet")
    functions = {name: on_cpu(getattr(mx.linalg, name)) for name in names}
    return SimpleNamespace(**functions, solve=solve, svd=svd)
