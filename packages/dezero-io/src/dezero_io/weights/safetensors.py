"""Weights as .safetensors, the exchange format of the field (`dezero-io[safetensors]`).

The format is a header in JSON followed by the bytes of the arrays. This module reads and writes
arrays one after the other, because the library `safetensors` holds the file and all its arrays in
memory at once. The library only checks the layout of a file. The format has no checksums, so files
written here have a `Manifest` in their metadata, and reading compares every array's SHA-256.

float16 stays float16. bfloat16, which NumPy lacks, is read as float32, exactly, and never written.
"""

from __future__ import annotations

import hashlib
import json
import operator
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from math import prod
from pathlib import Path
from typing import IO, Any, BinaryIO

import numpy as np

from dezero_core.errors import FormatError, LimitError, MissingPackage, SaveError
from dezero_core.extend import Limits, Stored
from dezero_core.state import Snapshot

from .files import atomic_file, open_regular
from .manifest import (
    Entry,
    Manifest,
    as_bytes,
    copies,
    decode,
    hashed_while,
    is_safe,
    outline,
    require_storable,
    storable,
)
from .progress import Counted, counted

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


def library() -> Any:
    """Import and return the package safetensors.

    Raises:
        MissingPackage: it is not installed, or not for NumPy.
    """
    try:
        import_module("safetensors.numpy")
        return import_module("safetensors")
    except ImportError as error:
        raise MissingPackage(
            f"{SUFFIX} files need the package safetensors: {INSTALL} ({error})"
        ) from error


def write(path: Path, stored: Stored) -> None:
    """Put ``stored`` at ``path``, replacing what was there when all is written.

    The header comes first and contains the checksums, whose length is known. It is written twice:
    with zeros before the arrays are written, and with the checksums afterwards.

    Raises:
        SaveError: an array does not hold numbers the format has, or it cannot be compressed.
        MissingPackage: the library, which reads the file, is not installed.
        OSError: the file cannot be written; an earlier one is untouched.
    """
    library()
    if stored.compress:
        raise SaveError(f"{path}: {SUFFIX} files are never compressed; .npz files can be")
    if stored.metadata.keys() & {MANIFEST, SIGN}:
        raise SaveError(f"{path}: metadata may not have the names {MANIFEST!r} and {SIGN!r}")
    arrays = copies(stored)
    tensors = layout(arrays)
    entries = {key: expected_entry(stored, key, arrays) for key in arrays}
    with atomic_file(path) as file, counted(f"saving {path.name}") as done:
        file.write(encoded_header(tensors, entries, stored.metadata))
        for key in tensors:
            entries[key] = _add_hashed(file, stored, key, arrays[key], entries[key], done)
        file.seek(0)
        file.write(encoded_header(tensors, entries, stored.metadata))


def layout(arrays: Snapshot) -> dict[str, dict[str, Any]]:
    """Return the header's entries in file order: wide dtypes first, so that all are aligned.

    Raises:
        SaveError: an array has a dtype that the format lacks.
    """
    names = {np.dtype(name).name: kind for kind, name in DTYPES.items()}
    shapes: dict[str, tuple[tuple[int, ...], str]] = {}
    for key in arrays:
        shape, name = arrays.layout(key)
        require_storable(key, name)
        if name not in names:
            what = "complex numbers" if name.startswith("complex") else "such dtype"
            raise SaveError(f"{key!r} holds {name}; {SUFFIX} files have no {what}")
        shapes[key] = shape, names[name]
    tensors: dict[str, dict[str, Any]] = {}
    start = 0
    for key in sorted(shapes, key=lambda key: (-np.dtype(DTYPES[shapes[key][1]]).itemsize, key)):
        shape, kind = shapes[key]
        end = start + prod(shape) * np.dtype(DTYPES[kind]).itemsize
        tensors[key] = {"dtype": kind, "shape": shape, "data_offsets": [start, end]}
        start = end
    return tensors


def expected_entry(stored: Stored, key: str, arrays: Snapshot) -> Entry:
    """Return an entry of the manifest, with zeros instead of the checksum."""
    return Entry(stored.kinds.get(key, "param"), *arrays.layout(key), "0" * 64)


