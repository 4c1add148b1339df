"""Choose the dtype that an op computes in (docs/adr/0015).

Functions such as ``exp`` and ``mean`` convert integers and booleans to floating point; sums of
float16 and bfloat16 are added in single precision.
"""

from __future__ import annotations

from typing import Any

from ..arguments import Axis
from .interface import Array, ArrayBackend
from .registry import backend_of

HALVES = ("float16", "half", "bfloat16")
"""Names of the floating dtypes of fewer than 32 bits in the supported libraries."""
MOST_DTYPES = 64
"""Maximum size of `_wide`, limited because some libraries create a dtype object per array."""
_wide: dict[int, Any] = {}
"""Floating dtypes of 32 or more bits that were used so far. The key is the ``id`` of the dtype,
because dtypes of different libraries cannot always be compared."""


def is_wide(dtype: object) -> bool:
    """Return whether ``dtype`` is known to be floating point of 32 or more bits."""
    return id(dtype) in _wide


def is_half(dtype: object, backend: ArrayBackend) -> bool:
    """Return whether ``dtype`` is real floating point of fewer than 32 bits."""
    return is_floating(dtype, backend) and dtype_name(dtype) in HALVES


def is_floating(dtype: object, backend: ArrayBackend) -> bool:
    """Return whether ``dtype`` is real floating point."""
    if id(dtype) in _wide:
        return True
    if not backend.xp.isdtype(dtype, "real floating"):
        return False
    if dtype_name(dtype) not in HALVES and len(_wide) < MOST_DTYPES:
        _wide[id(dtype)] = dtype
    return True


def dtype_name(dtype: object) -> str:
    """Return the name of a dtype, such as ``"float32"``.

    Args:
        dtype: a dtype of any library, a scalar type of NumPy, or the name itself.
    """
    name = getattr(dtype, "name", None) or getattr(dtype, "__name__", None) or dtype
    return str(name).rpartition(".")[2]


def default_floating(backend: ArrayBackend) -> Any:
    """Return the dtype to convert integers to: float64, or float32 if the library lacks float64."""
    return backend.dtype("float64" if "float64" in backend.capabilities else "float32")


def to_floating(x: Array) -> Any:
    """Convert integers and booleans to floating point; return other arrays unchanged."""
    dtype = getattr(x, "dtype", None)
    if id(dtype) in _wide:  # `is_wide` inlined, because every call of exp runs it
        return x
    if dtype is None:
        return float(x)
    backend = backend_of(x)
    if is_floating(dtype, backend):
        return x
    return backend.xp.astype(x, default_floating(backend))


def to_single(x: Array, backend: ArrayBackend) -> Array:
    """Convert half precision to float32; return other arrays unchanged."""
    if is_wide(x.dtype) or not is_half(x.dtype, backend):
        return x
    return backend.xp.astype(x, backend.dtype("float32"))


def sum_over(x: Array, backend: ArrayBackend, axis: Axis = None, keepdims: bool = False) -> Any:
    """Return the sum of ``x`` in the dtype that `sum` documents.

    Half-precision numbers are added in float32.
    All ops and kernels sum with this function, which calls `ArrayBackend.sum` to limit the rounding
    error.
    """
    if is_wide(x.dtype):
        return backend.sum(x, axis, keepdims)
    xp = backend.xp
    if not is_floating(x.dtype, backend):
        x = xp.astype(x, xp.int64) if xp.isdtype(x.dtype, "bool") else x
        return xp.sum(x, axis=axis, keepdims=keepdims)
    if not is_half(x.dtype, backend):
        return backend.sum(x, axis, keepdims)
    total = backend.sum(x, axis, keepdims, backend.dtype("float32"))
    return xp.astype(backend.asarray(total), x.dtype)
