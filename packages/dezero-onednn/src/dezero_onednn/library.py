"""oneDNN's C interface: where the library is, its errors as exceptions, one thread a call.

oneDNN comes as a shared library with a C interface of opaque handles. Everything that touches it
goes through `call`, and the handles through `Handle`, which gives them back when it is forgotten.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from ctypes import byref, c_char, c_float, c_int, c_int64, c_size_t, c_void_p
from ctypes.util import find_library
from importlib.metadata import PackageNotFoundError, files
from typing import Any

from dezero_core.errors import PluginError
from dezero_core.extend import once

CPU = 1
WHEEL = "onednn-cpu-gomp"
ERRORS = {
    1: "out of memory",
    2: "invalid arguments",
    3: "not implemented for these shapes",
    4: "last implementation reached",
    5: "runtime error",
    6: "not required",
}
SYMBOLS = ("dnnl_sgemm", "dnnl_memory_desc_create_with_strides", "omp_set_num_threads")
"""What shows that a library is oneDNN 3, and computes by OpenMP."""


@once
def path() -> str:
    """Of the library: DEZERO_ONEDNN, else that of the wheel, else the system's.

    Raises:
        PluginError: there is none.
    """
    found = os.environ.get("DEZERO_ONEDNN") or in_wheel() or find_library("dnnl")
    if found is None:
        raise PluginError(
            f"oneDNN's library was not found, neither in a distribution {WHEEL} nor the system's: "
            f"pip install {WHEEL}, or give its path in DEZERO_ONEDNN"
        )
    return found


def in_wheel() -> str | None:
    """Where the wheel has put it."""
    with suppress(PackageNotFoundError):
        for file in files(WHEEL) or ():
            if file.name == "libdnnl.so.3":
                return str(file.locate())
    return None


@once
def library() -> ctypes.PyDLL:
    """oneDNN, for all but computing: what takes a microsecond keeps Python's lock.

    Threads would wait for it longer than for that.

    Raises:
        PluginError: it cannot be loaded, it is not version 3, or not built for OpenMP.
    """
    try:
        found = ctypes.PyDLL(path())
    except OSError as error:
        raise PluginError(f"oneDNN could not be loaded: {error}") from error
    for symbol in SYMBOLS:
        if not hasattr(found, symbol):
            raise PluginError(f"{path()} has no {symbol}: expected oneDNN 3 built for OpenMP")
    found.dnnl_memory_desc_get_size.restype = c_size_t
    found.dnnl_primitive_desc_query_md.restype = c_void_p
    found.dnnl_memory_set_data_handle.argtypes = (c_void_p, c_void_p)
    return found


@once
def computing() -> ctypes.CDLL:
    """The same, for the two functions that compute: they let go of Python's lock."""
    found = ctypes.CDLL(path())
    found.dnnl_primitive_execute.argtypes = (c_void_p, c_void_p, c_int, c_void_p)
    size, matrix = c_int64, (c_void_p, c_int64)
    sizes = c_char, c_char, size, size, size
    found.dnnl_sgemm.argtypes = (*sizes, c_float, *matrix, *matrix, c_float, *matrix)
    return found


def call(name: str, *arguments: Any) -> None:
    """Call a function of oneDNN by its name without ``dnnl_``.

    Raises:
        RuntimeError: it failed.
    """
    require_success(name, getattr(library(), f"dnnl_{name}")(*arguments))


def require_success(name: str, status: int) -> None:
    """Raise what a status other than 0 means."""
    if status != 0:
        raise RuntimeError(f"oneDNN: {name}: {ERRORS.get(status, f'status {status}')}")


class Handle:
    """An object of oneDNN's, destroyed with this one.

    Args:
        kind: what it is, as in ``dnnl_<kind>_destroy``.
        create: the function that creates it, without ``dnnl_``.
        arguments: what that takes after the place for the handle.
    """

    def __init__(self, kind: str, create: str, *arguments: Any) -> None:
        self.kind, self.pointer = kind, c_void_p()
        call(create, byref(self.pointer), *arguments)

    @property
    def _as_parameter_(self) -> c_void_p:  # what ctypes passes for this object
        return self.pointer

    def __del__(self) -> None:
        if self.pointer:
            getattr(library(), f"dnnl_{self.kind}_destroy")(self.pointer)


@once
def engine() -> Handle:
    """The processor; one for all threads, since what is made with it must not outlive it."""
    return Handle("engine", "engine_create", c_int(CPU), c_size_t(0))


@contextmanager
def one_thread() -> Iterator[None]:
    """Let oneDNN, called from this thread in this block, use no other.

    OpenMP has that number for each thread by itself: nobody else's changes. DeZero's own threads
    share the images out, as they do for its other kernels.
    """
    found = library()
    before = found.omp_get_max_threads()
    if before == 1:
        yield
        return
    found.omp_set_num_threads(1)
    try:
        yield
    finally:
        found.omp_set_num_threads(before)
