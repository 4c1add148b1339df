"""Define the array type, with NumPy's memory and CuPy's methods and rules."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from . import cuda, differences, graphs, launches

_names = json.loads((Path(__file__).parent / "names.json").read_text())
_methods = {name for name in _names["ndarray"] if not name.startswith("_")}
_counts: Counter[str] = Counter()


class _MemoryPointer:
    def __init__(self, ptr: int) -> None:
        self.ptr = ptr


class ndarray:
    """An array on a pretended device."""

    __module__ = "cupy"
    __array_priority__ = 100
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, host: np.ndarray[Any, Any]) -> None:
        self._host = host
        self.device = cuda.Device()

    def __getattr__(self, name: str) -> Any:
        if name not in _methods:
            raise AttributeError(f"cupy.ndarray has no attribute {name!r}")
        value = getattr(self._host, name)
        if not callable(value):
            with self.device:
                return wrapped(value)
        is_different = name in differences.METHODS
        method = getattr(differences, name) if is_different else methodcaller_of(name)
        return _launcher(name, method, owner=self)

    def __array__(self, *arguments: Any, **keywords: Any) -> Any:
        raise TypeError(
            "Implicit conversion to a NumPy array is not allowed. "
            "Please use `.get()` to construct a NumPy array explicitly."
        )

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **keywords: Any) -> Any:
        if method != "__call__" or ufunc.__name__ not in _names["cupy"]:
            return NotImplemented
        return function(ufunc.__name__)(*inputs, **keywords)

    def __array_function__(self, call: Any, types: Any, arguments: Any, keywords: Any) -> Any:
        import cupy

        module = cupy.linalg if call.__module__ == "numpy.linalg" else cupy
        ours = getattr(module, call.__name__, None)
        return NotImplemented if ours is None else ours(*arguments, **keywords)

    def __dlpack_device__(self) -> tuple[int, int]:
        return 2, self.device.id  # 2: the DLPack number of CUDA

    @property
    def dtype(self) -> Any:
        return self._host.dtype

    @property
    def shape(self) -> tuple[int, ...]:
        return self._host.shape

    @shape.setter
    def shape(self, shape: Any) -> None:
        self._host = self._host.reshape(shape)

    @property
    def base(self) -> Any:
        with self.device:
            return None if self._host.base is None else ndarray(self._host.base)

    @property
    def data(self) -> _MemoryPointer:
        return _MemoryPointer(self._host.ctypes.data)

    def get(self) -> np.ndarray[Any, Any]:
        graphs.refuse_copy("D2H")
        _counts["to_host"] += 1
        return self._host.copy()

    def set(self, host: np.ndarray[Any, Any]) -> None:
        graphs.refuse_copy("H2D")
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
        parts = host_parts(key)
        if any(isinstance(k, np.ndarray) for k in parts):
            if any(isinstance(k, np.ndarray) and k.dtype == bool for k in parts):
                graphs.refuse_copy("D2H")
            part = graphs.compute("getitem", gathered, [self._host, *parts], {})
            _counts["launches"] += 1
        else:
            open_index = parts if any(k is Ellipsis for k in parts) else (*parts, ...)
            part = self._host[open_index]  # a view, also where NumPy has a scalar
        with self.device:
            return wrapped(part)

    def __setitem__(self, key: Any, value: Any) -> None:
        require_here(self)
        if isinstance(value, ndarray) and value.base is not None and self._is_part(key, value):
            return  # x[key] += 1 assigns a part of x to itself, which CuPy skips
        _counts["launches"] += 1
        graphs.launch(assigned, self._host, unwrapped(value), *host_parts(key))

    def _is_part(self, key: Any, value: ndarray) -> bool:
        """Return whether ``value`` is the view ``self[key]``."""
        parts = host_parts(key)
        if any(isinstance(part, np.ndarray) for part in parts):
            return False
        x, y = self._host[parts], value._host
        return isinstance(x, np.ndarray) and (
            (x.ctypes.data, x.shape, x.strides) == (y.ctypes.data, y.shape, y.strides)
        )


OPERATORS = {
    "add": "add", "sub": "subtract", "mul": "multiply", "truediv": "true_divide",
    "floordiv": "floor_divide", "mod": "remainder", "divmod": "divmod", "pow": "power",
    "matmul": "matmul", "neg": "negative", "pos": "positive", "abs": "absolute",
    "invert": "invert", "and": "bitwise_and", "or": "bitwise_or", "xor": "bitwise_xor",
    "lshift": "left_shift", "rshift": "right_shift", "lt": "less", "le": "less_equal",
    "gt": "greater", "ge": "greater_equal", "eq": "equal", "ne": "not_equal",
}  # fmt: skip
"""The ufunc that each operator calls."""


def _operator(ufunc: str, reflected: bool = False, in_place: bool = False) -> Any:
    def operate(self: ndarray, *others: Any) -> Any:
        for other in others:
            if getattr(other, "__array_ufunc__", 0) is None:
                return NotImplemented  # as CuPy: Python then tries the other's reflected operator
        arguments = (*others, self) if reflected else (self, *others)
        if in_place:
            function(ufunc)(*arguments, out=self)
            return self
        return function(ufunc)(*arguments)

    return operate


for _name, _ufunc in OPERATORS.items():
    for _prefix in ("", "r", "i"):
        if f"__{_prefix}{_name}__" in _names["ndarray"]:
            _method = _operator(_ufunc, reflected=_prefix == "r", in_place=_prefix == "i")
            setattr(ndarray, f"__{_prefix}{_name}__", _method)


def require_here(array: ndarray) -> None:
    """Raise what CuPy raises where one device cannot see the memory of another."""
    if array.device != cuda.Device():
        raise RuntimeError(
            "Array device must be same as the current device: "
            f"array device = {array.device.id} while current = {cuda.Device().id}"
        )


ARRAYS = (np.ndarray, np.generic)


def wrapped(value: Any) -> Any:
    """Convert NumPy arrays and scalars to stand-in arrays; CuPy has 0-d arrays for scalars."""
    if isinstance(value, ARRAYS):
        return ndarray(np.asarray(value))
    if isinstance(value, list | tuple) and any(isinstance(v, ARRAYS) for v in value):
        parts = [wrapped(v) for v in value]
        return parts if isinstance(value, list) else tuple(parts)
    return value


def unwrapped(value: Any) -> Any:
    """Return the host memory of stand-in arrays; NumPy arrays are refused."""
    if isinstance(value, ndarray):
        require_here(value)
        return value._host
    if isinstance(value, np.ndarray):
        raise TypeError(f"Unsupported type {type(value)}")
    if isinstance(value, list | tuple):
        return type(value)(unwrapped(v) for v in value)
    return value


def methodcaller_of(name: str) -> Any:
    """Return a function that calls the method ``name`` of its first argument."""
    return lambda x, *arguments, **keywords: getattr(x, name)(*arguments, **keywords)


def gathered(x: Any, *parts: Any) -> Any:
    """Return a copy of the elements that an index with arrays selects."""
    return np.asarray(x[host_index(parts, x.shape)], order="C")


def assigned(x: Any, value: Any, *parts: Any) -> None:
    """Write to the elements that an index selects."""
    x[host_index(parts, x.shape)] = value


def host_parts(key: Any) -> tuple[Any, ...]:
    """Return an index for NumPy's arrays, as a tuple."""
    return tuple(_host_part(part) for part in (key if isinstance(key, tuple) else (key,)))


