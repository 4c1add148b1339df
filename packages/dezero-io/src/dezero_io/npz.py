"""Weights as .npz: a zip of .npy members, one an array, and a manifest among them.

The manifest (member ``__dezero__.npy``: JSON as bytes) holds the format version and the kind
of each key. Files without one, as the book's framework writes them, are read too.
"""

from __future__ import annotations

import json
import stat
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZIP_STORED, BadZipFile, ZipFile, ZipInfo

import numpy as np
from numpy.lib import format as npy

from dezero_core.errors import FormatError, SaveError
from dezero_core.extend import Stored

from .atomic import atomic_file

FORMAT = 1
"""Version of the layout; a file of a later one is refused."""

MANIFEST = "__dezero__"


def write(path: Path, stored: Stored) -> None:
    """Put ``stored`` at ``path``, replacing what was there when all is written.

    Raises:
        SaveError: an array does not hold numbers, or a key cannot be one.
        OSError: the file cannot be written; an earlier one is untouched.
    """
    for key, array in stored.arrays.items():
        if array.dtype.kind not in "biufc":
            raise SaveError(f"{key!r} holds {array.dtype}; weights are numbers")
        if not key or key == MANIFEST:
            raise SaveError(f"{key!r} cannot be the key of a parameter")
    manifest = json.dumps({"format": FORMAT, "kinds": dict(stored.kinds)}).encode()
    with atomic_file(path) as file, ZipFile(file, "w", ZIP_STORED) as archive:
        _add(archive, MANIFEST, np.frombuffer(manifest, dtype=np.uint8))
        for key, array in stored.arrays.items():
            _add(archive, key, array)


def _add(archive: ZipFile, key: str, array: Any) -> None:
    # a fixed date: equal weights give equal files
    member = ZipInfo(f"{key}.npy", date_time=(1980, 1, 1, 0, 0, 0))
    with archive.open(member, "w", force_zip64=True) as stream:
        npy.write_array(stream, np.asarray(array), allow_pickle=False)


def read(path: Path) -> Stored:
    """The arrays in the file at ``path``, and their kinds if it says.

    Raises:
        FormatError: it is no such file, is damaged, or was written by a later version.
        OSError: it cannot be opened.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        raise FormatError(f"{path} is not a regular file")
    with path.open("rb") as file:
        start = file.read(6)
        if not start:
            raise FormatError(f"{path} is empty; was a save interrupted?")
        if start == b"\x93NUMPY":
            raise FormatError(f"{path} is a single array; read it with numpy.load")
        try:
            with ZipFile(file) as archive:
                arrays = _read_all(archive)
        except FormatError as error:
            raise FormatError(f"{path}: {error}") from error.__cause__
        except (BadZipFile, NotImplementedError, UnicodeDecodeError, OverflowError) as error:
            raise FormatError(f"{path} is cut off, damaged, or no npz file: {error}") from error
    kinds = _kinds(path, arrays.pop(MANIFEST, None), set(arrays))
    return Stored(arrays, kinds)


def _read_all(archive: ZipFile) -> dict[str, Any]:
    arrays: dict[str, Any] = {}
    for member in archive.infolist():
        key = member.filename.removesuffix(".npy")
        if key == member.filename or key in arrays:
            raise FormatError(f"{key!r} is no array, or is there twice")
        try:
            # reads to the end of the member, which is where its checksum is verified
            stream = BytesIO(archive.read(member))
            array = npy.read_array(stream, allow_pickle=False)
        except Exception as error:  # zip and NumPy report damage in a dozen types
            raise FormatError(f"{key!r} is damaged or no plain array: {error}") from error
        if array.dtype.kind not in "biufc" or stream.read(1):
            raise FormatError(f"{key!r} is damaged or holds {array.dtype}; weights are numbers")
        arrays[key] = np.ascontiguousarray(array, array.dtype.newbyteorder("=")).reshape(
            array.shape
        )
    return arrays


def _kinds(path: Path, manifest: Any, keys: set[str]) -> dict[str, str]:
    """The manifest's kinds, once it has been checked against what is in the file."""
    if manifest is None:
        return {}
    try:
        said = json.loads(manifest.tobytes())
        version, kinds = said["format"], said["kinds"]
    except (ValueError, KeyError, TypeError) as error:
        raise FormatError(f"{path}: the manifest is damaged") from error
    if not isinstance(version, int) or version > FORMAT:
        raise FormatError(f"{path} was written by format {version}; this version reads {FORMAT}")
    if not isinstance(kinds, dict) or set(kinds) != keys:
        raise FormatError(f"{path} is damaged: manifest and arrays list different keys")
    return kinds
