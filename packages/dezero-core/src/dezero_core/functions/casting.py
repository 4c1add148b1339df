"""Convert between dtypes, and choose the precision that ops compute in (docs/adr/0015)."""

from __future__ import annotations

from collections.abc import Callable
from operator import is_
from typing import Any

from ..backends.interface import Array, ArrayBackend
from ..backends.precision import default_floating, is_floating, is_half, is_wide
from ..backends.registry import backend_of
from ..errors import UnsupportedType
from ..function import Function
from ..variable import Operand, Variable, as_variable, cast, unwrap


class AsType(Function):
    """Convert x to another dtype;  gx = gy converted to the dtype of x if x is floating point."""

    def __init__(self, dtype: Any) -> None:
        self.dtype = dtype

    def forward(self, x: Array) -> Array:
        y = cast(x, self.dtype)
        return backend_of(y).admit(y)

    def backward(self, gy: Array | Variable) -> Any:
        (x,) = self.inputs
        return astype(gy, x.dtype) if is_floating(x.dtype, backend_of(unwrap(x))) else gy


def astype(x: Operand, dtype: object) -> Variable:
    """Return ``x`` converted to ``dtype``.

    Args:
        x: any shape and dtype.
        dtype: a dtype of the array library of ``x``, the name of such a dtype, or a Python or NumPy
            type. No gradient flows through a conversion from floating point to integers or
            booleans.

    Raises:
        UnsupportedType: ``dtype`` is unknown, or not boolean, integer or real floating point.
    """
    array = as_variable(x).data
    backend = backend_of(array)
    dtype = dtype_of(dtype, backend)
    if is_floating(array.dtype, backend) and not is_floating(dtype, backend):
        return AsType(dtype)(array)
    return AsType(dtype)(x)


def dtype_of(dtype: object, backend: ArrayBackend) -> Any:
    """Return the backend's dtype for a dtype, its name, or a Python or NumPy type."""
    if isinstance(dtype, type):
        dtype = {"float": "float64", "int": "int64"}.get(dtype.__name__, dtype.__name__)
    try:
        if dtype is None:  # NumPy's default dtype
            raise TypeError
        found = backend.dtype(dtype) if isinstance(dtype, str) else dtype
        backend.xp.isdtype(found, "bool")  # raises TypeError for an object that is not a dtype
        return found
    except (TypeError, AttributeError):
        raise UnsupportedType(
            f"astype: dtype {dtype!r}; expected a name such as 'float32'"
        ) from None


def as_floating(x: Any, like: object = None) -> Any:
    """Return ``x``, converted to floating point if it holds integers or booleans.

    Args:
        x: a Variable, an array or a number.
        like: a Variable or array, such as the weights. If ``like`` is floating point, integers are
            converted to the dtype of ``like``, else to float64 (float32 if the library has no
            float64).
    """
    dtype = getattr(x, "dtype", None)
    if is_wide(dtype):
        return x
    if dtype is None:
        return float(x) if isinstance(x, int) else x
    backend = backend_of(as_variable(x).data)
    if is_floating(dtype, backend):
        return x
    wanted = getattr(like, "dtype", None)
    if wanted is None or not is_floating(wanted, backend):
        wanted = default_floating(backend)
    return astype(x, wanted)


def widen(x: Any) -> Any:
    """Convert ``x`` to floating point of at least single precision, so that sums are accurate."""
    dtype = getattr(x, "dtype", None)
    if is_wide(dtype):
        return x
    if dtype is None:
        return as_floating(x)
    backend = backend_of(as_variable(x).data)
    return astype(x, backend.dtype("float32")) if is_half(dtype, backend) else as_floating(x)


def narrow(y: Array | Variable, *xs: Operand) -> Any:
    """Convert ``y`` to half precision if all floating-point arrays in ``xs`` are half precision."""
    dtypes = {x.dtype for x in xs if hasattr(x, "dtype")}
    if any(map(is_wide, dtypes)):
        return y
    backend = backend_of(unwrap(y))
    floats = [dtype for dtype in dtypes if is_floating(dtype, backend)]
    if len(floats) != 1 or not is_half(floats[0], backend) or y.dtype == floats[0]:
        return y
    return astype(y, floats[0])


def call_widened(function: Callable[..., Any], *xs: Operand) -> Any:
    """Return ``function(*xs)``, computed in at least single precision.

    Integers and booleans are converted to floating point. Half-precision inputs are converted to
    float32, and the result is rounded to half precision; if ``function`` returns a tuple, only the
    first result is rounded.
    """
    if all([is_wide(getattr(x, "dtype", None)) for x in xs]):  # the usual case
        return function(*xs)
    wide = [widen(x) for x in xs]
    y = function(*wide)
    if all(map(is_, wide, xs)):
        return y
    if isinstance(y, tuple):
        return narrow(y[0], *xs), *y[1:]
    return narrow(y, *xs)
