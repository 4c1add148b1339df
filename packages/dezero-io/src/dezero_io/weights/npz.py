"""Weights as .npz: a zip of .npy members, one an array, and a manifest as the last of them.

Plain `numpy.load` reads these files. Files of `numpy.savez` and `numpy.savez_compressed`, such as
the book's framework writes, have no manifest and are read too.

A file from elsewhere is not believed. Before NumPy sees an array, its member must be stored or
deflated, apart from all others and as large as its header says; together they must be within the
limits. Every element is read, so that zip's checksums are compared; they are then held against
the manifest.
"""

from __future__ import annotations

import errno
import struct
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from io import BytesIO
from math import prod
from pathlib import Path
from typing import IO, Any, NamedTuple
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

import numpy as np
from numpy.lib import format as npy

from dezero_core.errors import FormatError, LimitError, SaveError
from dezero_core.extend import Limits, Stored

from .files import atomic_file, open_regular
from .manifest import (
    NAME,
    Entry,
    Manifest,
    as_bytes,
    copies,
    decode,
    hashed_while,
    is_safe,
    outline,
    storable,
)
from .progress import Counted, counted

MOST_MEMBERS = 10_000
MOST_AXES = 32
LONGEST_HEADER = 4096
"""Bytes of an array's header: what NumPy writes takes 128 or a few more."""

LONGEST_MANIFEST = 64 << 20

SIGN = b"dezero"
"""The archive's comment, the end of the file: where it is, there is a manifest."""

FOREIGN = {
    2: "bfloat16 (V2), which NumPy lacks; convert it to float32, or save it as .safetensors",
    1: "float8 or another dtype of one byte (V1), which NumPy lacks; convert it to float32",
}
"""Dtypes of the package ml_dtypes by size in bytes; NumPy saves them as bytes without a dtype."""

FLOAT8 = "'<f1'"
"""NumPy's name for a float8 dtype in a header that NumPy then cannot read."""

CHUNK = 1 << 20
"""Number of bytes to deflate or inflate at a time."""

RAW = -15
"""The window bits of zlib for a deflate stream without a header, as zip files contain."""

LEVEL = 1
"""The compression level: trained weights look random, and a higher one makes them no smaller."""

KNOWN = {
    b"\x93NUMPY": "a single array; read it with numpy.load",
    b"\x89HDF\r\n\x1a\n": "an HDF5 file",
    b"\x89PNG": "a PNG picture",
    b"\x80\x02": "a pickle, which is never read",
    b"\x80\x04": "a pickle, which is never read",
    b"\x80\x05": "a pickle, which is never read",
}
"""How files begin that are taken for weights."""


def write(path: Path, stored: Stored) -> None:
    """Put ``stored`` at ``path``, replacing what was there when all is written.

    Raises:
        SaveError: an array does not hold numbers, or a key cannot be one.
        OSError: the file cannot be written; an earlier one is untouched.
    """
    method = ZIP_DEFLATED if stored.compress else ZIP_STORED
    entries: dict[str, Entry] = {}
    if len(stored.arrays) >= MOST_MEMBERS:
        raise SaveError(f"{path}: {len(stored.arrays)} arrays; at most {MOST_MEMBERS - 1} fit")
    with atomic_file(path) as file, ZipFile(file, "w", method, compresslevel=LEVEL) as archive:
        with counted(f"saving {path.name}") as done:
            arrays = copies(stored)
            for key in arrays:
                entries[key] = _add_hashed(archive, stored, key, arrays[key], done)
        archive.comment = SIGN
        manifest = Manifest(entries, stored.metadata).encode()
        _add(archive, NAME, np.frombuffer(manifest, dtype=np.uint8))


def _add_hashed(archive: ZipFile, stored: Stored, key: str, array: Any, done: Counted) -> Entry:
    """Write an array and hash it on another thread; return its entry in the manifest."""
    entry = hashed_while(partial(_add, archive, key), stored, key, storable(key, array))
    done(array.nbytes)
    return entry


def _add(archive: ZipFile, key: str, array: Any) -> None:
    # a fixed date: equal weights give equal files
    member = ZipInfo(f"{key}.npy", date_time=(1980, 1, 1, 0, 0, 0))
    member.compress_type = archive.compression
    with archive.open(member, "w", force_zip64=True) as stream:
        accelerate(stream)
        npy.write_array_header_1_0(stream, npy.header_data_from_array_1_0(array))
        content = as_bytes(array)
        for start in range(0, len(content), CHUNK):  # deflate copies its input
            stream.write(content[start : start + CHUNK])


def accelerate(stream: Any) -> None:
    """Let ISA-L deflate a member that is open for writing, if installed (`dezero-io[fast]`).

    ISA-L is several times as fast as zlib, and its output a few percent larger. `zipfile` has no
    public way to choose a compressor: only this function uses a private attribute of it.
    """
    try:
        isal_zlib = import_module("isal.isal_zlib")
    except ImportError:
        return
    if stream._compressor is not None:
        stream._compressor = isal_zlib.compressobj(LEVEL, isal_zlib.DEFLATED, RAW)


