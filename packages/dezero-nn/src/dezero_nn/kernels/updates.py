"""Clip gradients, and apply an optimizer's rule in place, piece by piece for large parameters.

A rule like Adam's makes a dozen temporaries as large as its arguments. For a parameter of a
gigabyte, each temporary would take a gigabyte. Updating the parameter in pieces limits the size of
the temporaries:

      p      [ piece ][ piece ][ piece ]...      Compute delta(p, g, state) of one piece,
      g      [ piece ][ piece ][ piece ]...      add it to that piece of p, and store the state,
      state  [ piece ][ piece ][ piece ]...      before the next piece begins.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from dezero_core.extend import Kernel
from dezero_core.state import is_writable

State = dict[str, Any]
Delta = Callable[[np.ndarray, np.ndarray, State], np.ndarray]

PIECE = 1 << 20
"""Elements of a piece, 4 MB of float32. With pieces of 64 kB, SGD takes 1.7 times as long as with
pieces of 4 MB, because of the calls from Python (docs/performance.md). Pieces of 8 MB would double
the size of the temporaries."""

BLOCK = 1 << 16
"""Elements of a dot product in `clip_norm`, and of a block in `adam`. BLAS adds float32 products in
float32, so that the rounding error of longer dot products would be larger. `adam` takes 2.0 ns per
element with this value, 2.1 ns with half and 2.0 ns with twice this value (AVX2)."""


def supports_update(ps: list[np.ndarray], gs: list[np.ndarray], *others: Any) -> bool:
    """Return whether parameters are writable NumPy arrays with gradients of the same shapes."""
    return all(
        type(p) is type(g) is np.ndarray and p.shape == g.shape and is_writable(p)
        for p, g in zip(ps, gs, strict=True)
    )


def update(
    ps: list[np.ndarray], gs: list[np.ndarray], states: list[State], delta: Delta
) -> list[np.ndarray]:
    """Add ``delta(p, g, state)`` to each parameter in place, and return the parameters."""
    for p, g, state in zip(ps, gs, states, strict=True):
        if p.size <= PIECE or not (p.flags.c_contiguous and g.flags.c_contiguous):
            p += delta(p, g, state)
        else:
            update_in_pieces(p, g, state, delta)
    return ps


def update_in_pieces(p: np.ndarray, g: np.ndarray, state: State, delta: Delta) -> None:
    """Update one contiguous parameter piece by piece."""
    flat_p, flat_g = p.reshape(-1), g.reshape(-1)
    before = {name: x.reshape(-1) if is_like(x, p) else x for name, x in state.items()}
    for start in range(0, p.size, PIECE):
        piece = slice(start, start + PIECE)
        p_piece = flat_p[piece]
        given = {name: x[piece] if is_like(x, flat_p) else x for name, x in before.items()}
        part = dict(given)
        p_piece += delta(p_piece, flat_g[piece], part)
        for name, x in part.items():
            if x is given.get(name):  # unchanged, or changed in place
                continue
            if not is_like(x, p_piece):
                state[name] = x
                continue
            if name not in state:  # this is the first update
                state[name] = np.empty(p.shape, x.dtype)
            state[name].reshape(-1)[piece] = x


def is_like(x: Any, p: np.ndarray) -> bool:
    """Return whether ``x`` has one value for each element of ``p``."""
    return isinstance(x, np.ndarray) and x.shape == p.shape


def supports_clip_norm(gs: list[np.ndarray], max_norm: float) -> bool:
    """Return whether all gradients are NumPy arrays of floats."""
    return all(type(g) is np.ndarray and g.dtype.kind == "f" for g in gs)


def clip_norm(gs: list[np.ndarray], max_norm: float) -> tuple[list[np.ndarray], np.ndarray]:
    """Clip gradients by dot products, without temporary arrays; scale only if it is needed."""
    squares = 0.0
    for g in gs:
        flat = g.reshape(-1)
        for start in range(0, g.size, BLOCK):
            part = flat[start : start + BLOCK]
            squares += float(np.dot(part, part))
    norm = squares**0.5
    if norm + 1e-6 > max_norm or norm != norm:
        gs = [g * (max_norm / (norm + 1e-6)) for g in gs]
    return gs, np.asarray(norm)


def supports_adam(
    p: np.ndarray, g: np.ndarray, m: np.ndarray | float, v: np.ndarray | float, *numbers: float
) -> bool:
    """Return whether the arrays fit each other, and the means can be written to.

    Before the first update the means are 0.0, and the portable definition creates them.
    """
    if not (
        type(p) is type(g) is type(m) is type(v) is np.ndarray
        and p.shape == g.shape == m.shape == v.shape
    ):
        return False
    return bool(
        p.dtype.char in "fd"
        and p.dtype == g.dtype == m.dtype == v.dtype
        and p.flags.c_contiguous
        and m.flags.carray
        and v.flags.carray
    )


def adam(
    p: np.ndarray, g: np.ndarray, m: np.ndarray, v: np.ndarray, beta1: float, beta2: float,
    eps: float, rate: float, decay: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
    """Return the change of ``p``; write the new means over ``m`` and ``v``.

    The operations and their order are those of the portable definition, so the bits are too.
    """
    change, buffer = np.empty(p.shape, p.dtype), np.empty(min(p.size, BLOCK), p.dtype)
    flat = [x.reshape(-1) for x in (p, g, m, v, change)]
    for start in range(0, p.size, BLOCK):
        p_, g_, m_, v_, d = [x[start : start + BLOCK] for x in flat]
        t = buffer[: len(d)]
        m_ *= beta1
        m_ += np.multiply(g_, 1 - beta1, out=d)
        v_ *= beta2
        np.multiply(g_, g_, out=d)
        d *= 1 - beta2
        v_ += d
        np.sqrt(v_, out=d)
        d += eps
        np.divide(m_, d, out=d)
        d *= -rate
        if decay:
            d -= np.multiply(p_, decay, out=t)
    return change, m, v


KERNELS = [
    Kernel("adam", "numpy", adam, supports_adam),
    Kernel("clip_norm", "numpy", clip_norm, supports_clip_norm),
    Kernel("update", "numpy", update, supports_update),
]
