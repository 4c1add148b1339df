"""Convert data to plain NumPy arrays, for data sets, transforms and loaders."""

from __future__ import annotations

from typing import Any

import numpy as np

from dezero_core.errors import ArgumentError
from dezero_core.extend import unwrap


def host_array(name: str, x: Any) -> Any:
    """Return ``x`` as a plain NumPy array in native byte order, copied only if necessary.

    Args:
        name: the caller, for the message.
        x: a NumPy array of any subclass (matrix, memmap), a number, a list, or anything else that
            `numpy.asarray` converts to an array of numbers or strings.

    Raises:
        ArgumentError: ``x`` is a masked array, a PIL image, an array on another device, or contains
            other Python objects.
    """
    given = x
    if type(x) is not np.ndarray:
        x = _plain(name, unwrap(x))
    if x.dtype.kind in "OV":
        kind = type(given).__name__
        raise ArgumentError(f"{name}: expected numbers or text, got {kind} (dtype {x.dtype})")
    return x if x.dtype.isnative else x.astype(x.dtype.newbyteorder("="))


def _plain(name: str, x: Any) -> Any:
    if isinstance(x, np.ma.MaskedArray):
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
        kind = type(x).__name__
        raise ArgumentError(
            f"{name}: no NumPy array can be made of this {kind}: {error}"
        ) from error


def rows(data: Any) -> Any:
    """Return a NumPy array as a plain view, whose ``data[i]`` is a row; other data unchanged."""
    is_pandas = hasattr(data, "iloc")  # data[i] would be a label or a column
    return _plain("Dataset", data) if is_pandas or isinstance(data, np.ndarray) else data


def is_table(data: Any) -> bool:
    """Return whether examples are the rows of one NumPy array of numbers or strings."""
    return isinstance(data, np.ndarray) and data.ndim > 0 and data.dtype.kind not in "OV"
