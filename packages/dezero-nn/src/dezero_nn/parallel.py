"""Split work over threads: each thread computes a part of the batch, with BLAS on one thread.

A convolution alternates between matmuls and copies. BLAS's own threads speed up only the matmuls,
and wait for each other after each matmul. Here each thread does all the work for its part of the
images, and the threads wait for each other once, at the end:

      images   [ first half ]  ->  this thread          matmul, copy, matmul, ...
               [ second half ] ->  a worker             matmul, copy, matmul, ...

The thread count is the argument of the last call of ``set_num_threads``, else
``DEZERO_NUM_THREADS``, else the thread count of NumPy's BLAS. Work is split only if BLAS is
OpenBLAS, whose thread count DeZero can set.

Calls with equal arguments return the same bits, whatever the other threads of the program do.
Float32 sums depend on how the work is split and on how many threads BLAS uses. DeZero chooses the
split and BLAS's thread count only from the shape, from `get_num_threads` and, for matmuls, from
whether the calling thread has split work before. If the workers are busy with another call, the
calling thread computes all parts, one after another.

Other packages may use the functions in `__all__`.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextvars import copy_context
from functools import partial
from itertools import pairwise
from queue import SimpleQueue
from threading import Lock, Thread, local
from typing import Any, TypeVar

from dezero_core.errors import ArgumentError

from .blas import BLAS_THREADS, is_inside_part, thread_functions

__all__ = [
    "count_parts",
    "get_num_threads",
    "has_split_work",
    "parallel_for",
    "set_num_threads",
    "split_range",
]

T = TypeVar("T")

MIN_PARALLEL_WORK = 1 << 17
"""A call with at most this many multiply-adds is never split, and does not set BLAS's thread count.
OpenBLAS uses one thread for a matmul of up to 2^18 multiply-adds, and for a dot product of up to
10^4 elements. Callers count each element of a dot product as 16 multiply-adds. With twice this
limit, the bits of a dot product could depend on other threads. With half of this limit, more calls
would need a lock, which takes about 3 us."""

MIN_PART_WORK = 1e7
"""Minimum number of multiply-adds in a part: they take about 0.2 ms on one AVX-512 core, and waking
a worker takes 0.1 ms. This value is an estimate: with twice the value, calls of 0.4 to 0.8 ms use
only one of two cores; with half the value, calls of 0.2 ms take as long on two threads as on
one."""

_chosen: int | None = None
_workers: list[Worker] = []
_workers_in_use = Lock()


def set_num_threads(n: int) -> None:
    """Use ``n`` threads for convolutions, pooling and large matmuls.

    With ``n = 1``, DeZero starts no threads. Results with the same ``n`` have the same bits.

    Raises:
        ArgumentError: ``n`` is less than 1.
    """
    global _chosen
    if n < 1:
        raise ArgumentError(f"set_num_threads: {n} is less than 1; expected the number of threads")
    _chosen = n


def get_num_threads() -> int:
    """Return the number of threads that `parallel_for` uses.

    Raises:
        ArgumentError: ``DEZERO_NUM_THREADS`` is not a positive integer.
    """
    if _chosen is not None:
        return _chosen
    value = os.environ.get("DEZERO_NUM_THREADS")
    if value is not None:
        if not value.isdigit() or int(value) < 1:
            raise ArgumentError(f"DEZERO_NUM_THREADS is {value!r}, not a number from 1")
        return int(value)
    return BLAS_THREADS.configured()


def parallel_for(count: int, work: float, job: Callable[[slice], T]) -> list[T]:
    """Run ``job(part)`` on consecutive parts of ``range(count)`` in parallel.

    The number of parts depends only on the arguments and on `get_num_threads`. While the parts run,
    BLAS has one thread. If a part calls `parallel_for` again, that call is not split.

    Args:
        count: the number of items, such as images.
        work: the total cost in multiply-adds; cheap work is not split.
        job: a function that is called with each part; it should release the GIL for most of its
            time.

    Returns:
        The results in the order of the parts.
    """
    if work <= MIN_PARALLEL_WORK or is_inside_part.get() or thread_functions() is None:
        return [job(slice(0, count))]
    threads = get_num_threads()
    if threads < 2:
        return [job(slice(0, count))]
    parts = split_range(count, count_parts(count, work, threads))
    if len(parts) > 1:
        _history.has_split_work = True
    with BLAS_THREADS.using(single=True):
        token = is_inside_part.set(True)
        try:
            return run_parts(parts, job)
        finally:
            is_inside_part.reset(token)


class History(local):
    """Record for each thread whether it has split work."""

    has_split_work = False


_history = History()


def has_split_work() -> bool:
    """Return whether `parallel_for` has split work in this thread before."""
    return _history.has_split_work


def count_parts(count: int, work: float, threads: int) -> int:
    """Return the number of parts into which `parallel_for` splits ``range(count)``, at least 1."""
    return max(1, min(threads, count, int(work / MIN_PART_WORK)))


def split_range(count: int, parts: int) -> list[slice]:
    """Split ``range(count)`` into ``parts`` slices whose sizes differ by at most one."""
    edges = [count * i // parts for i in range(parts + 1)]
    return [slice(*ends) for ends in pairwise(edges)]


def run_parts(parts: list[slice], job: Callable[[slice], T]) -> list[T]:
    """Run each part in its own thread, or all parts in this thread if the workers are busy."""
    if len(parts) == 1 or not _workers_in_use.acquire(blocking=False):
        return [job(part) for part in parts]
    try:
        waits = [  # in a copy of the caller's context, so that np.errstate applies in workers too
            worker.submit(partial(copy_context().run, job, part))
            for worker, part in zip(start_workers(len(parts) - 1), parts[1:], strict=False)
        ]
        try:
            first = job(parts[0])
        finally:
            others = [wait() for wait in waits]  # so that no part outlives the call
        for _, error in others:
            if error is not None:
                raise error
        return [first, *[result for result, _ in others]]
    finally:
        _workers_in_use.release()


class Worker:
    """Run jobs one after another in a daemon thread.

    Ctrl-C can interrupt Python code anywhere, which can leave the queues of ``concurrent.futures``
    locked. ``SimpleQueue`` is written in C, so Ctrl-C cannot leave it locked.
    """

    def __init__(self) -> None:
        self.jobs: SimpleQueue[tuple[Callable[[], Any], SimpleQueue[Any]]] = SimpleQueue()
        Thread(target=self._run_jobs, name="dezero", daemon=True).start()

    def submit(self, job: Callable[[], Any]) -> Callable[[], tuple[Any, BaseException | None]]:
        """Queue a job; return a function that waits for the job and returns (result, error)."""
        answer: SimpleQueue[Any] = SimpleQueue()
        self.jobs.put((job, answer))
        return answer.get

    def _run_jobs(self) -> None:
        while True:
            job, answer = self.jobs.get()
            try:
                answer.put((job(), None))
            except BaseException as error:
                answer.put((None, error))
            del job, answer  # otherwise the job's arrays would live until the next job


def start_workers(count: int) -> list[Worker]:
    """Return at least ``count`` workers, and start new ones if there are fewer."""
    while len(_workers) < count:
        _workers.append(Worker())
    return _workers


def _forget_workers() -> None:
    """Drop the workers and their lock in a forked child, which does not have these threads."""
    global _workers_in_use
    _workers.clear()
    _workers_in_use = Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_workers)
