"""Save and load weights as .npz: a zip with one .npy member per array, and a manifest.

`numpy.load` can read these .npz files too. Files of `numpy.savez` and `numpy.savez_compressed`,
such as those of the book's framework, have no manifest; they can be read too. A file is not
trusted: everything in it is validated before NumPy parses it, and then compared with the manifest.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from dezero_core.errors import FormatError, LimitError, SaveError
from dezero_core.extend import Limits, Stored

from .files import atomic_file
from .manifest import (
    NAME,
    Entry,
    Manifest,
    as_bytes,
    decode,
    hash_while_writing,
    snapshot,
    storable,
)
from .npz_members import (
    CHUNK,
    MAX_MEMBERS,
    checked_members,
    open_archive,
    read_array,
    read_outline,
)
from .progress import CountBytes, progress_bar

MAX_MANIFEST = 64 << 20
"""The largest manifest that is read, in bytes."""

SIGN = b"dezero"
"""The zip comment of an archive that contains a manifest."""

RAW = -15
"""zlib's ``wbits`` for a deflate stream without a zlib header, as in zip files."""

LEVEL = 1
"""The compression level. Higher levels do not make files of trained weights smaller."""


def write(path: Path, stored: Stored) -> None:
    """Write ``stored`` to ``path``; replace an existing file when the new one is complete.

    Raises:
        SaveError: there are too many arrays, an array does not hold numbers, or a key is not safe.
        OSError: the file cannot be written; an existing file does not change.
    """
    method = ZIP_DEFLATED if stored.compress else ZIP_STORED
    entries: dict[str, Entry] = {}
    if len(stored.arrays) >= MAX_MEMBERS:
        raise SaveError(f"{path}: {len(stored.arrays)} arrays; at most {MAX_MEMBERS - 1} fit")
    with atomic_file(path) as file, ZipFile(file, "w", method, compresslevel=LEVEL) as archive:
        with progress_bar(f"saving {path.name}") as count:
            arrays = snapshot(stored)
            for key in arrays:
                entries[key] = add_hashed(archive, stored, key, arrays[key], count)
        archive.comment = SIGN
        manifest = Manifest(entries, stored.metadata).encode()
        add(archive, NAME, np.frombuffer(manifest, dtype=np.uint8))


def add_hashed(
    archive: ZipFile, stored: Stored, key: str, array: NDArray[Any], count: CountBytes
) -> Entry:
    """Write an array while another thread hashes it; return its manifest entry."""
    entry = hash_while_writing(partial(add, archive, key), stored, key, storable(key, array))
    count(array.nbytes)
    return entry


def add(archive: ZipFile, key: str, array: NDArray[Any]) -> None:
    """Write an array as a member with a fixed date, so that equal weights give equal files."""
    member = ZipInfo(f"{key}.npy", date_time=(1980, 1, 1, 0, 0, 0))
    member.compress_type = archive.compression
    with archive.open(member, "w", force_zip64=True) as stream:
        use_fast_deflate(stream)
        npy.write_array_header_1_0(stream, npy.header_data_from_array_1_0(array))
        content = as_bytes(array)
        for start in range(0, len(content), CHUNK):  # in chunks, because deflate copies its input
            stream.write(content[start : start + CHUNK])


def use_fast_deflate(stream: Any) -> None:
    """Compress an open member with ISA-L, if it is installed (`dezero-io[fast]`).

    ISA-L is several times as fast as zlib; its output is a few percent larger. `zipfile` has no
    public way to choose a compressor, so this function sets a private attribute.
    """
    try:
        isal_zlib = import_module("isal.isal_zlib")
    except ImportError:
        return
    if stream._compressor is not None:
        stream._compressor = isal_zlib.compressobj(LEVEL, isal_zlib.DEFLATED, RAW)


def read(path: Path, limits: Limits) -> Stored:
    """Return the contents of a file.

    Raises:
        FormatError: the file is damaged, is not an npz file, or has a later manifest version.
        LimitError: the file declares more bytes or members than allowed.
        OSError: the file cannot be opened.
    """
    with open_archive(path) as archive:
        members = checked_members(archive, limits)
        total = sum(member.file_size for member in members.values())
        with progress_bar(f"loading {path.name}", total) as count:
            arrays = {key: read_array(archive, key, m, count) for key, m in members.items()}
        return compare_manifest(archive, arrays.pop(NAME, None), arrays, limits.verify)


def headers(path: Path, limits: Limits) -> Stored:
    """Return the contents of a file with an `outline` instead of each array.

    Only the first 4 KiB of each array and the whole manifest are read.

    Raises:
        FormatError, LimitError, OSError: as for `read`.
    """
    with open_archive(path) as archive:
        members = checked_members(archive, limits)
        member = members.pop(NAME, None)
        arrays = {key: read_outline(archive, key, m) for key, m in members.items()}
        content = None if member is None else manifest_bytes(archive, member)
        return compare_manifest(archive, content, arrays, False)


def read_manifest(path: Path) -> Manifest | None:
    """Return the manifest of a file, or None if the file has none; read no arrays.

    Raises:
        FormatError, LimitError, OSError: as for `read`.
    """
    with open_archive(path) as archive:
        member = checked_members(archive, Limits(sys.maxsize)).get(NAME)
        return None if member is None else decode(manifest_bytes(archive, member).tobytes())


def manifest_bytes(archive: ZipFile, member: ZipInfo) -> NDArray[Any]:
    """Read the manifest of an archive; return its bytes as an array."""
    if member.file_size > MAX_MANIFEST:
        raise LimitError(f"a manifest of {member.file_size:.3g} bytes")
    return read_array(archive, NAME, member, lambda n: None)


def compare_manifest(
    archive: ZipFile,
    content: NDArray[Any] | None,
    arrays: Mapping[str, NDArray[Any]],
    verify: bool,
) -> Stored:
    """Compare the arrays of a file with its manifest, if any; return the contents."""
    manifest = None if content is None else decode(content.tobytes())
    if manifest is not None:
        manifest.check(arrays, verify)
    if (manifest is not None) != (archive.comment == SIGN):
        raise FormatError("damaged: the manifest, or the end of the file, is missing")
    if manifest is None:
        return Stored(arrays)
    return Stored(arrays, manifest.kinds, manifest.metadata)
