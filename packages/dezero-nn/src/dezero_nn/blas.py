"""Find NumPy's OpenBLAS, and set its thread count.

OpenBLAS has one thread count for the whole process. `BlasThreads` changes the thread count only
while no running call needs the old value, so the bits of a result never depend on what other
threads of the program compute.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from importlib import import_module
from threading import Condition, Lock
from typing import Any

import numpy as np

from dezero_core.arguments import as_integer
from dezero_core.errors import ArgumentError, MissingPackage

PREFIXES = ("scipy_openblas_{}64_", "openblas_{}64_", "openblas_{}")
"""Patterns of the names of OpenBLAS's functions, in NumPy's wheels and in other builds."""

is_inside_part: ContextVar[bool] = ContextVar("is_inside_part", default=False)
"""True while `parallel_for` runs a part of its work; BLAS then uses one thread."""


@cache
def blas_library() -> ctypes.CDLL:
    """Load the extension module of NumPy that is linked to BLAS."""
    return ctypes.CDLL(import_module("numpy._core._multiarray_umath").__file__)


@cache
def thread_functions() -> tuple[Callable[[], int], Callable[[int], None]] | None:
    """Return OpenBLAS's functions to read and set its thread count, or None for another BLAS."""
    library = blas_library()
    for prefix in PREFIXES:
        try:
            read, write = (library[prefix.format(f"{verb}_num_threads")] for verb in ("get", "set"))
        except AttributeError:
            continue
        return read, write
    return None


class BlasThreads:
    """Set the thread count of BLAS for the whole process to the number that running calls need.

    A call needs BLAS to use either one thread or the configured number of threads. Calls that need
    the same number of threads run together. A call that needs a different number waits until the
    running calls have ended, and runs before calls that arrive later. The configured number of
    threads is restored when no call needs one thread.
    """

    def __init__(self) -> None:
        self._reset()

    def _reset(self) -> None:
        self._entry, self._lock = Lock(), Lock()
        self._change = Condition(self._lock)
        self._calls, self._single, self._configured = 0, False, 1

    def configured(self) -> int:
        """Return BLAS's configured thread count, or 1 if the count cannot be read."""
        functions = thread_functions()
        if functions is None:
            return 1
        with self._lock:
            return self._configured if self._calls and self._single else functions[0]()

    def configure(self, n: int) -> None:
        """Wait until no call uses BLAS, then set BLAS's thread count; see `set_blas_threads`."""
        functions = thread_functions()
        if functions is None:
            raise MissingPackage(
                f"set_blas_threads: this NumPy uses the BLAS {blas_name()!r}, whose thread count "
                "DeZero cannot set; install NumPy's wheel with OpenBLAS, or set a variable such as "
                "MKL_NUM_THREADS or VECLIB_MAXIMUM_THREADS before the program starts"
            )
        get, write = functions
        with self._entry, self._lock:
            while self._calls:
                self._change.wait()
            before = get()
            write(n)
            if (most := get()) != n:
                write(before)
                raise ArgumentError(
                    f"set_blas_threads: n is {n}; this OpenBLAS has at most {most} threads; choose "
                    "a smaller n"
                )

    def is_one(self) -> bool:
        """Return whether BLAS is configured to have one thread, so that `using` has no effect.

        False if this is not known, because a running call may have changed the thread count.
        """
        functions = thread_functions()
        with self._lock:
            return functions is not None and not self._calls and functions[0]() == 1

    @contextmanager
    def using(self, single: bool) -> Iterator[None]:
        """Return a context manager in which BLAS has one thread or the configured thread count.

        The context manager has no effect in a worker of `parallel_for`, or if BLAS cannot change
        its number of threads.

        Args:
            single: True for one thread, False for the configured number of threads.
        """
        functions = thread_functions()
        if functions is None or is_inside_part.get():
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
        functions = thread_functions()
        if functions is not None and self._single:
            functions[1](self._configured)
            self._single = False

    def after_fork(self) -> None:
        """Reset the state in a forked process, which lacks the other threads of its parent."""
        self._restore()
        self._reset()


BLAS_THREADS = BlasThreads()


def set_blas_threads(n: int) -> None:
    """Let NumPy's BLAS use ``n`` threads for matmuls; wait until running calls have ended.

    DeZero's own thread count is then ``n`` too, unless `set_num_threads` or the environment
    variable ``DEZERO_NUM_THREADS`` sets another count. Processes that split the cores of a machine
    therefore need only this call. The last bits of results depend on the number of threads.

    Args:
        n: the number of threads, at least 1.

    Raises:
        ArgumentError: ``n`` is less than 1, or more than the BLAS was built for.
        ArgumentTypeError: ``n`` is not an integer.
        MissingPackage: NumPy's BLAS is not OpenBLAS but, for example, Accelerate or MKL.
    """
    BLAS_THREADS.configure(as_integer("set_blas_threads", "n", n, minimum=1))


def blas_name() -> str:
    """Return the name of the BLAS that NumPy was built with."""
    found: Any = np.show_config(mode="dicts")
    return str(found["Build Dependencies"]["blas"]["name"])


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=BLAS_THREADS.after_fork)