def _add_hashed(
    file: IO[bytes], stored: Stored, key: str, array: Any, expected: Entry, done: Counted
) -> Entry:
    """Write an array and hash it on another thread; return its entry in the manifest."""
    array = storable(key, array)
    if (array.shape, array.dtype.name) != (expected.shape, expected.dtype):
        raise SaveError(f"{key!r} got another shape or dtype during the save; save it again")
    entry = hashed_while(lambda array: file.write(as_bytes(array)), stored, key, array)
    done(array.nbytes)
    return entry


def encoded_header(
    tensors: Mapping[str, Any], entries: Mapping[str, Entry], metadata: Mapping[str, str]
) -> bytes:
    """Encode a header: its length, then JSON padded with spaces to a multiple of 8 bytes.

    Raises:
        SaveError: the metadata contains characters that UTF-8 cannot encode.
    """
    manifest = Manifest(entries, metadata).encode()
    ours = {MANIFEST: manifest.decode(), SIGN: hashlib.sha256(manifest).hexdigest()}
    header = {"__metadata__": {**metadata, **ours}, **tensors}
    try:
        text = json.dumps(header, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise SaveError(f"metadata must be text that UTF-8 can encode: {error}") from error
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text


def read(path: Path, limits: Limits) -> Stored:
    """The arrays in the file at ``path``, and what it says of them.

    Raises:
        FormatError: it is no such file, is damaged, or holds a dtype that NumPy lacks.
        LimitError: it is larger than ``limits`` allow.
        MissingPackage: the library is not installed.
        OSError: it cannot be opened.
    """
    with opened(path, limits) as (file, header):
        start = file.tell()
        outlines = outlines_of(file, header)
        with counted(f"loading {path.name}", sum(x.nbytes for x in outlines.values())) as done:
            arrays = {
                key: array_of(file, start, key, header[key], outline, done)
                for key, outline in outlines.items()
            }
        return checked(arrays, metadata_of(header), verify=True)


def headers(path: Path, limits: Limits) -> Stored:
    """Return the contents that the file at ``path`` declares, with arrays that take no memory.

    Raises:
        FormatError, LimitError, MissingPackage, OSError: as for `read`.
    """
    with opened(path, limits) as (file, header):
        return checked(outlines_of(file, header), metadata_of(header), verify=False)


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
    """Open a file within the limits and read its header; errors in the block name the file.

    The library checks the layout: every byte belongs to one array.
    """
    package = library()
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
            header = header_of(file, size)
            try:
                package.safe_open(path, framework="np")
            except package.SafetensorError as error:
                raise damaged(error) from error
            yield file, header
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


def outlines_of(file: BinaryIO, header: dict[str, Any]) -> dict[str, Any]:
    """Return outlines of the arrays, without memory; leave the file at the end of the header."""
    start = file.tell()
    size = file.seek(0, 2) - start
    file.seek(start)
    return {
        key: outline_of(key, entry, size) for key, entry in header.items() if key != "__metadata__"
    }


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


def array_of(file: BinaryIO, start: int, key: str, entry: Any, outline: Any, done: Counted) -> Any:
    """Read an array of the shape and dtype of ``outline``; the arrays begin at byte ``start``."""
    is_half = entry["dtype"] == "BF16"
    stored = np.empty(outline.shape, "<u2" if is_half else outline.dtype.newbyteorder("<"))
    content = memoryview(as_bytes(stored))
    file.seek(start + entry["data_offsets"][0])
    filled = 0
    while filled < len(content) and (count := file.readinto(content[filled:])):  # type: ignore[attr-defined]
        filled += count
    if filled < len(content):
        raise FormatError(f"{key!r} is cut off")
    done(outline.nbytes)
    if not is_half:
        return stored.astype(outline.dtype, copy=False)
    wide = stored.astype(np.uint32)  # bfloat16 is the upper half of a float32
    wide <<= 16
    return wide.view(np.float32)


def needs() -> str:
    """Return what must be installed first, or an empty string."""
    try:
        library()
    except MissingPackage:
        return f"needs safetensors: {INSTALL}"
    return ""
