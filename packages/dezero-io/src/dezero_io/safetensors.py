"""Weights as .safetensors, the exchange format of the field (`dezero-io[safetensors]`).

The library of that name writes and checks the layout. It has no checksums: what is written here
carries a `Manifest` in its metadata, and every array's SHA-256 is compared when it is read.

float16 stays float16. bfloat16, which NumPy lacks, is read as float32, exactly, and never written.
"""

from __future__ import annotations

import hashlib
import json
import operator
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from math import prod
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from dezero_core.errors import FormatError, LimitError, MissingPackage, SaveError
from dezero_core.extend import Limits, Stored

from .atomic import atomic_file
from .manifest import Entry, Manifest, decode, entry_of, is_safe, outline, storable
from .regular import open_regular

SUFFIX = ".safetensors"

INSTALL = "pip install 'dezero-io[safetensors]'"

MANIFEST = "dezero"
"""The name of the manifest in the metadata."""

SIGN = "dezero.sha256"
"""The name of the manifest's own SHA-256: either is missed if only the other is there."""

LONGEST_HEADER = 100_000_000
"""Bytes; the library's own bound."""

DTYPES = {
    "BOOL": "?", "U8": "u1", "I8": "i1", "U16": "u2", "I16": "i2", "U32": "u4", "I32": "i4",
    "U64": "u8", "I64": "i8", "F16": "f2", "F32": "f4", "F64": "f8",
}  # fmt: skip
"""NumPy's names of the format's dtypes."""


def library(module: str) -> Any:
    """A module of the package safetensors.

    Raises:
        MissingPackage: it is not installed.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise MissingPackage(
            f"{SUFFIX} files need the package safetensors: {INSTALL} ({error})"
        ) from error


def write(path: Path, stored: Stored) -> None:
    """Put ``stored`` at ``path``, replacing what was there when all is written.

    All arrays are in memory at once, as bytes: so the library wants it.

    Raises:
        SaveError: an array does not hold numbers the format has, or it cannot be compressed.
        MissingPackage: the library is not installed.
        OSError: the file cannot be written; an earlier one is untouched.
    """
    numpy = library("safetensors.numpy")
    if stored.compress:
        raise SaveError(f"{path}: {SUFFIX} files are never compressed; .npz files can be")
    if stored.metadata.keys() & {MANIFEST, SIGN}:
        raise SaveError(f"{path}: metadata may not have the names {MANIFEST!r} and {SIGN!r}")
    tensors: dict[str, Any] = {}
    entries: dict[str, Entry] = {}
    for key in stored.arrays:
        array = storable(key, stored.arrays[key])
        if array.dtype.kind == "c":
            raise SaveError(f"{key!r} holds {array.dtype}; {SUFFIX} files have no complex numbers")
        entries[key] = entry_of(stored, key, array)
        tensors[key] = array
    manifest = Manifest(entries, stored.metadata).encode()
    ours = {MANIFEST: manifest.decode(), SIGN: hashlib.sha256(manifest).hexdigest()}
    content = numpy.save(tensors, {**stored.metadata, **ours})
    with atomic_file(path) as file:
        file.write(content)


def read(path: Path, limits: Limits) -> Stored:
    """The arrays in the file at ``path``, and what it says of them.

    Raises:
        FormatError: it is no such file, is damaged, or holds a dtype that NumPy lacks.
        LimitError: it is larger than ``limits`` allow.
        MissingPackage: the library is not installed.
        OSError: it cannot be opened.
    """
    safetensors = library("safetensors")
    with opened(path, limits) as (file, header):
        file.seek(0)
        try:
            tensors = safetensors.deserialize(file.read())
        except Exception as error:  # the library's own type, or what it meets
            raise damaged(error) from error
        arrays = {key: array_of(key, tensor) for key, tensor in tensors}
        return checked(arrays, metadata_of(header), verify=True)


def headers(path: Path, limits: Limits) -> Stored:
    """Return the contents that the file at ``path`` declares, with arrays that take no memory.

    Raises:
        FormatError, LimitError, MissingPackage, OSError: as for `read`.
    """
    library("safetensors")
    with opened(path, limits) as (file, header):
        size = -file.tell() + file.seek(0, 2)  # size of the arrays after the header
        arrays = {
            key: outline_of(key, entry, size)
            for key, entry in header.items()
            if key != "__metadata__"
        }
        return checked(arrays, metadata_of(header), verify=False)


def checked(arrays: dict[str, Any], metadata: dict[str, str], verify: bool) -> Stored:
    """Return the arrays of a file, compared with its manifest, if it has one."""
    said, sign = metadata.pop(MANIFEST, None), metadata.pop(SIGN, None)
    if said is None and sign is None:
        return Stored(arrays, metadata=metadata)
    if said is None or hashlib.sha256(said.encode()).hexdigest() != sign:
        raise FormatError("the manifest is damaged")
    manifest = decode(said.encode())
    manifest.check(arrays, verify)
    if dict(manifest.metadata) != metadata:
        raise FormatError("damaged: metadata and manifest differ")
    return Stored({key: arrays[key] for key in manifest.entries}, manifest.kinds, metadata)


@contextmanager
def opened(path: Path, limits: Limits) -> Iterator[tuple[BinaryIO, dict[str, Any]]]:
    """Open a file within the limits and read its header; errors in the block name the file."""
    with open_regular(path) as file:
        try:
            size = file.seek(0, 2)
            if size == 0:
                raise FormatError("is empty; was a save interrupted?")
            if size > limits.max_bytes + LONGEST_HEADER:
                raise LimitError(
                    f"takes {size:.3g} bytes, the limit is {limits.max_bytes:.3g}; pass "
                    "max_bytes= if you trust it"
                )
            file.seek(0)
            yield file, header_of(file, size)
        except FormatError as error:
            raise type(error)(f"{path}: {error}") from error.__cause__


def damaged(error: Exception) -> FormatError:
    """Return the error for a file with an invalid layout."""
    return FormatError(f"cut off, damaged, or no {SUFFIX} file: {error}")


def header_of(file: BinaryIO, size: int) -> dict[str, Any]:
    """Return the JSON header of a file, in which every name must be unique."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({name for name, _ in pairs}) < len(pairs):
            raise FormatError("a key is there twice")
        return dict(pairs)

    try:
        (length,) = struct.unpack("<Q", file.read(8))
        if length > min(LONGEST_HEADER, size):
            raise FormatError("cut off, damaged, or no safetensors file")
        header = json.loads(file.read(length), object_pairs_hook=once)
    except FormatError:
        raise
    except (struct.error, ValueError, RecursionError) as error:
        raise damaged(error) from error
    if not isinstance(header, dict):
        raise FormatError(f"cut off, damaged, or no {SUFFIX} file: its header is not a dictionary")
    return header


