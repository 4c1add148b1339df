"""Write, read and check the JSON header of a safetensors file."""

from __future__ import annotations

import json
import operator
import struct
from collections.abc import Mapping
from math import prod
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from dezero_core.errors import FormatError, SaveError
from dezero_core.state import Snapshot

from .manifest import is_safe, outline, require_storable

SUFFIX = ".safetensors"

MAX_HEADER = 100_000_000
"""The largest header that is read, in bytes; the library safetensors has the same limit."""

DTYPES = {
    "BOOL": "?", "U8": "u1", "I8": "i1", "U16": "u2", "I16": "i2", "U32": "u4", "I32": "i4",
    "U64": "u8", "I64": "i8", "F16": "f2", "F32": "f4", "F64": "f8",
}  # fmt: skip
"""A dictionary from the dtype codes of the format to NumPy's dtypes."""


def layout(arrays: Snapshot) -> dict[str, dict[str, Any]]:
    """Return the header's entries, wide dtypes first, so that all arrays in the file are aligned.

    Raises:
        SaveError: an array has a dtype that the format lacks.
    """
    codes = {np.dtype(name).name: code for code, name in DTYPES.items()}
    shapes: dict[str, tuple[tuple[int, ...], str]] = {}
    for key in arrays:
        shape, name = arrays.layout(key)
        require_storable(key, name)
        if name not in codes:
            missing = "complex numbers" if name.startswith("complex") else "such dtype"
            raise SaveError(f"{key!r} holds {name}; {SUFFIX} files have no {missing}")
        shapes[key] = shape, codes[name]
    tensors: dict[str, dict[str, Any]] = {}
    start = 0
    for key in sorted(shapes, key=lambda key: (-np.dtype(DTYPES[shapes[key][1]]).itemsize, key)):
        shape, code = shapes[key]
        end = start + prod(shape) * np.dtype(DTYPES[code]).itemsize
        tensors[key] = {"dtype": code, "shape": shape, "data_offsets": [start, end]}
        start = end
    return tensors


def damage_error(error: Exception) -> FormatError:
    """Return the error for a file with an invalid layout."""
    return FormatError(f"cut off, damaged, or no {SUFFIX} file: {error}")


def read_header(file: BinaryIO, size: int) -> dict[str, Any]:
    """Read the JSON header of a file; refuse a name that occurs twice."""

    def unique_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({name for name, _ in pairs}) < len(pairs):
            raise FormatError("a key occurs twice")
        return dict(pairs)

    try:
        (length,) = struct.unpack("<Q", file.read(8))
        if length > min(MAX_HEADER, size):
            raise FormatError(f"cut off, damaged, or no {SUFFIX} file")
        header = json.loads(file.read(length), object_pairs_hook=unique_names)
    except FormatError:
        raise
    except (struct.error, ValueError, RecursionError) as error:
        raise damage_error(error) from error
    if not isinstance(header, dict):
        raise FormatError(f"cut off, damaged, or no {SUFFIX} file: its header is not a dictionary")
    return header


def metadata_of(header: Mapping[str, Any]) -> dict[str, str]:
    """Return the metadata in a header, a dictionary from names to strings."""
    metadata = header.get("__metadata__") or {}
    if not isinstance(metadata, dict) or any(not isinstance(x, str) for x in metadata.values()):
        raise FormatError("the metadata is damaged")
    return dict(metadata)


def outlines_of(file: BinaryIO, header: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    """Return an `outline` of each array; leave the file position at the end of the header."""
    start = file.tell()
    size = file.seek(0, 2) - start
    file.seek(start)
    return {
        key: outline_of(key, entry, size) for key, entry in header.items() if key != "__metadata__"
    }


def outline_of(key: str, entry: Mapping[str, Any], size: int) -> NDArray[Any]:
    """Return the `outline` that a header entry describes; ``size`` bytes follow the header."""
    try:
        code, shape, (start, end) = entry["dtype"], entry["shape"], entry["data_offsets"]
        dtype = dtype_of(key, code)
        width = 2 if code == "BF16" else dtype.itemsize
        lengths = [operator.index(n) for n in shape]
        if min(lengths, default=0) < 0 or prod(lengths) * width != end - start or end > size:
            raise ValueError(f"{key!r}: {code} {shape} does not take {end - start} bytes")
        return outline(tuple(lengths), dtype)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        if isinstance(error, FormatError):
            raise
        raise damage_error(error) from error


def dtype_of(key: str, code: str) -> np.dtype[Any]:
    """Return NumPy's dtype for a dtype code; bfloat16 becomes float32, without loss."""
    if not is_safe(key):
        raise FormatError(f"unsafe key {key!r}")
    if code == "BF16":
        return np.dtype("f4")
    if code not in DTYPES:
        raise FormatError(f"{key!r} holds {code}, which NumPy lacks; convert it before saving")
    return np.dtype(DTYPES[code])
