"""Save and load weights as .safetensors, the format of Hugging Face.

The format is a JSON header followed by the bytes of the arrays. This module reads and writes one
array at a time. This module uses the library safetensors (`dezero-io[safetensors]`) only to check
the layout of a file, because the library would hold the file and all its arrays in memory at once.
The format has no checksums, so this module writes a `Manifest` to the metadata of a file, and
reading compares the SHA-256 of every array.

float16 stays float16. bfloat16, which NumPy lacks, is converted without loss to float32 when read,
and is never written.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import IO, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from dezero_core.errors import FormatError, LimitError, MissingPackage, SaveError
from dezero_core.extend import Limits, Stored
from dezero_core.state import Snapshot

from .files import atomic_file, open_regular
from .manifest import (
    Entry,
    Manifest,
    as_bytes,
    decode,
    hash_while_writing,
    snapshot,
    storable,
)
from .progress import CountBytes, progress_bar
from .safetensors_header import (
    MAX_HEADER,
    SUFFIX,
    damage_error,
    layout,
    metadata_of,
    outlines_of,
    read_header,
)

INSTALL = "pip install 'dezero-io[safetensors]'"

MANIFEST = "dezero"
"""The name of the manifest in the metadata of a file."""

SIGN = "dezero.sha256"
"""The name of the manifest's SHA-256 in the metadata.

A file has both the manifest and its SHA-256, or neither.
"""


def import_safetensors() -> Any:
    """Import and return the package safetensors.

    Raises:
        MissingPackage: safetensors is not installed, or has no support for NumPy.
    """
    try:
        import_module("safetensors.numpy")
        return import_module("safetensors")
    except ImportError as error:
        raise MissingPackage(
            f"{SUFFIX} files need the package safetensors: {INSTALL} ({error})"
        ) from error


def write(path: Path, stored: Stored) -> None:
    """Write ``stored`` to ``path``; replace an existing file when the new one is complete.

    The header is at the start of the file and contains the checksums. The header is written twice:
    before the arrays, with zeros instead of the checksums, and after the arrays, with checksums
    that have the same length as the zeros.

    Raises:
        SaveError: the format lacks the dtype of an array, or ``stored.compress`` is set.
        MissingPackage: safetensors, which is needed to read the file, is not installed.
        OSError: the file cannot be written; an existing file does not change.
    """
    import_safetensors()
    if stored.compress:
        raise SaveError(f"{path}: {SUFFIX} files are never compressed; .npz files can be")
    if stored.metadata.keys() & {MANIFEST, SIGN}:
        raise SaveError(f"{path}: metadata may not have the names {MANIFEST!r} and {SIGN!r}")
    arrays = snapshot(stored)
    tensors = layout(arrays)
    entries = {key: expected_entry(stored, key, arrays) for key in arrays}
    with atomic_file(path) as file, progress_bar(f"saving {path.name}") as count:
        file.write(encode_header(tensors, entries, stored.metadata))
        for key in tensors:
            entries[key] = add_hashed(file, stored, key, arrays[key], entries[key], count)
        file.seek(0)
        file.write(encode_header(tensors, entries, stored.metadata))


def expected_entry(stored: Stored, key: str, arrays: Snapshot) -> Entry:
    """Return the manifest entry of an array, with zeros instead of the checksum."""
    return Entry(stored.kinds.get(key, "param"), *arrays.layout(key), "0" * 64)


def add_hashed(
    file: IO[bytes],
    stored: Stored,
    key: str,
    array: NDArray[Any],
    expected: Entry,
    count: CountBytes,
) -> Entry:
    """Write an array while another thread hashes it; return its manifest entry."""
    array = storable(key, array)
    if (array.shape, array.dtype.name) != (expected.shape, expected.dtype):
        raise SaveError(f"{key!r} got another shape or dtype during the save; save it again")
    entry = hash_while_writing(lambda array: file.write(as_bytes(array)), stored, key, array)
    count(array.nbytes)
    return entry


def encode_header(
    tensors: Mapping[str, Any], entries: Mapping[str, Entry], metadata: Mapping[str, str]
) -> bytes:
    """Encode a header: the length of the JSON, then the JSON, padded to a multiple of 8 bytes.

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
    """Return the contents of a file.

    Raises:
        FormatError: the file is damaged, is not safetensors, or has a dtype that NumPy lacks.
        LimitError: the file is larger than the limit.
        MissingPackage: safetensors is not installed.
        OSError: the file cannot be opened.
    """
    with open_checked(path, limits) as (file, header):
        start = file.tell()
        outlines = outlines_of(file, header)
        with progress_bar(
            f"loading {path.name}", sum(x.nbytes for x in outlines.values())
        ) as count:
            arrays = {
                key: read_array(file, start, key, header[key], outline, count)
                for key, outline in outlines.items()
            }
        return compare_manifest(arrays, metadata_of(header), verify=True)


