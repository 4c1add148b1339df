"""Split work over threads: each computes a part of the batch, while BLAS uses one thread.

A convolution is matmuls with copies between them. BLAS's own threads speed up the matmuls only,
and wait for each other at every one. Here each thread does everything for its part of the images,
and they meet once, at the end:

      images   [ first half ]  ->  this thread          matmul, copy, matmul, ...
               [ second half ] ->  a worker             matmul, copy, matmul, ...

The number of threads is what ``set_num_threads`` was given, else ``DEZERO_NUM_THREADS``, else what
NumPy's BLAS uses. Work is split only where BLAS is OpenBLAS, whose number of threads can be set.

A call returns the same bits each time, whatever other threads of the program do. Float32 sums
depend on how they are split and on how many threads BLAS has. Both follow from the shape, from
`get_num_threads` and, for matmuls, from whether this thread has split work before. If the workers
are busy with another call, this thread computes all parts, one after another. `BLAS_THREADS` keeps
BLAS's number from changing under a running call.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from functools import cache, partial
from importlib import import_module
from itertools import pairwise
from queue import SimpleQueue
from threading import Condition, Lock, Thread, local
from typing import Any, TypeVar

from dezero_core.errors import ArgumentError

T = TypeVar("T")

PREFIXES = ("scipy_openblas_{}64_", "openblas_{}64_", "openblas_{}")
"""What OpenBLAS's functions are called, in NumPy's wheels and elsewhere."""

_chosen: int | None = None
_workers: list[Worker] = []
_workers_in_use = Lock()
_is_part: ContextVar[bool] = ContextVar("is_part", default=False)
"""True while this context computes a part, whose work is not split again."""


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
    return BLAS_THREADS.configured()


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


class BlasThreads:
    """Set the number of BLAS threads, a single number for the whole process, as calls need it.

    Calls that need one thread run together, and so do calls that need BLAS as it was configured.
    A call that needs the other number waits until the running calls have ended, and goes before
    those that arrive later. The configured number is restored when no call needs one thread.
    """

    def __init__(self) -> None:
        self._reset()

    def _reset(self) -> None:
        self._entry, self._lock = Lock(), Lock()
        self._change = Condition(self._lock)
        self._calls, self._single, self._configured = 0, False, 1

    def configured(self) -> int:
        """Return how many threads BLAS has when no call needs one thread; 1 if it is unknown."""
        functions = blas()
        if functions is None:
            return 1
        with self._lock:
            return self._configured if self._calls and self._single else functions[0]()

    @contextmanager
    def using(self, single: bool) -> Iterator[None]:
        """Run the block while BLAS has one thread, or, if not ``single``, the configured number.

        It changes nothing in a part of `in_parts`, or if the number cannot be set.
        """
        functions = blas()
        if functions is None or _is_part.get():
            yield
            return
        entered = False
        try:
            with self._entry, self._lock:
                while self._calls and self._single != single:
                    self._change.wait()
                if self._calls == 0:
                    self._single, self._configured = single, functions[0]()
                    if single:
                        functions[1](1)
                self._calls += 1
                entered = True
            yield
        finally:
            if entered:
                with self._lock:
                    self._calls -= 1
                    if self._calls == 0:
                        self._restore()
                        self._change.notify()

    def _restore(self) -> None:
        functions = blas()
        if functions is not None and self._single:
            functions[1](self._configured)
            self._single = False

    def after_fork(self) -> None:
        """Forget the calls of the parent's threads, in a forked child."""
        self._restore()
        self._reset()


BLAS_THREADS = BlasThreads()


def in_parts(count: int, work: float, job: Callable[[slice], T]) -> list[T]:
    """Return ``job(part)`` for parts of ``range(count)``, computed at the same time, in order.

    How many parts there are depends on the arguments and on `get_num_threads` only.

    Args:
        count: the number of images, or of whatever is split.
        work: the total number of multiply-adds; with few there is one part.
        job: releases the GIL for most of its time.
    """
    if work <= ALONE or _is_part.get() or blas() is None or (n := get_num_threads()) < 2:
        return [job(slice(0, count))]
    parts = evenly(count, number_of_parts(count, work, n))
    if len(parts) > 1:
        _history.has_split_work = True
    with BLAS_THREADS.using(single=True):
        token = _is_part.set(True)
        try:
            return run_parts(parts, job)
        finally:
            _is_part.reset(token)


class History(local):
    """A record of what the current thread has done."""

    has_split_work = False


_history = History()


def has_split_work() -> bool:
    """Return whether this thread has split work, as convolutions do."""
    return _history.has_split_work


def number_of_parts(count: int, work: float, threads: int) -> int:
    """Return into how many parts `in_parts` splits ``range(count)``, at least 1."""
    return max(1, min(threads, count, int(work / PART_WORK)))


def run_parts(parts: list[slice], job: Callable[[slice], T]) -> list[T]:
    """Run each part in its own thread, or all in this one if another call has the workers."""
    if len(parts) == 1 or not _workers_in_use.acquire(blocking=False):
        return [job(part) for part in parts]
    try:
        waits = [  # in a copy of the caller's context: what np.errstate says holds for them too
            worker.start(partial(copy_context().run, job, part))
            for worker, part in zip(workers(len(parts) - 1), parts[1:], strict=False)
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
        _workers_in_use.release()


def evenly(count: int, parts: int) -> list[slice]:
    """``range(count)`` in so many parts, whose sizes differ by one at most."""
    edges = [count * i // parts for i in range(parts + 1)]
    return [slice(*ends) for ends in pairwise(edges)]


ALONE = 1 << 17
"""Multiply-adds up to which OpenBLAS uses one thread even if it has more. Its limits are 2^18 for a
matmul, and for a dot product 10^4 elements, which count as 16 each."""

PART_WORK = 1e7
"""Minimum multiply-adds of a part: handing over fewer takes longer than computing them."""


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
    """Reset a forked child: no workers, free locks, and the configured number of BLAS threads."""
    global _workers_in_use
    _workers.clear()
    _workers_in_use = Lock()
    BLAS_THREADS.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
