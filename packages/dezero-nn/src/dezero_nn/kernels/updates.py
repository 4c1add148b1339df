"""Updates in pieces, whatever the rule of the optimizer.

A rule like Adam's makes a dozen arrays on its way. Of a parameter of a gigabyte each of them is one
too; of `PIECE` elements at a time they are a few megabytes, in the cache:

      p      [ piece ][ piece ][ piece ]...      step(p, g, state) on one piece of all of
      g      [ piece ][ piece ][ piece ]...      them, and what it gives is added to p
      state  [ piece ][ piece ][ piece ]...      and kept, before the next piece begins
"""

from __future__ import annotations

from typing import Any

import numpy as np

PIECE = 1 << 20
"""Elements: 4 MB of float32. Smaller pieces are slower: Python's share of a step grows."""


def supports_update(ps: Any, gs: Any, *others: Any) -> bool:
    """Arrays that can be written to."""
    return all(type(p) is np.ndarray and p.flags.writeable for p in ps)


def update(ps: list[Any], gs: list[Any], states: list[dict[str, Any]], step: Any) -> list[Any]:
    """Every parameter with what ``step`` adds to it, written in place."""
    for p, g, state in zip(ps, gs, states, strict=True):
        if p.size <= PIECE or not (p.flags.c_contiguous and g.flags.c_contiguous):
            p += step(p, g, state)
        else:
            in_pieces(p, g, state, step)
    return ps


def in_pieces(p: Any, g: Any, state: dict[str, Any], step: Any) -> None:
    """One parameter, piece by piece."""
    flat_p, flat_g = p.reshape(-1), g.reshape(-1)
    before = {name: x.reshape(-1) if is_array(x) else x for name, x in state.items()}
    for start in range(0, p.size, PIECE):
        piece = slice(start, start + PIECE)
        part = {name: x[piece] if is_array(x) else x for name, x in before.items()}
        flat_p[piece] += step(flat_p[piece], flat_g[piece], part)
        for name, x in part.items():
            if not is_array(x):
                state[name] = x
                continue
            if name not in state:  # the first step of all
                state[name] = np.empty(p.shape, x.dtype)
            state[name].reshape(-1)[piece] = x


def is_array(x: Any) -> bool:
    """Whether a part of a state is an array."""
    return isinstance(x, np.ndarray)
