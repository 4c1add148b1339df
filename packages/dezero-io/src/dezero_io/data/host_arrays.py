"""Convert data to plain NumPy arrays, for datasets, transforms and loaders."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dezero_core.errors import ArgumentError
from dezero_core.extend import unwrap


def host_array(name: str, x: object) -> NDArray[Any]:
    """Return ``x`` as a plain NumPy array in native byte order, copied only if necessary.

    Args:
        name: the name of the caller, for the error message.
        x: a NumPy array of any subclass (matrix, memmap), a number, a list, or anything else that
            `numpy.asarray` converts to an array of numbers or strings.

    Raises:
        ArgumentError: ``x`` is a masked array, a PIL image or an array on another device, or
            contains objects other than numbers and strings.
    """
    array = x if type(x) is np.ndarray else plain_array(name, unwrap(x))
    if array.dtype.kind in "OV":
        raise ArgumentError(
            f"{name}: expected numbers or text, got {type(x).__name__} (dtype {array.dtype})"
        )
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


def plain_array(name: str, x: object) -> NDArray[Any]:
    """Convert ``x`` to a plain NumPy array, or raise an error that says what to do."""
    if "numpy.ma" in sys.modules and isinstance(x, np.ma.MaskedArray):  # do not import numpy.ma
        raise ArgumentError(f"{name}: got a masked array; fill the gaps first, x.filled(value)")
    if hasattr(x, "getbands"):
        raise ArgumentError(
            f"{name}: expected an array, got a PIL image; put ToArray() first in the transform"
        )
    if isinstance(x, bytes):
        raise ArgumentError(
            f"{name}: expected numbers, got bytes; np.frombuffer(x, 'uint8') makes an array"
        )
    try:
        return np.asarray(x)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ArgumentError(
            f"{name}: cannot convert {type(x).__name__} to a NumPy array: {error}"
        ) from error


def rows(data: Any) -> Any:
    """Convert NumPy and pandas data, so that ``data[i]`` is a row; return other data unchanged."""
    is_pandas = hasattr(data, "iloc")  # in pandas, data[i] is a label or a column
    return plain_array("Dataset", data) if is_pandas or isinstance(data, np.ndarray) else data


def is_table(data: object) -> bool:
    """Return whether ``data`` is a NumPy array of numbers or strings with at least one axis."""
    return isinstance(data, np.ndarray) and data.ndim > 0 and data.dtype.kind not in "OV"