def headers(path: Path, limits: Limits) -> Stored:
    """Return the contents of a file with an `outline` instead of each array.

    Raises:
        FormatError, LimitError, MissingPackage, OSError: as for `read`.
    """
    with open_checked(path, limits) as (file, header):
        return compare_manifest(outlines_of(file, header), metadata_of(header), verify=False)


def compare_manifest(
    arrays: Mapping[str, NDArray[Any]], metadata: dict[str, str], verify: bool
) -> Stored:
    """Compare the arrays of a file with its manifest, if any; return the contents."""
    content, sign = metadata.pop(MANIFEST, None), metadata.pop(SIGN, None)
    if content is None and sign is None:
        return Stored(arrays, metadata=metadata)
    if content is None or hashlib.sha256(content.encode()).hexdigest() != sign:
        raise FormatError("the manifest is damaged")
    manifest = decode(content.encode())
    manifest.check(arrays, verify)
    if dict(manifest.metadata) != metadata:
        raise FormatError("damaged: metadata and manifest differ")
    return Stored({key: arrays[key] for key in manifest.entries}, manifest.kinds, metadata)


@contextmanager
def open_checked(path: Path, limits: Limits) -> Iterator[tuple[BinaryIO, dict[str, Any]]]:
    """Open a file, check its size and layout, and read its header; format errors contain the path.

    The library safetensors checks that every byte belongs to exactly one array.
    """
    package = import_safetensors()
    with open_regular(path) as file:
        try:
            size = file.seek(0, 2)
            if size == 0:
                raise FormatError("is empty; was a save interrupted?")
            if size > limits.max_bytes + MAX_HEADER:
                raise LimitError(
                    f"takes {size:.3g} bytes, the limit is {limits.max_bytes:.3g}; pass "
                    "max_bytes= if you trust it"
                )
            file.seek(0)
            header = read_header(file, size)
            try:
                package.safe_open(path, framework="np")
            except package.SafetensorError as error:
                raise damage_error(error) from error
            yield file, header
        except FormatError as error:
            raise type(error)(f"{path}: {error}") from error.__cause__


def read_array(
    file: BinaryIO,
    start: int,
    key: str,
    entry: Mapping[str, Any],
    outline: NDArray[Any],
    count: CountBytes,
) -> NDArray[Any]:
    """Read one array of the shape and dtype of ``outline``; the header ends at byte ``start``."""
    is_bfloat16 = entry["dtype"] == "BF16"
    stored = np.empty(outline.shape, "<u2" if is_bfloat16 else outline.dtype.newbyteorder("<"))
    content = as_bytes(stored)
    file.seek(start + entry["data_offsets"][0])
    filled = 0
    while filled < len(content) and (n := file.readinto(content[filled:])):  # type: ignore[attr-defined]
        filled += n
    if filled < len(content):
        raise FormatError(f"{key!r} is cut off")
    count(outline.nbytes)
    if not is_bfloat16:
        return stored.astype(outline.dtype, copy=False)
    wide = stored.astype(np.uint32)  # bfloat16 is the upper 16 bits of float32
    wide <<= 16
    return wide.view(np.float32)


def needs() -> str:
    """Return a hint on installing safetensors, or an empty string if it is installed."""
    try:
        import_safetensors()
    except MissingPackage:
        return f"needs safetensors: {INSTALL}"
    return ""