def host_index(key: tuple[Any, ...], shape: tuple[int, ...]) -> tuple[Any, ...]:
    """Return ``key`` for NumPy. Integers of index arrays wrap around, as on the device."""
    parts = list(key)
    axis, unnamed = 0, len(shape) - sum(map(_axes_of, parts))
    for number, part in enumerate(parts):
        if isinstance(part, np.ndarray) and part.dtype.kind in "iu" and axis < len(shape):
            parts[number] = np.asarray(part % max(shape[axis], 1))
        axis += unnamed if part is Ellipsis else _axes_of(part)
    return tuple(parts)


def _host_part(part: Any) -> Any:
    """Return one part of an index for NumPy; lists and NumPy's arrays are copied to the device."""
    if isinstance(part, ndarray):
        return unwrapped(part)
    if isinstance(part, list | np.ndarray):
        graphs.refuse_copy("H2D")
        _counts["from_host"] += 1
        host = np.asarray(part)
        return host if host.size else host.astype(int)
    return part


def _axes_of(part: Any) -> int:
    """Return how many axes one part of an index consumes."""
    if part is None or part is Ellipsis or isinstance(part, bool | np.bool):
        return 0
    return part.ndim if isinstance(part, np.ndarray) and part.dtype == bool else 1


def function(name: str) -> Any:
    """Return the function ``name`` of the module, which takes and returns stand-in arrays."""
    original = getattr(np, name)
    call = _launcher(name, getattr(differences, name, original))
    if isinstance(original, np.ufunc):
        call.at = partial(_scatter, original)
    return call


