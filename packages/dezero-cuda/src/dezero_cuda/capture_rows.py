"""Gather the rows of a loader's batches inside a captured graph."""

from __future__ import annotations

from functools import partial
from typing import Any, Protocol, TypeGuard

import cupy

from dezero_core import Variable

from .capture_recorder import Recorder


class Positions(Protocol):
    """Describe the rows of one batch: those at ``order[start:stop]``."""

    order: cupy.ndarray
    start: int
    stop: int


class Rows(Protocol):
    """Describe a Variable that stands for rows of ``source``, as a loader of dezero-io creates.

    The parts of one batch have the same object as ``positions``.
    """

    source: cupy.ndarray
    positions: Positions
    shape: tuple[int, ...]
    is_deferred: bool


def is_deferred(x: Any) -> TypeGuard[Rows]:
    """Return whether an argument stands for rows that have not been gathered yet."""
    return isinstance(x, Variable) and getattr(x, "is_deferred", False)


def batches_of(rows: list[Rows]) -> list[Positions]:
    """Return the different batches among the arguments, in order."""
    return list({id(x.positions): x.positions for x in rows}.values())


class Gathered:
    """Gather the arguments of each launch from the positions of its batches.

    The graph has an array for the order of an epoch, which is filled once per epoch. The
    graph reads the first position of a batch from a changing number.

    Args:
        rows: the arguments of the call that is recorded.
    """

    def __init__(self, rows: list[Rows]) -> None:
        batches = batches_of(rows)
        self._orders = [cupy.empty_like(batch.order) for batch in batches]
        self._copied: list[Any] = [None] * len(batches)
        self._offsets = [cupy.arange(batch.stop - batch.start) for batch in batches]
        numbers = {id(batch): number for number, batch in enumerate(batches)}
        self._sources = [(x.source, numbers[id(x.positions)]) for x in rows]
        self.variables = [
            Variable(cupy.empty(x.shape, x.source.dtype), requires_grad=False) for x in rows
        ]
        self.move_to(rows)

    def move_to(self, rows: list[Rows]) -> None:
        """Let the next launch gather ``rows``."""
        self._batches = batches_of(rows)
        for number, batch in enumerate(self._batches):
            if self._copied[number] is not batch.order:
                self._orders[number][...] = batch.order
                self._copied[number] = batch.order

    def _start(self, number: int) -> tuple[int]:
        """Return the first position of a batch in its order."""
        return (self._batches[number].start,)

    def record(self, recorder: Recorder) -> None:
        """Record the launches that gather the rows."""
        indices = []
        for number, (order, offsets) in enumerate(zip(self._orders, self._offsets, strict=True)):
            (start,) = recorder.numbers(partial(self._start, number), "int64")
            indices.append(order[offsets + start])
        for x, (source, number) in zip(self.variables, self._sources, strict=True):
            cupy.take(source, indices[number], axis=0, out=x.data)
