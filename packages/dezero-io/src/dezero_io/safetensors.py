"""Weights as .safetensors, the exchange format of the field (`dezero-io[safetensors]`).

The library of that name writes and checks the layout. It has no checksums: what is written here
carries a `Manifest` in its metadata, and every array's SHA-256 is compared when it is read.

float16 stays float16. bfloat16, which NumPy lacks, is read as float32, exactly, and never written.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from dezero_core.errors import FormatError, LimitError, MissingPackage, SaveError
from dezero_core.extend import Limits, Stored

from .atomic import atomic_file
from .manifest import Entry, Manifest, decode, entry_of, is_safe, storable
from .regular import open_regular

SUFFIX = ".safetensors"

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
            f"{SUFFIX} files: pip install 'dezero-io[safetensors]' ({error})"
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
    with named(path):
        content = contents(path, limits)
        metadata = metadata_of(content)
        try:
            tensors = safetensors.deserialize(content)
        except Exception as error:  # the library's own type, or what it meets
            raise FormatError(f"cut off, damaged, or no {SUFFIX} file: {error}") from error
        arrays = {key: array_of(key, tensor) for key, tensor in tensors}
        said, sign = metadata.pop(MANIFEST, None), metadata.pop(SIGN, None)
        if said is None and sign is None:
            return Stored(arrays, metadata=metadata)
        if said is None or hashlib.sha256(said.encode()).hexdigest() != sign:
            raise FormatError("the manifest is damaged")
        manifest = decode(said.encode())
        manifest.check(arrays, verify=True)
        if dict(manifest.metadata) != metadata:
            raise FormatError("damaged: metadata and manifest differ")
    return Stored({key: arrays[key] for key in manifest.entries}, manifest.kinds, metadata)


@contextmanager
def named(path: Path) -> Iterator[None]:
    """Errors from inside name the file."""
    try:
        yield
    except FormatError as error:
        raise type(error)(f"{path}: {error}") from error.__cause__


def contents(path: Path, limits: Limits) -> bytes:
    """All bytes of a file that is not too long."""
    with open_regular(path) as file:
        file.seek(0, 2)
        size = file.tell()
        if size == 0:
            raise FormatError("is empty; was a save interrupted?")
        if size > limits.max_bytes + LONGEST_HEADER:
            raise LimitError(
                f"takes {size:.3g} bytes, the limit is {limits.max_bytes:.3g}; pass max_bytes= if "
                "you trust it"
            )
        file.seek(0)
        return file.read()


def metadata_of(content: bytes) -> dict[str, str]:
    """The strings in a file's header; every name may be there once."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({name for name, _ in pairs}) < len(pairs):
            raise FormatError("a key is there twice")
        return dict(pairs)

    try:
        (length,) = struct.unpack_from("<Q", content)
        if length > min(LONGEST_HEADER, len(content)):
            raise FormatError("cut off, damaged, or no safetensors file")
        header = json.loads(content[8 : 8 + length], object_pairs_hook=once)
        metadata = header.get("__metadata__") or {}
        if any(not isinstance(text, str) for text in metadata.values()):
            raise FormatError("the metadata is damaged")
        return dict(metadata)
    except (struct.error, ValueError, AttributeError, RecursionError) as error:
        if isinstance(error, FormatError):
            raise
        raise FormatError(f"cut off, damaged, or no {SUFFIX} file: {error}") from error


def array_of(key: str, tensor: dict[str, Any]) -> Any:
    """A tensor as an array of its own."""
    if not is_safe(key):
        raise FormatError(f"unsafe key {key!r}")
    kind, shape, data = tensor["dtype"], tensor["shape"], tensor["data"]
    if kind == "BF16":  # the upper half of a float32
        return (np.frombuffer(data, "<u2").astype("<u4") << 16).view("<f4").reshape(shape)
    if kind not in DTYPES:
        raise FormatError(f"{key!r} holds {kind}, which NumPy lacks")
    return np.frombuffer(data, np.dtype(DTYPES[kind]).newbyteorder("<")).reshape(shape).copy()
