"""A strict stand-in for CuPy 14, for tests on machines without a GPU.

The elements of its arrays are in host memory. An array is not a NumPy array, refuses to be
converted to one, and refuses to compute with one. It has CuPy's methods and no others, and
belongs to a device, which must be the current device when a function computes with the array. The
module has the names in names.json, which lists the names of the real wheel, and no others;
functions take the keyword arguments of the real functions. tests/test_cupy_facts.py compares the
results with those of a real CuPy.

`array` has the array type; `differences` has the functions whose results differ from NumPy's.
``_counts`` counts the kernels that would be launched, and the copies to and from the host.
"""

from __future__ import annotations

from functools import partial
from importlib import import_module
from inspect import signature
from typing import Any

import numpy as np

from . import array as _array
from . import graphs, signatures
from .array import _counts, _names, ndarray

__version__ = _names["version"]


def asarray(a: Any, dtype: Any = None, order: Any = None, *, copy: Any = None) -> ndarray:
    if isinstance(a, ndarray):
        return a if dtype is None or a.dtype == dtype else a.astype(dtype)
    if not isinstance(a, bool | int | float | complex | np.generic):
        graphs.refuse_copy("H2D")
    _counts["from_host"] += 1
    host = np.array(a, dtype=dtype)
    graphs.keep(host)
    return ndarray(host)


def array(a: Any, dtype: Any = None) -> ndarray:
    if not isinstance(a, ndarray):
        return asarray(a, dtype)
    _counts["launches"] += 1
    return ndarray(graphs.compute("array", np.array, [a._host, dtype], {}))


def asnumpy(a: Any) -> np.ndarray[Any, Any]:
    return a.get() if isinstance(a, ndarray) else np.asarray(a)


def ascontiguousarray(a: ndarray, dtype: Any = None) -> ndarray:
    _counts["launches"] += not a._host.flags.c_contiguous
    return ndarray(graphs.compute("ascontiguousarray", np.ascontiguousarray, [a._host, dtype], {}))


def from_dlpack(array: Any, *, device: Any = None, copy: Any = None) -> ndarray:
    return ndarray(array._host)


def get_array_module(*arguments: Any) -> Any:
    import cupy

    return cupy if any(isinstance(a, ndarray) for a in arguments) else np


class RawModule:
    """CUDA source whose functions are looked up in `kernels` instead of being compiled."""

    def __init__(self, *, code: str, options: tuple[str, ...] = ()) -> None:
        self.code = code

    def get_function(self, name: str) -> Any:
        assert f"KERNEL {name}(" in self.code, f"no kernel {name} in the source"
        body = import_module("cupy.kernels").body(name)
        if "dtype" in signature(body).parameters:  # no argument determines the dtype
            is_double = self.code.startswith("#define SCALAR double")
            body = partial(body, dtype=np.float64 if is_double else np.float32)

        types = signatures.of_kernel(self.code, name)

        def run(grid: tuple[int, ...], block: tuple[int, ...], arguments: tuple[Any, ...]) -> None:
            _counts["launches"] += 1
            signatures.require(name, types, arguments)
            signatures.require_sizes(grid, block)
            values = [by_value(a) for a in arguments]
            graphs.launch(body, *values)

        return run


def by_value(argument: Any) -> Any:
    """Return the memory of an array, and the value of a number or of a struct (an array (1,))."""
    if isinstance(argument, np.ndarray):
        return argument.copy()[0]
    return _array.unwrapped(argument) if isinstance(argument, ndarray) else argument


class _Pool(graphs.MemoryPool):
    """Allocate memory outside of `using_allocator`; only calls of `malloc` are recorded."""

    def used_bytes(self) -> int:
        return 3 << 20

    def free_bytes(self) -> int:
        return 1 << 20

    def free_all_blocks(self) -> None:
        super().free_all_blocks()
        _counts["pools emptied"] += 1


_pool = _Pool()


def get_default_memory_pool() -> _Pool:
    return _pool


def get_default_pinned_memory_pool() -> _Pool:
    return _Pool()


class lib:
    class stride_tricks:
        @staticmethod
        def as_strided(x: ndarray, shape: Any = None, strides: Any = None) -> ndarray:
            return ndarray(np.lib.stride_tricks.as_strided(x._host, shape, strides))


def __getattr__(name: str) -> Any:
    if name not in _names["cupy"]:
        raise AttributeError(f"module 'cupy' has no attribute {name!r}")
    value = getattr(np, name)
    if isinstance(value, type) or not callable(value):
        return value
    return _array.function(name)


# `from . import random` would get NumPy's module through __getattr__.
cuda = import_module("cupy.cuda")
random = import_module("cupy.random")
linalg = import_module("cupy.linalg")
