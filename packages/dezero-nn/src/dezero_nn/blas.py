"""Find NumPy's OpenBLAS, and set how many threads it uses.

OpenBLAS has one thread count for the whole process. `BlasThreads` changes it only while no running
call depends on the other value, so the bits of a result never depend on what other threads of the
program compute.
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

PREFIXES = ("scipy_openblas_{}64_", "openblas_{}64_", "openblas_{}")
"""Name patterns of OpenBLAS's functions, in NumPy's wheels and elsewhere."""

is_inside_part: ContextVar[bool] = ContextVar("is_inside_part", default=False)
"""True while this context runs a part of a `parallel_for`, which holds BLAS at one thread."""


@cache
def blas_library() -> ctypes.CDLL:
    """Load the NumPy module that is linked to its BLAS."""
    return ctypes.CDLL(import_module("numpy._core._multiarray_umath").__file__)


@cache
def thread_functions() -> tuple[Callable[[], int], Callable[[int], None]] | None:
    """Return the functions that read and set OpenBLAS's thread count; None for another BLAS."""
    library = blas_library()
    for prefix in PREFIXES:
        try:
            read, write = (library[prefix.format(f"{verb}_num_threads")] for verb in ("get", "set"))
        except AttributeError:
            continue
        return read, write
    return None


class BlasThreads:
    """Set the thread count of BLAS, one number for the whole process, as calls need it.

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
        """Return the thread count of BLAS when no call needs one thread; 1 if it is unknown."""
        functions = thread_functions()
        if functions is None:
            return 1
        with self._lock:
            return self._configured if self._calls and self._single else functions[0]()

    @contextmanager
    def using(self, single: bool) -> Iterator[None]:
        """Run the block while BLAS has one thread, or, if not ``single``, the configured number.

        It changes nothing inside a part of `parallel_for`, or if the count cannot be set.
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
        """Forget the calls of the parent's threads, in a forked child."""
        self._restore()
        self._reset()


BLAS_THREADS = BlasThreads()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=BLAS_THREADS.after_fork)
