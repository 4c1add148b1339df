"""Load oneDNN, raise its errors as exceptions, and limit it to one thread.

oneDNN is a shared library with a C interface of opaque handles. `call` calls the functions of
oneDNN, except the functions that every op runs. A `Handle` owns a oneDNN object, and destroys the
object when Python frees the handle.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from ctypes import byref, c_int, c_size_t, c_void_p
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
SYMBOLS = ("dnnl_memory_desc_create_with_strides", "omp_set_num_threads")
"""A function added in oneDNN 3, and a function that only OpenMP builds contain."""


@once
def path() -> str:
    """Return the library's path: DEZERO_ONEDNN, else the wheel's file, else the system's library.

    Raises:
        PluginError: oneDNN was not found.
    """
    found = os.environ.get("DEZERO_ONEDNN") or path_in_wheel() or find_library("dnnl")
    if found is None:
        raise PluginError(
            f"oneDNN was not found, neither in the package {WHEEL} nor on the system: "
            f"pip install {WHEEL}, or set DEZERO_ONEDNN to its path"
        )
    return found


def path_in_wheel() -> str | None:
    """Return the path of the library in the wheel, or None if the wheel is not installed."""
    with suppress(PackageNotFoundError):
        for file in files(WHEEL) or ():
            if file.name == "libdnnl.so.3":
                return str(file.locate())
    return None


@once
def library() -> ctypes.PyDLL:
    """Load oneDNN for calls that hold the GIL.

    Such a call takes about a microsecond; releasing the GIL and getting it back takes longer.

    Raises:
        PluginError: oneDNN cannot be loaded, is not version 3, or was not built for OpenMP.
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
def execute() -> Any:
    """Return oneDNN's function that runs a primitive; the function releases the GIL."""
    function = ctypes.CDLL(path()).dnnl_primitive_execute
    function.argtypes = (c_void_p, c_void_p, c_int, c_void_p)
    return function


def call(name: str, *arguments: Any) -> None:
    """Call oneDNN's function ``dnnl_<name>``.

    Raises:
        RuntimeError: the call failed.
    """
    require_success(name, getattr(library(), f"dnnl_{name}")(*arguments))


def require_success(name: str, status: int) -> None:
    """Raise `RuntimeError` with oneDNN's explanation if the status is not 0."""
    if status != 0:
        raise RuntimeError(f"oneDNN: {name}: {ERRORS.get(status, f'status {status}')}")


class Handle:
    """Own a oneDNN object, and destroy it when Python frees the handle.

    Args:
        kind: the type of the object, as in ``dnnl_<kind>_destroy``.
        create: the name of the function that creates the object, without ``dnnl_``.
        arguments: the arguments of that function, except the first (the handle's address).
    """

    def __init__(self, kind: str, create: str, *arguments: Any) -> None:
        self.pointer = c_void_p()
        self.destroy = getattr(library(), f"dnnl_{kind}_destroy")
        call(create, byref(self.pointer), *arguments)

    @property
    def _as_parameter_(self) -> c_void_p:  # ctypes passes this value for the object
        return self.pointer

    def __del__(self) -> None:
        if self.pointer:
            self.destroy(self.pointer)


@once
def engine() -> Handle:
    """Return the CPU engine, which all threads share, and which outlives all oneDNN objects."""
    return Handle("engine", "engine_create", c_int(CPU), c_size_t(0))


@contextmanager
def one_thread() -> Iterator[None]:
    """Return a context manager in which oneDNN uses only the calling thread.

    OpenMP stores its thread count per thread, so the counts of other threads do not change.
    DeZero's own threads split the batch instead.
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
