"""Updates in pieces, whatever the rule of the optimizer.

A rule like Adam's makes a dozen arrays on its way. Of a parameter of a gigabyte each of them is one
too; of `PIECE` elements at a time they are a few megabytes, in the cache:

      p      [ piece ][ piece ][ piece ]...      delta(p, g, state) on one piece of all of
      g      [ piece ][ piece ][ piece ]...      them, and what it gives is added to p
      state  [ piece ][ piece ][ piece ]...      and kept, before the next piece begins
"""

from __future__ import annotations

from ctypes import c_double, c_float, c_int64, c_void_p
from functools import cache
from typing import Any

import numpy as np

from dezero_core.pointers import address_of, has_layout, is_writable

from ..blas import blas_library
from ..parallel import parallel_for

PIECE = 1 << 20
"""Elements: 4 MB of float32. Smaller pieces are slower: Python's share of a step grows."""


def supports_update(ps: Any, gs: Any, *others: Any) -> bool:
    """Return whether parameters are writable plain arrays, with gradients of their shapes."""
    return all(
        type(p) is type(g) is np.ndarray and p.shape == g.shape and is_writable(p)
        for p, g in zip(ps, gs, strict=True)
    )


def update(ps: list[Any], gs: list[Any], states: list[dict[str, Any]], delta: Any) -> list[Any]:
    """Every parameter with what ``delta`` adds to it, written in place."""
    for p, g, state in zip(ps, gs, states, strict=True):
        if p.size <= PIECE or not (p.flags.c_contiguous and g.flags.c_contiguous):
            p += delta(p, g, state)
        else:
            in_pieces(p, g, state, delta)
    return ps


def in_pieces(p: Any, g: Any, state: dict[str, Any], delta: Any) -> None:
    """Update one parameter piece by piece."""
    flat_p, flat_g = p.reshape(-1), g.reshape(-1)
    before = {name: x.reshape(-1) if is_like(x, p) else x for name, x in state.items()}
    for start in range(0, p.size, PIECE):
        piece = slice(start, start + PIECE)
        p_piece = flat_p[piece]
        part = {name: x[piece] if is_like(x, flat_p) else x for name, x in before.items()}
        p_piece += delta(p_piece, flat_g[piece], part)
        for name, x in part.items():
            if not is_like(x, p_piece):
                state[name] = x
                continue
            if name not in state:  # the first step of all
                state[name] = np.empty(p.shape, x.dtype)
            state[name].reshape(-1)[piece] = x


def is_like(x: Any, p: Any) -> bool:
    """Return whether ``x`` has one number for each element of ``p``."""
    return isinstance(x, np.ndarray) and x.shape == p.shape


def supports_add_scaled(ps: Any, gs: Any, a: float) -> bool:
    """Return whether BLAS applies: single or double precision, contiguous, 64-bit integers."""
    return all(
        type(p) is type(g) is np.ndarray
        and p.dtype.char in "fd"
        and has_layout(p, p.dtype.char, p.shape, writable=True)
        and has_layout(g, p.dtype.char, p.shape)
        and axpy(p.dtype.char) is not None
        for p, g in zip(ps, gs, strict=True)
    )


def add_scaled(ps: list[Any], gs: list[Any], a: float) -> list[Any]:
    """BLAS's axpy: one pass over p and g, where ``p += a * g`` takes two and a half."""
    for p, g in zip(ps, gs, strict=True):
        run, dtype, size = axpy(p.dtype.char), p.dtype.char, p.itemsize
        y, x = address_of(p, dtype, p.shape, writable=True), address_of(g, dtype, p.shape)

        def compute(part: slice, run: Any = run, x: int = x, y: int = y, size: int = size) -> None:
            start = size * part.start
            run(part.stop - part.start, a, x + start, 1, y + start, 1)

        parallel_for(p.size, 16 * p.size, compute)
    return ps


@cache
def axpy(dtype: str) -> Any:
    """y += a x, of NumPy's own BLAS, for a dtype "f" or "d"; None if it has none like that."""
    name = {"f": "saxpy", "d": "daxpy"}[dtype]
    number = {"f": c_float, "d": c_double}[dtype]
    for form in ("scipy_cblas_{}64_", "cblas_{}64_"):
        found = getattr(blas_library(), form.format(name), None)
        if found is not None:
            found.argtypes = (c_int64, number, c_void_p, c_int64, c_void_p, c_int64)
            found.restype = None
            return found
    return None