def _launcher(name: str, host: Callable[..., Any], owner: ndarray | None = None) -> Any:
    """Wrap ``host``, a function of NumPy arrays, as a function or method of stand-in arrays."""
    allowed = _names["cupy"].get(name)
    is_elementwise = isinstance(getattr(np, name, None), np.ufunc) or name in ELEMENTWISE

    def call(*arguments: Any, **keywords: Any) -> Any:
        if owner is not None and name not in launches.FREE:
            require_here(owner)
        unknown = set(keywords) - set(allowed or keywords)
        if unknown:
            raise TypeError(f"{name}() got an unexpected keyword argument {unknown.pop()!r}")
        values = [unwrapped(a) for a in arguments]
        if owner is not None:
            values = [owner._host, *values]
        host_keywords = {k: unwrapped(v) for k, v in keywords.items()}
        if launches.copies_pointers(name, values):
            graphs.refuse_copy("H2D")
        is_ordered = is_elementwise and "out" not in keywords
        body = c_ordered_result_of(host) if is_ordered else host
        try:
            result = graphs.compute(name, body, values, host_keywords)
        except TypeError as error:  # NumPy has its own subclasses of TypeError
            raise TypeError(str(error)) from error
        if name in ("empty", "empty_like"):
            graphs.fill_with_nan(result)  # new memory of a device is not set to 0
        _counts.update(launches.count(name, values, result))
        return wrapped(result)

    call.__name__ = name
    return call


ELEMENTWISE = {"where", "clip", "sort", "round", "isclose"}
"""Functions that are not NumPy ufuncs, but also return results in C order."""


def c_ordered_result_of(host: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that returns the results of ``host`` in C order."""
    return lambda *values, **keywords: c_ordered(host(*values, **keywords))


def c_ordered(value: Any) -> Any:
    """Return a result in C order, as CuPy's kernels write it; NumPy follows the inputs' order."""
    if isinstance(value, tuple):
        return tuple(map(c_ordered, value))
    return np.asarray(value, order="C") if isinstance(value, np.ndarray) else value


def _scatter(ufunc: np.ufunc, a: ndarray, indices: Any, b: ndarray) -> None:
    if ufunc.__name__ not in ("add", "maximum", "minimum"):
        raise TypeError(f"{ufunc.__name__}.at is not supported for {a.dtype}")
    _counts["launches"] += 1

    def scatter(x: Any, values: Any, *parts: Any) -> None:
        ufunc.at(x, host_index(parts, x.shape), values)

    graphs.launch(scatter, a._host, unwrapped(b), *host_parts(indices))
