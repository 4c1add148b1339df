"""Run a function on several ranks, each a thread of this process."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from dezero_parallel import World, threads
from dezero_parallel.threads import ThreadCommunicator

R = TypeVar("R")


class AnyArrays(ThreadCommunicator):
    """Sum arrays of any library, such as the stand-in for CuPy."""

    def start(self, array: Any) -> tuple[int, Any]:
        return self._pass("start", array.copy()), array


@contextmanager
def fast_switches() -> Iterator[None]:
    """Let Python switch between threads often, because the ranks wait for each other."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-4)
    yield
    sys.setswitchinterval(interval)


def run_ranks(size: int, function: Callable[[World], Any]) -> list[Any]:
    """Return what ``function(world)`` returns or raises on each rank."""
    with fast_switches():
        return threads.run_ranks(size, lambda engine: function(World(engine)), return_errors=True)


def succeed(size: int, function: Callable[[World], R]) -> list[R]:
    """Return the results of all ranks; raise the error of a rank that failed."""
    with fast_switches():
        return threads.run_ranks(
            size, lambda engine: function(World(AnyArrays(engine._job, engine.rank)))
        )
