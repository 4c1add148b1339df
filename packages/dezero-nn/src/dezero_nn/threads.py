"""Images shared out among threads: a part of the batch each, with BLAS at one thread meanwhile.

A convolution is products of matrices with copies between them. BLAS's own threads speed up the
products only, and wait for each other at every one. Here each thread does everything for its part
of the images, and they meet once, at the end:

      images   [ first half ]  ->  this thread          products, copies, products, ...
               [ second half ] ->  a worker             products, copies, products, ...

How many: what ``set_num_threads`` was given, else ``DEZERO_NUM_THREADS``, else as many as NumPy's
BLAS uses. BLAS is told to use one thread while the parts run, and what it used before afterwards;
that is one number for the whole process, so only one call at a time shares its images out. A call
that finds another one doing so, from a thread of the user's, does all its images itself. Where
BLAS cannot be told (it is not OpenBLAS) nothing is shared out.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from contextvars import copy_context
from functools import cache, partial
from importlib import import_module
from itertools import pairwise
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Any, TypeVar

from dezero_core.errors import ArgumentError

T = TypeVar("T")

PREFIXES = ("scipy_openblas_{}64_", "openblas_{}64_", "openblas_{}")
"""What OpenBLAS's functions are called, in NumPy's wheels and elsewhere."""

_chosen: int | None = None
_workers: list[Worker] = []
_sharing = Lock()


def set_num_threads(n: int) -> None:
    """Let a convolution use ``n`` threads; 1: BLAS alone decides.

    Results are the same, bit for bit, for one number of threads.

    Raises:
        ArgumentError: ``n`` is less than 1.
    """
    global _chosen
    if n < 1:
        raise ArgumentError(f"set_num_threads: {n} is less than 1")
    _chosen = n


def get_num_threads() -> int:
    """How many threads a convolution uses."""
    if _chosen is not None:
        return _chosen
    given = os.environ.get("DEZERO_NUM_THREADS")
    if given is not None:
        if not given.isdigit() or int(given) < 1:
            raise ArgumentError(f"DEZERO_NUM_THREADS is {given!r}, not a number from 1")
        return int(given)
    functions = blas()
    return functions[0]() if functions else 1


@cache
def blas_library() -> ctypes.CDLL:
    """What NumPy multiplies matrices with, by the module that it is linked to."""
    return ctypes.CDLL(import_module("numpy._core._multiarray_umath").__file__)


@cache
def blas() -> tuple[Callable[[], int], Callable[[int], None]] | None:
    """How many threads NumPy's OpenBLAS uses, asked and told; None if it is another BLAS."""
    library = blas_library()
    for prefix in PREFIXES:
        try:
            get, tell = (library[prefix.format(f"{verb}_num_threads")] for verb in ("get", "set"))
        except AttributeError:
            continue
        return get, tell
    return None


def in_parts(count: int, work: float, job: Callable[[slice], T]) -> list[T]:
    """``job(part)`` for parts of ``range(count)``, at the same time; the results in order.

    Args:
        count: how many images there are.
        work: products of all of them together; too few are done here and now.
        job: releases the GIL for most of its time.
    """
    everything = slice(0, count)
    if count < 2 or work <= ALONE or (work <= LEAST_WORK and not _workers):
        return [job(everything)]
    functions, threads = blas(), min(get_num_threads(), count)
    if threads < 2 or functions is None:
        return [job(everything)]
    if not _sharing.acquire(blocking=False):  # another thread of the user's does
        return [job(everything)]
    get, tell = functions
    before = get()
    if work <= LEAST_WORK:
        threads = 1
    try:
        tell(1)
        parts = evenly(count, threads)
        waits = [  # in a copy of the caller's context: what np.errstate says holds for them too
            worker.start(partial(copy_context().run, job, part))
            for worker, part in zip(workers(threads - 1), parts[1:], strict=False)
        ]
        try:
            first = job(parts[0])
        finally:
            others = [wait() for wait in waits]  # no part outlives the call
        for _, error in others:
            if error is not None:
                raise error
        return [first, *[result for result, _ in others]]
    finally:
        tell(before)
        _sharing.release()


def evenly(count: int, parts: int) -> list[slice]:
    """``range(count)`` in so many parts, whose sizes differ by one at most."""
    edges = [count * i // parts for i in range(parts + 1)]
    return [slice(*ends) for ends in pairwise(edges)]


ALONE = 1 << 18
"""Multiplications up to which BLAS keeps to one thread by itself."""

LEAST_WORK = 2e7
"""Multiplications below which handing a part over takes longer than doing it."""


def at_work() -> bool:
    """Whether images have been shared out before."""
    return bool(_workers)


class Worker:
    """A thread that does one job after the other.

    Its queues are written in C, and so are whole whenever Ctrl-C interrupts a call: those of
    concurrent.futures can be left locked by it, for ever.
    """

    def __init__(self) -> None:
        self.jobs: SimpleQueue[tuple[Callable[[], Any], SimpleQueue[Any]]] = SimpleQueue()
        Thread(target=self._work, name="dezero", daemon=True).start()

    def start(self, job: Callable[[], Any]) -> Callable[[], tuple[Any, BaseException | None]]:
        """Do a job when those before are done; returns what waits for its result, or its error."""
        answer: SimpleQueue[Any] = SimpleQueue()
        self.jobs.put((job, answer))
        return answer.get

    def _work(self) -> None:
        while True:
            job, answer = self.jobs.get()
            try:
                answer.put((job(), None))
            except BaseException as error:
                answer.put((None, error))
            del job, answer  # whose arrays would live until the next job


def workers(count: int) -> list[Worker]:
    """The threads that wait for parts, at least so many; made at first use."""
    while len(_workers) < count:
        _workers.append(Worker())
    return _workers


def _forget() -> None:
    """A child of fork has no threads but its own."""
    global _sharing
    _workers.clear()
    _sharing = Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
