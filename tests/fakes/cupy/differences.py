"""Functions of NumPy arrays whose results in CuPy differ from NumPy's, under NumPy's names."""

from __future__ import annotations

from typing import Any

import numpy as np

METHODS = ("argmax", "argmin", "take")
"""The functions that are also methods of arrays."""


def _is_number(x: Any) -> bool:
    return isinstance(x, bool | int | float | complex)


def _over_axes(reduce: Any, a: Any, axis: Any, keepdims: bool) -> Any:
    """Reduce several axes at once: the index counts along them in C order."""
    if not isinstance(axis, tuple):
        return reduce(a, axis=axis, keepdims=keepdims)
    last = np.moveaxis(a, axis, range(-len(axis), 0))
    result = reduce(last.reshape(*last.shape[: -len(axis)], -1), axis=-1)
    return np.expand_dims(result, axis) if keepdims else result


def argmax(a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: bool = False):
    return _over_axes(np.argmax, a, axis, keepdims)


def argmin(a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: bool = False):
    return _over_axes(np.argmin, a, axis, keepdims)


def sign(x: Any, **keywords: Any) -> Any:
    is_bool = isinstance(x, np.ndarray) and x.dtype.kind == "b"
    return x.astype(np.int8) if is_bool else np.sign(x, **keywords)


def ceil(x: Any, **keywords: Any) -> Any:
    return _unless_integer(np.ceil, x, keywords)


def floor(x: Any, **keywords: Any) -> Any:
    return _unless_integer(np.floor, x, keywords)


def _unless_integer(ufunc: Any, x: Any, keywords: dict[str, Any]) -> Any:
    """Return integers and bools unchanged, as NumPy does since 2.1."""
    return ufunc(x, **keywords) if x.dtype.kind not in "iub" else x.copy()


def nonzero(a: Any) -> Any:
    if a.ndim == 0:
        raise ValueError("nonzero: an array without axes; use atleast_1d")  # NumPy since 2.1
    return np.nonzero(a)


def count_nonzero(a: Any, axis: Any = None) -> Any:
    return np.asarray(np.count_nonzero(a, axis))


def reciprocal(x: Any, **keywords: Any) -> Any:
    """Return 0 for the integer 0, which NumPy leaves undefined."""
    y = np.reciprocal(x, **keywords)
    return np.where(x == 0, 0, y).astype(y.dtype) if y.dtype.kind in "iu" else y


def remainder(x: Any, y: Any, **keywords: Any) -> Any:
    _refuse_complex("remainder", x, y)
    result = np.remainder(x, y, **keywords)
    if result.dtype.kind == "f":
        result += np.zeros((), result.dtype)  # -0.0 becomes 0.0
    return result


def floor_divide(x: Any, y: Any, **keywords: Any) -> Any:
    _refuse_complex("floor_divide", x, y)
    return np.floor_divide(x, y, **keywords)


def _refuse_complex(name: str, *values: Any) -> None:
    if any(map(np.iscomplexobj, values)):
        raise ValueError(f"{name} is not defined for complex numbers")


def matmul(x: Any, y: Any, **keywords: Any) -> Any:
    if _is_number(x) or _is_number(y):
        raise TypeError(f"matmul: unsupported type {type(x if _is_number(x) else y)}")
    return np.matmul(x, y, **keywords)


def take(a: Any, indices: Any, axis: Any = None, out: Any = None) -> Any:
    return np.take(a, indices, axis, out, mode="wrap")


def take_along_axis(a: Any, indices: Any, axis: Any) -> Any:
    try:
        return np.take_along_axis(a, indices, axis)
    except IndexError as error:
        raise ValueError(str(error)) from error


def concatenate(arrays: Any, **keywords: Any) -> Any:
    if any(a.ndim == 0 for a in arrays):
        raise TypeError("zero-dimensional arrays cannot be concatenated")
    return np.concatenate(arrays, **keywords)


def concat(arrays: Any, **keywords: Any) -> Any:
    return concatenate(arrays, **keywords)


def flip(a: Any, axis: Any = None) -> Any:
    return np.flip(a, axis) if a.ndim else a[...]


def array_equal(a1: Any, a2: Any, equal_nan: bool = False) -> Any:
    return np.asarray(np.array_equal(a1, a2, equal_nan))


def allclose(a: Any, b: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False):
    return np.asarray(np.allclose(a, b, rtol, atol, equal_nan))


def einsum(subscripts: str, *operands: Any, **keywords: Any) -> Any:
    """Lay out a matmul as CuPy does: axes of both, of the second, of the first; then transpose."""
    result = np.einsum(subscripts, *operands, **keywords)
    terms, _, out = subscripts.replace(" ", "").partition("->")
    if len(operands) != 2 or not out.isalpha():
        return result
    first, second = terms.split(",")
    both, second_only, first_only = 0, 1, 2
    place = {k: second_only if k not in first else first_only for k in out}
    place |= dict.fromkeys(set(first) & set(second) & set(out), both)
    axes = sorted(range(len(out)), key=lambda axis: place[out[axis]])
    return np.ascontiguousarray(result.transpose(axes)).transpose(np.argsort(axes))
