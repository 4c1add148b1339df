"""Ten wrong backends, written before the kit existed; no check was made for them.

Each is a change to the loopback backend: one thing that an array library could get wrong.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .loopback import LoopBackend, as_loop


def signs_are_never_negative(backend: LoopBackend) -> None:
    """sign returns 1 for negative numbers."""
    backend.xp.sign = lambda x: as_loop(np.abs(np.sign(x)))


def new_axes_come_too_early(backend: LoopBackend) -> None:
    """expand_dims is one position off for a negative axis."""
    backend.xp.expand_dims = lambda x, axis: as_loop(
        np.expand_dims(x, axis - 1 if axis < 0 and np.ndim(x) >= -axis else axis)
    )


def four_axes_are_reversed(backend: LoopBackend) -> None:
    """permute_dims ignores its argument for arrays of four axes."""
    backend.xp.permute_dims = lambda x, axes: as_loop(
        np.transpose(x, None if np.ndim(x) == 4 else axes)
    )


def small_exponentials_vanish(backend: LoopBackend) -> None:
    """exp is 0 below -1.5."""
    backend.xp.exp = lambda x: as_loop(np.where(np.asarray(x) < -1.5, 0, np.exp(x)).astype(x.dtype))


def roots_are_coarse(backend: LoopBackend) -> None:
    """sqrt is computed in half precision."""
    backend.xp.sqrt = lambda x: as_loop(
        np.sqrt(np.asarray(x).astype(np.float16)).astype(np.asarray(x).dtype)
    )


def largest_over_one_axis_only(backend: LoopBackend) -> None:
    """max over two or more axes uses only the first of them."""

    def max(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
        if isinstance(axis, tuple) and len(axis) > 1:
            first = np.max(x, axis=axis[0], keepdims=True)
            rest = tuple(axis[1:])
            taken = np.take(first, [0], axis=rest[0]) if len(rest) == 1 else first
            return as_loop(taken if keepdims else np.squeeze(taken))
        return as_loop(np.max(x, axis=axis, keepdims=keepdims))

    backend.xp.max = max


def random_numbers_are_large(backend: LoopBackend) -> None:
    """uniform draws from [0.5, 1)."""
    draw = backend.uniform
    backend.uniform = lambda shape, dtype: 0.5 + draw(shape, dtype) / 2


def host_arrays_are_shared(backend: LoopBackend) -> None:
    """from_numpy returns a view of the host's array."""
    backend.from_numpy = lambda x: np.asarray(x).view(type(as_loop(np.zeros(1))))


def squeeze_takes_all(backend: LoopBackend) -> None:
    """squeeze removes every axis of length 1 and ignores its argument."""
    backend.xp.squeeze = lambda x, axis=None: as_loop(np.squeeze(x))


def stacks_are_joined_in_reverse(backend: LoopBackend) -> None:
    """concat joins the last array first."""
    backend.xp.concat = lambda xs, axis=0: as_loop(np.concat(list(xs)[::-1], axis=axis))


UNSEEN = [
    signs_are_never_negative,
    new_axes_come_too_early,
    four_axes_are_reversed,
    small_exponentials_vanish,
    roots_are_coarse,
    largest_over_one_axis_only,
    random_numbers_are_large,
    host_arrays_are_shared,
    squeeze_takes_all,
    stacks_are_joined_in_reverse,
]
