"""Compute gelu and silu, and their derivatives, in blocks that stay in the cache.

Each form writes y = x s and d = dy/dx in about a dozen passes, with s = 1 / (1 + exp(-w)):

    form    w                                  d
    silu    x                                  s + y (1 - s)
    tanh    2 SCALE (c + CUBIC c**3)           s + c s (1 - s) dw/dx
    erf     c P(c**2), a fitted polynomial     s + c exp(-c**2 / 2) / sqrt(2 pi)

If d is not needed, c is x. Otherwise c is x clipped to the range in which s is neither 0 nor 1,
because the terms of d would overflow outside this range. NumPy
computes exp in half the time of tanh with AVX2, and in the same time with AVX-512.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from dezero_core.extend import Kernel

from ..functions.gelu import CUBIC, SCALE
from ..parallel import parallel_for

Derivative = np.ndarray | None
Form = Callable[[np.ndarray, np.ndarray, Derivative, np.ndarray, np.ndarray], None]
"""A function that writes y and d of x, using two buffers of the same size as x."""

BLOCK = 1 << 16
"""Elements of a block, 256 kB of float32. For half as many elements, calling NumPy takes longer;
twice as many exceed a cache of 1 MB."""

COST = {"silu": 100, "tanh": 150, "none": 200}
"""Cost of an element in multiply-adds, for `parallel_for`: about 2, 3 and 4 ns on an AVX2 core.
With half of these costs, arrays twice as large run on one thread; with twice the costs, arrays that
take 0.2 ms are split, which saves nothing."""

CUT = 24.0
"""Below -CUT, exp(-w) overflows in float32 and float64, so that s is exactly 0."""

TERMS = (
    -1.59576988297483, -0.07266616883186712, 6.51895004159835e-05, 0.00011061263024884959,
    -7.929545932624702e-06, 2.645325454950687e-07, -3.512555022591922e-09,
)  # fmt: skip
"""Coefficients of -P: 1 / (1 + exp(-c P(c**2))) is the normal distribution function at c.

For c from -6 to 6, the error is at most 3e-8 in exact arithmetic, and 1e-7 in float32. Farther out,
s is 0 or 1 within 1e-9. Fitted by reweighted least squares; with six terms, the error would be
2e-7, with five 1.4e-6."""


def supports_silu(x: np.ndarray, needs_derivative: bool) -> bool:
    """Return whether ``x`` is a float32 or float64 array with at least one axis."""
    return type(x) is np.ndarray and x.dtype.char in "fd" and x.ndim > 0


def silu(x: np.ndarray, needs_derivative: bool) -> tuple[np.ndarray, Derivative]:
    """Return x / (1 + exp(-x)), and its derivative or None."""
    return in_blocks(write_silu, COST["silu"], x, needs_derivative)


def supports_gelu(x: np.ndarray, approximate: str, needs_derivative: bool) -> bool:
    """Return whether ``x`` is float32, or float64 for the tanh form; the erf form is a fit."""
    return supports_silu(x, needs_derivative) and (x.dtype.char == "f" or approximate == "tanh")


def gelu(x: np.ndarray, approximate: str, needs_derivative: bool) -> tuple[np.ndarray, Derivative]:
    """Return x times the normal distribution function at x, and the derivative or None."""
    form = write_tanh if approximate == "tanh" else write_erf
    return in_blocks(form, COST[approximate], x, needs_derivative)


def in_blocks(
    form: Form, cost: int, x: np.ndarray, needs_derivative: bool
) -> tuple[np.ndarray, Derivative]:
    """Return y and d, computed block by block."""
    y = np.empty(x.shape, x.dtype)
    d = np.empty(x.shape, x.dtype) if needs_derivative else None
    if x.size <= BLOCK:
        with np.errstate(over="ignore", under="ignore"):
            form(x, y, d, np.empty(x.shape, x.dtype), np.empty(x.shape, x.dtype))
        return y, d
    flat_x, flat_y = np.ascontiguousarray(x).reshape(-1), y.reshape(-1)
    flat_d = None if d is None else d.reshape(-1)
    starts = range(0, x.size, BLOCK)

    def compute(part: slice) -> None:
        buffers = np.empty((2, min(BLOCK, x.size)), x.dtype)
        with np.errstate(over="ignore", under="ignore"):
            for start in starts[part]:
                block = slice(start, start + BLOCK)
                s, u = buffers[:, : len(flat_x[block])]
                form(flat_x[block], flat_y[block], None if flat_d is None else flat_d[block], s, u)

    parallel_for(len(starts), cost * x.size, compute)
    return y, d


def write_silu(x: np.ndarray, y: np.ndarray, d: Derivative, s: np.ndarray, u: np.ndarray) -> None:
    """Write silu of ``x`` to ``y``, and its derivative to ``d``."""
    np.negative(x, out=s)
    write_quotient(x, y, s)
    if d is not None:
        np.reciprocal(s, out=s)
        np.multiply(y, s, out=u)
        np.subtract(y, u, out=d)
        d += s


def write_tanh(x: np.ndarray, y: np.ndarray, d: Derivative, s: np.ndarray, u: np.ndarray) -> None:
    """Write the tanh form of gelu of ``x`` to ``y``, and its derivative to ``d``."""
    c = x if d is None else np.clip(x, -CUT, CUT, out=d)
    np.multiply(c, c, out=u)
    np.multiply(u, -2 * SCALE * CUBIC, out=s)
    s -= 2 * SCALE
    s *= c
    write_quotient(x, y, s)
    if d is not None:
        np.reciprocal(s, out=s)
        u *= 6 * SCALE * CUBIC
        u += 2 * SCALE
        u *= c
        u *= s
        np.multiply(u, s, out=d)
        np.subtract(u, d, out=d)
        d += s


def write_erf(x: np.ndarray, y: np.ndarray, d: Derivative, s: np.ndarray, u: np.ndarray) -> None:
    """Write gelu of ``x`` to ``y``, and its derivative to ``d``."""
    c = x if d is None else np.clip(x, -CUT, CUT, out=d)
    np.multiply(c, c, out=u)
    np.multiply(u, TERMS[-1], out=s)
    for term in TERMS[-2:0:-1]:
        s += term
        s *= u
    s += TERMS[0]
    s *= c
    write_quotient(x, y, s)
    if d is not None:
        np.reciprocal(s, out=s)
        u *= -0.5
        np.exp(u, out=u)
        u *= SCALE / 2  # 1 / sqrt(2 pi)
        d *= u
        d += s


def write_quotient(x: np.ndarray, y: np.ndarray, s: np.ndarray) -> None:
    """Replace ``s`` by 1 + exp(s), and write x / s to ``y``."""
    np.exp(s, out=s)
    s += 1
    np.divide(x, s, out=y)


KERNELS = [
    Kernel("silu", "numpy", silu, supports_silu),
    Kernel("gelu", "numpy", gelu, supports_gelu),
]