def read(path: Path, limits: Limits) -> Stored:
    """The arrays in the file at ``path``, and what it says of them.

    Raises:
        FormatError: it is no such file, is damaged, or was written by a later version.
        LimitError: it declares more than ``limits`` allow.
        OSError: it cannot be opened.
    """
    with opened(path) as archive:
        members = checked_members(archive, limits)
        with counted(f"loading {path.name}", sum(m.file_size for m in members.values())) as done:
            arrays = {key: _array(archive, key, m, done) for key, m in members.items()}
        return _checked(archive, arrays.pop(NAME, None), arrays, limits.verify)


def headers(path: Path, limits: Limits) -> Stored:
    """Return the contents that the file at ``path`` declares, with arrays that take no memory.

    Only the first kilobytes of each member are read, and the whole manifest.

    Raises:
        FormatError, LimitError, OSError: as for `read`.
    """
    with opened(path) as archive:
        members = checked_members(archive, limits)
        manifest = members.pop(NAME, None)
        arrays = {key: _outline(archive, key, member) for key, member in members.items()}
        said = None if manifest is None else _manifest(archive, manifest)
        return _checked(archive, said, arrays, False)


def _checked(archive: ZipFile, said: Any, arrays: dict[str, Any], verify: bool) -> Stored:
    """Return the arrays of a file, compared with its manifest, if it has one."""
    manifest = None if said is None else decode(said.tobytes())
    if manifest is not None:
        manifest.check(arrays, verify)
    if (manifest is not None) != (archive.comment == SIGN):
        raise FormatError("damaged: the manifest, or the end of the file, is missing")
    if manifest is None:
        return Stored(arrays)
    return Stored(arrays, manifest.kinds, manifest.metadata)


def read_manifest(path: Path) -> Manifest | None:
    """What the file says of itself, however long its arrays are; None if it says nothing.

    Raises:
        FormatError, LimitError, OSError: as for `read`.
    """
    with opened(path) as archive:
        member = checked_members(archive, Limits(sys.maxsize)).get(NAME)
        if member is None:
            return None
        return decode(_manifest(archive, member).tobytes())


def _manifest(archive: ZipFile, member: ZipInfo) -> Any:
    """Return the bytes of the manifest as an array."""
    if member.file_size > LONGEST_MANIFEST:
        raise LimitError(f"a manifest of {member.file_size:.3g} bytes")
    return _array(archive, NAME, member, lambda count: None)


@contextmanager
def opened(path: Path) -> Iterator[ZipFile]:
    """The archive at ``path``; whatever goes wrong with it comes out as `FormatError`."""
    with open_regular(path) as file:
        start = file.read(8)
        if not start:
            raise FormatError(f"{path} is empty; was a save interrupted?")
        for magic, what in KNOWN.items():
            if start.startswith(magic):
                raise FormatError(f"{path} is {what}")
        try:
            with ZipFile(file) as archive:
                yield archive
        except FormatError as error:
            raise type(error)(f"{path}: {error}") from error.__cause__
        except OSError as error:
            if error.errno != errno.EINVAL:  # that one is a seek to where no file can be
                raise
            raise damaged(path, error) from error
        except Exception as error:  # zip reports damage in a dozen types
            raise damaged(path, error) from error


def damaged(path: Path, error: Exception) -> FormatError:
    """What is raised for a file that is no archive."""
    return FormatError(f"{path} is cut off, damaged, or no npz file: {error}")


def checked_members(archive: ZipFile, limits: Limits) -> dict[str, ZipInfo]:
    """The members by key, all of them such as can be arrays of a file of weights."""
    infos = archive.infolist()
    if not infos:
        raise FormatError("no arrays in the file")
    if len(infos) > MOST_MEMBERS:
        raise LimitError(f"{len(infos)} members; at most {MOST_MEMBERS} are read")
    members: dict[str, ZipInfo] = {}
    for info in infos:
        if info.filename.endswith("data.pkl"):
            raise FormatError(
                "a file of torch.save, a pickle, which is never read; save it with "
                "safetensors.torch.save_file, and read it with load_pytorch_weights"
            )
        key = info.filename.removesuffix(".npy")
        if key == info.filename:
            raise FormatError(f"{info.filename!r} is no array")
        if key in members:
            raise FormatError(f"key {key!r} is there twice")
        if key != NAME and not is_safe(key):
            raise FormatError(f"unsafe key {key!r}")
        if info.flag_bits & 1 or info.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
            how = "encrypted" if info.flag_bits & 1 else f"packed by method {info.compress_type}"
            raise FormatError(f"{key!r} is {how}; members are stored or deflated")
        members[key] = info
    ordered = sorted(infos, key=lambda info: info.header_offset)
    ends = [info.header_offset + 30 + info.compress_size for info in ordered]
    starts = [info.header_offset for info in ordered[1:]] + [archive.start_dir]
    if any(end > start for end, start in zip(ends, starts, strict=True)):
        raise FormatError("members overlap")
    declared = sum(info.file_size for info in infos)
    if declared > limits.max_bytes:
        raise LimitError(
            f"declares {declared:.3g} bytes, the limit is {limits.max_bytes:.3g}; pass max_bytes= "
            "if you trust it"
        )
    return members


