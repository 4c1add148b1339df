"""A strict stand-in for CuPy 14, for tests on machines without a GPU.

Its arrays live in host memory but behave as if they did not: they are no NumPy arrays, refuse
to become some or to compute with some, have CuPy's methods and no others, and live on a
device, which must be the current one when they are computed with. The module has
the names in names.json, which was listed from the real wheel, and no others; functions take
the keyword arguments of the real ones. Python scalars are taken by operators only. ``counts``
says how many kernels would have been launched and how often data crossed to or from the host.
"""

from __future__ import annotations

import json
from collections import Counter
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

_names = json.loads((Path(__file__).parent / "names.json").read_text())
_methods = {name for name in _names["ndarray"] if not name.startswith("_")}
__version__ = _names["version"]
_counts: Counter[str] = Counter()


class _MemoryPointer:
    def __init__(self, ptr: int) -> None:
        self.ptr = ptr


class ndarray:
    """An array on a pretended device."""

    __array_priority__ = 100
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, host: np.ndarray[Any, Any]) -> None:
        self._host = host
        self.device = cuda.Device()

    def __getattr__(self, name: str) -> Any:
        if name not in _methods:
            raise AttributeError(f"cupy.ndarray has no attribute {name!r}")
        value = getattr(self._host, name)
        if callable(value):
            return _function(name, value, owner=self)
        with self.device:
            return _wrapped(value)

    def __array__(self, *arguments: Any, **keywords: Any) -> Any:
        raise TypeError(
            "Implicit conversion to a NumPy array is not allowed. "
            "Please use `.get()` to construct a NumPy array explicitly."
        )

    @property
    def dtype(self) -> Any:
        return self._host.dtype

    @property
    def shape(self) -> tuple[int, ...]:
        return self._host.shape

    @property
    def base(self) -> Any:
        with self.device:
            return None if self._host.base is None else ndarray(self._host.base)

    @property
    def data(self) -> _MemoryPointer:
        return _MemoryPointer(self._host.ctypes.data)

    def get(self) -> np.ndarray[Any, Any]:
        _counts["to_host"] += 1
        return self._host.copy()

    def set(self, host: np.ndarray[Any, Any]) -> None:
        _counts["from_host"] += 1
        self._host[...] = host

    def item(self) -> Any:
        return self.get().item()

    def __bool__(self) -> bool:
        return bool(self.get())

    def __int__(self) -> int:
        return int(self.get())

    def __float__(self) -> float:
        return float(self.get())

    def __complex__(self) -> complex:
        return complex(self.get())

    def __len__(self) -> int:
        return len(self._host)

    def __repr__(self) -> str:
        return repr(self.get())

    def __str__(self) -> str:
        return str(self.get())

    def __getitem__(self, key: Any) -> Any:
        index = _unwrapped(key)
        index = index if isinstance(index, tuple) else (index,)
        part = self._host[index]
        if isinstance(part, np.generic) and Ellipsis not in index:
            part = self._host[(*index, ...)]  # a view without axes, where NumPy has a scalar
        with self.device:
            return _wrapped(part)

    def __setitem__(self, key: Any, value: Any) -> None:
        _counts["launches"] += 1
        _require_here(self)
        self._host[_unwrapped(key)] = _unwrapped(value, scalars=True)


def _operator(name: str) -> Any:
    def operate(self: ndarray, *others: Any) -> Any:
        for other in others:
            if getattr(other, "__array_ufunc__", 0) is None:
                return NotImplemented  # as CuPy: the other's reflected operator is asked
        _counts["launches"] += 1
        _require_here(self)
        values = [_unwrapped(other, scalars=True) for other in others]
        result = getattr(self._host, name)(*values)
        return self if result is self._host else _wrapped(result)  # in place, or a new array

    return operate


# Those of CuPy's operators that numpy.ndarray computes.
_OPERATORS = """
    add radd sub rsub mul rmul truediv rtruediv floordiv rfloordiv mod rmod pow rpow matmul rmatmul
    neg pos abs invert and rand or ror xor rxor lshift rshift lt le gt ge eq ne
    iadd isub imul itruediv ifloordiv imod ipow iand ior ixor
""".split()
for _name in _names["ndarray"]:
    if _name.strip("_") in _OPERATORS:
        setattr(ndarray, _name, _operator(_name))


def _wrapped(value: Any) -> Any:
    """NumPy's arrays and scalars as ours: CuPy has 0-d arrays where NumPy has scalars."""
    if isinstance(value, np.ndarray | np.generic):
        return ndarray(np.asarray(value))
    if isinstance(value, list | tuple) and any(isinstance(v, np.ndarray) for v in value):
        return type(value)(_wrapped(v) for v in value)
    return value


def _require_here(array: ndarray) -> None:
    """What CuPy says where one device cannot see the memory of another."""
    if array.device != cuda.Device():
        raise RuntimeError(
            "Array device must be same as the current device: "
            f"array device = {array.device.id} while current = {cuda.Device().id}"
        )


