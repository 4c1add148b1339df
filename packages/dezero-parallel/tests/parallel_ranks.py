"""Run a function on several ranks, each a thread of this process."""

from __future__ import annotations

import sys
import threading
from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Any, TypeVar

from dezero_parallel.worlds import World

R = TypeVar("R")


class Missing(Exception):
    """Another rank has ended, or does not come."""


class Job:
    """Hold the values that the ranks have passed, by the number of the call."""

    def __init__(self, size: int) -> None:
        self.size, self.is_over = size, False
        self.values: defaultdict[tuple[str, int], dict[int, Any]] = defaultdict(dict)
        self.changed = threading.Condition()


class Rank:
    """An engine of threads."""

    def __init__(self, job: Job, rank: int) -> None:
        self.job, self.rank, self.size = job, rank, job.size
        self.calls = Counter[str]()

    def put(self, what: str, value: Any) -> tuple[str, int]:
        """Pass a value to the other ranks."""
        self.calls[what] += 1
        call = what, self.calls[what]
        with self.job.changed:
            self.job.values[call][self.rank] = value
            self.job.changed.notify_all()
        return call

    def take(self, call: tuple[str, int]) -> list[Any]:
        """Wait for the values of all ranks."""
        values = self.job.values[call]
        with self.job.changed:
            self.job.changed.wait_for(
                lambda: self.job.is_over or len(values) == self.size, timeout=5
            )
            if len(values) < self.size:
                raise Missing(f"rank {self.rank} waits for another rank at {call}")
            return [values[rank] for rank in range(self.size)]

    def gather(self, value: object) -> list[Any]:
        return self.take(self.put("gather", value))

    def broadcast(self, value: object) -> Any:
        return self.gather(value)[0]

    def start(self, array: Any) -> tuple[tuple[str, int], Any]:
        return self.put("start", array.copy()), array

    def poll(self, request: object) -> None:
        pass

    def wait(self, request: tuple[tuple[str, int], Any]) -> None:
        call, array = request
        first, *others = self.take(call)
        array[...] = sum(others, first)

    def leave(self, step: int) -> None:
        pass

    def left(self) -> None:
        return None

    def abort(self) -> None:
        with self.job.changed:
            self.job.is_over = True
            self.job.changed.notify_all()


def run_ranks(size: int, function: Callable[[World], R]) -> list[R | BaseException]:
    """Return what ``function(world)`` returns or raises on each rank."""
    job = Job(size)
    results: list[Any] = [None] * size

    def run(number: int) -> None:
        rank = Rank(job, number)
        try:
            results[number] = function(World(rank))
        except BaseException as error:
            results[number] = error
            rank.abort()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(size)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-4)  # the ranks wait for each other all the time
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sys.setswitchinterval(interval)
    return results


def succeed(size: int, function: Callable[[World], R]) -> list[R]:
    """Return the results of all ranks; raise the error of a rank that failed."""
    results = run_ranks(size, function)
    for result in results:
        if isinstance(result, BaseException) and not isinstance(result, Missing):
            raise result
    return results  # type: ignore[return-value]
