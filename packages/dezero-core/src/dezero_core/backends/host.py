"""Create arrays and random numbers on the host with NumPy.

Data is loaded, initialised, saved and shuffled as NumPy arrays. Each backend converts between NumPy
arrays and its own arrays.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextvars import ContextVar
from copy import deepcopy
from typing import Any

import numpy as np

from ..arguments import as_integer
from ..config import Block, Setting

HostArray = np.ndarray[Any, Any]
"""The type of NumPy arrays of any shape and dtype."""

HOST = "numpy"
"""The name of NumPy's backend."""


class Streams:
    """The random generators of a process, or of a rank that is a thread; see `own_streams`.

    Attributes:
        seeded: the generator that `generator` returns; None (before the first `seed`) means NumPy's
            global generator.
        of_rank: the generator that `rank_generator` returns; None means that of `generator`.
        rank: the number of the rank that ``of_rank`` belongs to.
    """

    seeded: np.random.Generator | None = None
    of_rank: np.random.Generator | None = None
    rank: int | None = None


_streams: ContextVar[Streams] = ContextVar("dezero.streams", default=Streams())  # noqa: B039
streams = _streams.get
"""Return the `Streams` of this thread or task."""

_drawn_from: Setting[Callable[[], np.random.Generator] | None] = Setting("generator", None)


def seed(n: int) -> None:
    """Draw all later random numbers from a new generator, seeded with ``n``.

    Before the first call, numbers are drawn from NumPy's global generator, so that
    ``np.random.seed`` makes a program repeatable. In a job of several ranks, the numbers that
    differ between the ranks depend on ``n`` and the number of the rank.

    Raises:
        ArgumentTypeError: ``n`` is not an integer.
        ArgumentError: ``n`` is negative.
    """
    streams().seeded = np.random.default_rng(as_integer("seed", "n", n, 0, 2**1024))
    use_rank(streams().rank)


def generator() -> np.random.Generator:
    """Return the current generator; call this before each draw, because `seed` replaces it.

    Use this generator for numbers that must be equal on all ranks of a job, such as initial
    weights, and `rank_generator` for numbers that must differ.
    """
    source = _drawn_from.get()
    if source is not None:
        return source()
    seeded = streams().seeded  # read once: another thread may set it to None
    if seeded is not None:
        return seeded
    return np.random.Generator(np.random.get_bit_generator())  # type: ignore[attr-defined]


def rank_generator() -> np.random.Generator:
    """Return the generator of numbers that differ between ranks of a job, such as dropout masks.

    In one process, and inside `drawing_from`, the result is that of `generator`. Call this function
    before each draw.
    """
    of_rank = streams().of_rank
    return generator() if of_rank is None or _drawn_from.get() is not None else of_rank


def use_rank(rank: int | None) -> None:
    """Let `rank_generator` return a new generator for ``rank``; if None, the result of `generator`.

    The seed depends on ``rank`` and on the state of `generator`, which does not change.
    """
    here = streams()
    here.rank, here.of_rank = rank, None
    if rank is not None:
        number = deepcopy(generator().bit_generator).random_raw()
        here.of_rank = np.random.default_rng([number, rank])


def own_streams(seeded: np.random.Generator | None) -> None:
    """Give this thread or task separate generators; `generator` then returns ``seeded``."""
    _streams.set(Streams())
    streams().seeded = seeded


def drawing_from(source: Callable[[], np.random.Generator]) -> Block[Any]:
    """Let `generator` and `rank_generator` return ``source()`` in a ``with`` block."""
    return Block(_drawn_from, source)


def host_uniform(shape: tuple[int, ...]) -> HostArray:
    """Draw float32 numbers uniformly from [0, 1), with `rank_generator`."""
    return rank_generator().random(shape, dtype=np.float32)


def to_host(x: Any) -> HostArray:
    """Copy an array of a library that supports DLPack to a NumPy array."""
    return np.array(np.from_dlpack(x))


def plain_copy(x: object) -> HostArray:
    """Copy a NumPy array, a view or a subclass instance to a plain array in C order."""
    return np.array(x, order="C", copy=True, subok=False)


def is_writable(x: HostArray) -> bool:
    """Return whether every element of a NumPy array can be written independently.

    This is False if the array is read-only, or if broadcasting made several elements share memory.
    """
    repeated = 0 in x.strides and any(s == 0 and n > 1 for s, n in zip(x.strides, x.shape))  # noqa: B905
    return bool(x.flags.writeable) and not repeated


def can_cast(x: HostArray, dtype: str, casting: Any) -> bool:
    """Return whether a NumPy array may be cast to ``dtype``, by the rules of `numpy.can_cast`."""
    return np.can_cast(x.dtype, dtype, casting=casting)


def accepts_index(shape: tuple[int, ...], index: Any) -> bool:
    """Return whether NumPy can index an array of this shape with ``index``."""
    try:
        np.broadcast_to(False, shape)[index]
    except (IndexError, TypeError, ValueError):
        return False
    return True


def selected_positions(shape: tuple[int, ...], index: Any) -> HostArray:
    """Return the flat positions of the elements that ``index`` selects in an array of ``shape``."""
    positions: HostArray = np.arange(math.prod(shape)).reshape(shape)[index]
    return positions


def count_nonfinite(x: HostArray) -> int:
    """Return the number of elements of a NumPy array that are infinite or NaN."""
    return int(x.size - np.isfinite(x).sum())