def _unwrapped(value: Any, scalars: bool = False) -> Any:
    if isinstance(value, ndarray):
        _require_here(value)
        return value._host
    if isinstance(value, np.ndarray):
        raise TypeError(f"Unsupported type {type(value)}")
    if isinstance(value, list | tuple):
        return type(value)(_unwrapped(v) for v in value)
    return value


def _function(name: str, function: Any, owner: ndarray | None = None) -> Any:
    """A function of the module, or a method of ``owner``."""
    allowed = _names["cupy"].get(name)

    def call(*arguments: Any, **keywords: Any) -> Any:
        if owner is not None and name not in _FREE:
            _require_here(owner)
        unknown = set(keywords) - set(allowed or keywords)
        if unknown:
            raise TypeError(f"{name}() got an unexpected keyword argument {unknown.pop()!r}")
        if name in _WANT_ARRAYS and any(isinstance(a, int | float) for a in arguments):
            raise TypeError(f"{name}: scalars are for operators here; make an array of it")
        _counts["launches"] += name not in _FREE
        values = [_unwrapped(a) for a in arguments]
        return _wrapped(function(*values, **{k: _unwrapped(v) for k, v in keywords.items()}))

    call.__name__ = name
    return call


_WANT_ARRAYS = {"maximum", "minimum", "where", "exp", "log", "sin", "cos", "tanh", "sqrt"}
_FREE = {"reshape", "permute_dims", "broadcast_to", "expand_dims", "squeeze", "transpose"} | {
    "empty",
    "result_type",
    "isdtype",
    "ravel",
    "swapaxes",
}


def asarray(a: Any, dtype: Any = None, order: Any = None, *, copy: Any = None) -> ndarray:
    if isinstance(a, ndarray):
        return ndarray(a._host.astype(dtype, copy=False)) if dtype else a
    _counts["from_host"] += 1
    return ndarray(np.array(a, dtype=dtype))


def array(a: Any, dtype: Any = None) -> ndarray:
    return ndarray(np.array(a._host, dtype)) if isinstance(a, ndarray) else asarray(a, dtype)


def asnumpy(a: Any) -> np.ndarray[Any, Any]:
    return a.get() if isinstance(a, ndarray) else np.asarray(a)


class RawModule:
    """CUDA source whose functions are looked up in kernels.py instead of being compiled."""

    def __init__(self, *, code: str) -> None:
        self.code = code

    def get_function(self, name: str) -> Any:
        assert f"KERNEL {name}(" in self.code, f"no kernel {name} in the source"
        body = getattr(import_module("cupy.kernels"), name)

        def run(grid: tuple[int, ...], block: tuple[int, ...], arguments: tuple[Any, ...]) -> None:
            _counts["launches"] += 1
            body(*[_unwrapped(a) if isinstance(a, ndarray) else a for a in arguments])

        return run


def ascontiguousarray(a: ndarray, dtype: Any = None) -> ndarray:
    _counts["launches"] += not a._host.flags.c_contiguous
    return ndarray(np.ascontiguousarray(a._host, dtype).reshape(a.shape))


def from_dlpack(array: Any, *, device: Any = None, copy: Any = None) -> ndarray:
    return ndarray(array._host)


class _Pool:
    """A pool that never keeps anything."""

    def used_bytes(self) -> int:
        return 3 << 20

    def free_bytes(self) -> int:
        return 1 << 20

    def free_all_blocks(self) -> None:
        _counts["pools emptied"] += 1


def get_default_memory_pool() -> _Pool:
    return _Pool()


def get_default_pinned_memory_pool() -> _Pool:
    return _Pool()


def get_array_module(*arguments: Any) -> Any:
    import cupy

    return cupy if any(isinstance(a, ndarray) for a in arguments) else np


class _Add:
    """The ufunc ``add``, and its method that adds at places named several times."""

    def __call__(self, *arguments: Any) -> Any:
        return _function("add", np.add)(*arguments)

    @staticmethod
    def at(a: ndarray, indices: Any, b: ndarray) -> None:
        _counts["launches"] += 1
        np.add.at(a._host, _unwrapped(indices), b._host)


class _Lib:
    class stride_tricks:
        @staticmethod
        def as_strided(x: ndarray, shape: Any = None, strides: Any = None) -> ndarray:
            return ndarray(np.lib.stride_tricks.as_strided(x._host, shape, strides))


add, lib = _Add(), _Lib()


def __getattr__(name: str) -> Any:
    if name not in _names["cupy"]:
        raise AttributeError(f"module 'cupy' has no attribute {name!r}")
    value = getattr(np, name)
    if isinstance(value, type) or not callable(value):
        return value
    return _function(name, value)


# They need ndarray; `from . import random` would find NumPy's through __getattr__.
cuda = import_module("cupy.cuda")
random = import_module("cupy.random")
