"""Check arrays before their addresses are passed to C.

A C function gets only the address of an array, and cannot check the dtype or the number of
elements. All packages get the addresses of NumPy arrays from `address_of`, which raises an error if
the array does not have the expected layout. Code that has a fallback in NumPy calls `has_layout`
first.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .errors import ShapeError, UnsupportedType

HostArray = np.ndarray[Any, Any]
Strides = tuple[int, ...]


def has_layout(
    x: HostArray,
    dtype: np.dtype[Any] | type | str,
    shape: tuple[int, ...],
    *,
    writable: bool = False,
    strides: Strides | None = None,
) -> bool:
    """Return whether a NumPy array has the memory layout that a C function expects.

    Args:
        x: a NumPy array.
        dtype: the dtype, byte order included; a name such as ``"float32"`` means native
            byte order.
        shape: the lengths of all axes.
        writable: whether the C function writes to the array (default False).
        strides: bytes from one element to the next, for each axis; None (default) means C order
            without gaps. Strides of axes of length 1 do not matter.
    """
    flags = x.flags
    if x.shape != shape or x.dtype != dtype or not flags.aligned or writable > flags.writeable:
        return False
    if strides is None:
        return bool(flags.c_contiguous)
    return all(n == 1 or a == b for n, a, b in zip(shape, x.strides, strides, strict=True))


def address_of(
    x: HostArray,
    dtype: np.dtype[Any] | type | str,
    shape: tuple[int, ...],
    *,
    writable: bool = False,
    strides: Strides | None = None,
) -> int:
    """Return the address of the first element of a NumPy array, for a C function.

    Args:
        x, dtype, shape, writable, strides: as for `has_layout`.

    Raises:
        ShapeError: the array does not have the expected shape.
        UnsupportedType: the dtype, byte order or strides are different from the expected ones, the
            array is misaligned, or the array is read-only and ``writable`` is True.
    """
    if not has_layout(x, dtype, shape, writable=writable, strides=strides):
        wanted = "in C order" if strides is None else f"with strides {strides}"
        message = (
            f"address_of: got {describe(x)}; C expects {dtype} {shape} {wanted}, native, aligned"
            f"{' and writable' if writable else ''}; copy the array first"
        )
        raise (ShapeError if x.shape != shape else UnsupportedType)(message)
    return int(x.ctypes.data)


def describe(x: HostArray) -> str:
    """Describe the dtype, shape and layout of a NumPy array, for error messages."""
    notes = [] if x.flags.c_contiguous else [f"strides {x.strides}"]
    notes += [] if x.flags.aligned else ["misaligned"]
    notes += [] if x.flags.writeable else ["read-only"]
    return ", ".join([f"{x.dtype.str} {x.shape}", *notes])


def is_writable(x: HostArray) -> bool:
    """Return whether every element of a NumPy array can be written independently.

    This is False if the array is read-only, or if broadcasting made several elements share memory.
    """
    repeated = 0 in x.strides and any(s == 0 and n > 1 for s, n in zip(x.strides, x.shape))  # noqa: B905
    return bool(x.flags.writeable) and not repeated
