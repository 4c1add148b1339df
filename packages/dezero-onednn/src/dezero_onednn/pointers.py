"""Check arrays before their addresses are passed to oneDNN.

A C function gets only the address of an array, and cannot check the dtype or the number of
elements. All addresses come from `address_of`, which raises an error if the array does not have the
expected layout. Code that can copy the array calls `has_layout` first.
"""

from __future__ import annotations

import numpy as np

from dezero_core.errors import ShapeError, UnsupportedType


def has_layout(x: np.ndarray, dtype: str, shape: tuple[int, ...], writable: bool = False) -> bool:
    """Return whether a NumPy array has the memory layout that a C function expects.

    Args:
        x: a NumPy array, which must be aligned and in C order without gaps.
        dtype: the name of the dtype, such as ``"float32"``, in native byte order.
        shape: the lengths of all axes.
        writable: whether the C function writes to the array (default False).
    """
    flags = x.flags
    fits = x.shape == shape and x.dtype == dtype and writable <= flags.writeable
    return bool(fits and flags.aligned and flags.c_contiguous)


def address_of(x: np.ndarray, dtype: str, shape: tuple[int, ...], writable: bool = False) -> int:
    """Return the address of the first element of a NumPy array, for a C function.

    Args:
        x, dtype, shape, writable: as for `has_layout`.

    Raises:
        ShapeError: the array does not have the expected shape.
        UnsupportedType: the dtype, byte order or strides are different from the expected ones, the
            array is misaligned, or the array is read-only and ``writable`` is True.
    """
    if not has_layout(x, dtype, shape, writable):
        message = (
            f"address_of: got {describe(x)}; C expects {dtype} {shape} in C order, native, aligned"
            f"{' and writable' if writable else ''}; copy the array first"
        )
        raise (ShapeError if x.shape != shape else UnsupportedType)(message)
    return int(x.ctypes.data)


def describe(x: np.ndarray) -> str:
    """Describe the dtype, shape and layout of a NumPy array, for error messages."""
    notes = [] if x.flags.c_contiguous else [f"strides {x.strides}"]
    notes += [] if x.flags.aligned else ["misaligned"]
    notes += [] if x.flags.writeable else ["read-only"]
    return ", ".join([f"{x.dtype.str} {x.shape}", *notes])