class Header(NamedTuple):
    """What a member says before its elements."""

    shape: tuple[int, ...]
    fortran: bool
    dtype: Any
    length: int


def _array(archive: ZipFile, key: str, member: ZipInfo, done: Counted) -> Any:
    """One array, native and in C order, once everything about it has been checked."""
    with _member(archive, key, member) as stream:
        start = stream.read(LONGEST_HEADER + 12)
        header = parsed(key, start, member)
        array = np.empty(prod(header.shape), header.dtype)
        if array.size:
            _fill(array, start[header.length :], archive, member, stream)
        crc = zlib.crc32(as_bytes(array), zlib.crc32(start[: header.length]))
        if crc != member.CRC:
            raise FormatError(f"{key!r} is damaged: its checksum differs")
    done(array.nbytes)
    order: Any = "F" if header.fortran else "C"
    shaped = array.reshape(header.shape, order=order)
    return shaped.astype(header.dtype.newbyteorder("="), order="C", copy=False)


def _outline(archive: ZipFile, key: str, member: ZipInfo) -> Any:
    """Return an array with the shape and dtype of a member, without memory."""
    with _member(archive, key, member) as stream:
        header = parsed(key, stream.read(LONGEST_HEADER + 12), member)
        return outline(header.shape, header.dtype.newbyteorder("="))


@contextmanager
def _member(archive: ZipFile, key: str, member: ZipInfo) -> Iterator[IO[bytes]]:
    """Open a member; convert errors to `FormatError` with its name."""
    try:
        with archive.open(member) as stream:
            yield stream
    except (FormatError, MemoryError):
        raise
    except OSError as error:
        if error.errno is not None and error.errno != errno.EINVAL:
            raise
        raise FormatError(f"{key!r} is damaged: {error}") from error
    except Exception as error:  # zip, zlib and NumPy report damage in a dozen types
        raise FormatError(f"{key!r} is damaged or no plain array: {error}") from error


def parsed(key: str, start: bytes, member: ZipInfo) -> Header:
    """The header of an array that fills its member, and holds numbers."""
    stream = BytesIO(start)
    version = npy.read_magic(stream)
    if version not in ((1, 0), (2, 0)):
        raise FormatError(f"{key!r}: array header of version {version}")
    reader = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    try:
        shape, fortran, dtype = reader(stream, max_header_size=LONGEST_HEADER)
    except ValueError as error:
        if FLOAT8 in str(error):
            raise FormatError(
                f"{key!r} holds float8, which NumPy lacks; convert it to float32"
            ) from error
        raise
    if len(shape) > MOST_AXES or any(type(n) is not int or n < 0 for n in shape):
        raise FormatError(f"{key!r}: shape {shape} is not valid")
    if dtype.kind not in "biufc":
        if dtype.kind == "V" and dtype.names is None and dtype.itemsize in FOREIGN:
            raise FormatError(f"{key!r} holds {FOREIGN[dtype.itemsize]}")
        what = "Python objects, which are never read" if dtype.hasobject else str(dtype)
        raise FormatError(f"{key!r} holds {what}; weights are numbers")
    said, there = prod(shape) * dtype.itemsize, member.file_size - stream.tell()
    if said != there:
        raise FormatError(f"{key!r}: header says {said:.3g} bytes, the member has {there:.3g}")
    return Header(shape, fortran, dtype, stream.tell())


def _fill(array: Any, start: bytes, archive: ZipFile, member: ZipInfo, stream: IO[bytes]) -> None:
    """Put a member's elements into ``array``; ``start`` are those that have been read."""
    room = memoryview(as_bytes(array))
    room[: len(start)] = start
    filled, file = len(start), archive.fp
    if member.compress_type == ZIP_STORED and file is not None:  # without copies on the way
        file.seek(member.header_offset + 26)
        name, extra = struct.unpack("<HH", file.read(4))
        file.seek(member.header_offset + 30 + name + extra + member.file_size - len(room) + filled)
        while filled < len(room) and (count := file.readinto(room[filled:])):  # type: ignore[attr-defined]
            filled += count
    else:
        while filled < len(room) and (chunk := stream.read(min(CHUNK, len(room) - filled))):
            room[filled : filled + len(chunk)] = chunk
            filled += len(chunk)
    if filled < len(room):
        raise FormatError(f"{member.filename.removesuffix('.npy')!r} is cut off")
