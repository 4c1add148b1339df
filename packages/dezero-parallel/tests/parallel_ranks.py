"""Run a function on several ranks, each a thread of this process."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, TypeVar

from dezero_parallel.worlds import World

R = TypeVar("R")


class Job:
    """What the ranks of a job share."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.barrier = threading.Barrier(size, timeout=5)
        self.values: list[Any] = [None] * size
        self.parts: dict[int, dict[int, Any]] = {}
        self.has_parts = threading.Condition()


class Rank:
    """An engine of threads."""

    def __init__(self, job: Job, rank: int) -> None:
        self.job, self.rank, self.size, self.started = job, rank, job.size, 0

    def gather(self, value: object) -> list[Any]:
        self.job.values[self.rank] = value
        self.job.barrier.wait()
        found = list(self.job.values)
        self.job.barrier.wait()
        return found

    def broadcast(self, value: object) -> Any:
        return self.gather(value)[0]

    def start(self, array: Any) -> tuple[int, Any]:
        self.started += 1
        with self.job.has_parts:
            self.job.parts.setdefault(self.started, {})[self.rank] = array.copy()
            self.job.has_parts.notify_all()
        return self.started, array

    def poll(self, request: object) -> None:
        pass

    def wait(self, request: tuple[int, Any]) -> None:
        number, array = request
        with self.job.has_parts:
            arrived = self.job.has_parts.wait_for(self._has_all(number), timeout=5)
        if not arrived or self.job.barrier.broken:
            raise threading.BrokenBarrierError
        total = self.job.parts[number][0].copy()
        for rank in range(1, self.size):
            total += self.job.parts[number][rank]
        array[...] = total

    def _has_all(self, number: int) -> Callable[[], bool]:
        return lambda: self.job.barrier.broken or len(self.job.parts[number]) == self.size

    def leave(self, step: int) -> None:
        pass

    def left(self) -> None:
        return None

    def abort(self) -> None:
        self.job.barrier.abort()
        with self.job.has_parts:
            self.job.has_parts.notify_all()


def run_ranks(size: int, function: Callable[[World], R]) -> list[R | BaseException]:
    """Return what ``function(world)`` returns or raises on each rank."""
    job = Job(size)
    results: list[Any] = [None] * size

    def run(number: int) -> None:
        rank = Rank(job, number)
        try:
            results[number] = function(World(rank, 60.0, watches=False))
        except BaseException as error:
            results[number] = error
            rank.abort()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def succeed(size: int, function: Callable[[World], R]) -> list[R]:
    """Return the results of all ranks; raise the error of a rank that failed."""
    results = run_ranks(size, function)
    for result in results:
        if isinstance(result, BaseException) and not isinstance(
            result, threading.BrokenBarrierError
        ):
            raise result
    return results  # type: ignore[return-value]