def metadata_of(header: dict[str, Any]) -> dict[str, str]:
    """Return the strings in a file's header."""
    metadata = header.get("__metadata__") or {}
    if not isinstance(metadata, dict) or any(not isinstance(x, str) for x in metadata.values()):
        raise FormatError("the metadata is damaged")
    return dict(metadata)


def outline_of(key: str, entry: Any, size: int) -> Any:
    """Return an array without memory from its header entry, in a file of ``size`` bytes."""
    try:
        kind, shape, (start, end) = entry["dtype"], entry["shape"], entry["data_offsets"]
        dtype = dtype_of(key, kind)
        width = 2 if kind == "BF16" else dtype.itemsize
        lengths = [operator.index(n) for n in shape]
        if min(lengths, default=0) < 0 or prod(lengths) * width != end - start or end > size:
            raise ValueError(f"{key!r}: {kind} {shape} does not take {end - start} bytes")
        return outline(tuple(lengths), dtype)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        if isinstance(error, FormatError):
            raise
        raise damaged(error) from error


def dtype_of(key: str, kind: Any) -> Any:
    """Return NumPy's dtype for a dtype of the format; bfloat16 becomes float32, exactly."""
    if not is_safe(key):
        raise FormatError(f"unsafe key {key!r}")
    if kind == "BF16":
        return np.dtype("f4")
    if kind not in DTYPES:
        raise FormatError(f"{key!r} holds {kind}, which NumPy lacks; convert it before saving")
    return np.dtype(DTYPES[kind])


def array_of(key: str, tensor: dict[str, Any]) -> Any:
    """Return a tensor as a new array."""
    kind, shape, data = tensor["dtype"], tensor["shape"], tensor["data"]
    dtype = dtype_of(key, kind)
    if kind == "BF16":  # the upper half of a float32
        return (np.frombuffer(data, "<u2").astype("<u4") << 16).view("<f4").reshape(shape)
    return np.frombuffer(data, dtype.newbyteorder("<")).reshape(shape).astype(dtype)


def needs() -> str:
    """Return what must be installed first, or an empty string."""
    try:
        library("safetensors.numpy")
    except MissingPackage:
        return f"needs safetensors: {INSTALL}"
    return ""
