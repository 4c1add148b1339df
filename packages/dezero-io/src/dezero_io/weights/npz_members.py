"""Read an npz file member by member, and validate each member before NumPy parses it.

A member must be stored or deflated, must not overlap another member, and must be as large as its
header says; all members together must be within the limits. Each array is read completely, so that
`zipfile` checks the CRC-32 of the member.
"""

from __future__ import annotations

import errno
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from math import prod
from pathlib import Path
from typing import IO, Any, Literal, NamedTuple
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from dezero_core.errors import FormatError, LimitError
from dezero_core.extend import Limits

from .files import open_regular
from .manifest import NAME, as_bytes, is_safe, outline
from .progress import CountBytes

MAX_MEMBERS = 10_000

MAX_AXES = 32

MAX_HEADER = 4096
"""The largest .npy header that is read, in bytes; NumPy writes headers of about 128 bytes."""

MAX_ATTEMPTS = 10
"""The number of attempts to parse a header while `ast` raises SystemError; see `read_header`."""

MISSING_DTYPES = {
    2: "bfloat16 (V2), which NumPy lacks; convert it to float32, or save it as .safetensors",
    1: "float8 or another dtype of one byte (V1), which NumPy lacks; convert it to float32",
}
"""A dictionary from itemsizes to descriptions of dtypes that NumPy saves only as raw bytes."""

FLOAT8 = "'<f1'"
"""The dtype that NumPy writes to the header of a float8 array, but cannot read."""

CHUNK = 1 << 20
"""The number of bytes to deflate or inflate at a time, chosen to limit memory.

Writing and reading take the same time for all chunk sizes from 256 KiB to 4 MiB.
"""

OTHER_FILES = {
    b"\x93NUMPY": "a single array; read it with numpy.load",
    b"\x89HDF\r\n\x1a\n": "an HDF5 file",
    b"\x89PNG": "a PNG picture",
    b"\x80\x02": "a pickle, which is never read",
    b"\x80\x04": "a pickle, which is never read",
    b"\x80\x05": "a pickle, which is never read",
}
"""A dictionary from the first bytes of a file to a description of its file type."""


@contextmanager
def open_archive(path: Path) -> Iterator[ZipFile]:
    """Open an npz file; convert errors to a `FormatError` that names the file.

    Raises:
        FormatError: the file is empty, damaged, or not an npz file.
        OSError: the file cannot be opened.
    """
    with open_regular(path) as file:
        start = file.read(8)
        if not start:
            raise FormatError(f"{path} is empty; was a save interrupted?")
        for magic, description in OTHER_FILES.items():
            if start.startswith(magic):
                raise FormatError(f"{path} is {description}")
        try:
            with ZipFile(file) as archive:
                yield archive
        except FormatError as error:
            raise type(error)(f"{path}: {error}") from error.__cause__
        except OSError as error:
            if error.errno != errno.EINVAL:  # EINVAL: the directory has a negative offset
                raise
            raise damage_error(path, error) from error
        except Exception as error:  # zipfile raises many types of errors for damage
            raise damage_error(path, error) from error


def damage_error(path: Path, error: Exception) -> FormatError:
    """Return the error for a file that cannot be read as npz."""
    return FormatError(f"{path} is cut off, damaged, or no npz file: {error}")


def checked_members(archive: ZipFile, limits: Limits) -> dict[str, ZipInfo]:
    """Return a dictionary from keys to members; check names, compression, offsets and sizes.

    Raises:
        FormatError: a member cannot be an array of a weight file, or two members overlap.
        LimitError: there are too many members, or the members declare more bytes than allowed.
    """
    infos = [info for info in archive.infolist() if not info.is_dir()]  # ``zip -r`` adds folders
    if not infos:
        raise FormatError("no arrays in the file")
    if len(infos) > MAX_MEMBERS:
        raise LimitError(f"{len(infos)} members; at most {MAX_MEMBERS} are read")
    members: dict[str, ZipInfo] = {}
    for info in infos:
        key = checked_key(info)
        if key in members:
            raise FormatError(f"key {key!r} occurs twice")
        members[key] = info
    require_separate(infos, archive.start_dir)
    declared = sum(info.file_size for info in infos)
    if declared > limits.max_bytes:
        raise LimitError(
            f"declares {declared:.3g} bytes, the limit is {limits.max_bytes:.3g}; pass max_bytes= "
            "if you trust it"
        )
    return members


def checked_key(info: ZipInfo) -> str:
    """Check the name and compression method of a member; return its key."""
    if info.filename.endswith("data.pkl"):
        raise FormatError(
            "a file of torch.save, a pickle, which is never read; save it with "
            "safetensors.torch.save_file, and read it with load_pytorch_weights"
        )
    key = info.filename.removesuffix(".npy")
    if key == info.filename:
        raise FormatError(f"{info.filename!r} is not an array")
    if key != NAME and not is_safe(key):
        raise FormatError(f"unsafe key {key!r}")
    is_encrypted = info.flag_bits & 1
    if is_encrypted or info.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
        how = "encrypted" if is_encrypted else f"packed by method {info.compress_type}"
        raise FormatError(f"{key!r} is {how}; members are stored or deflated")
    return key


def require_separate(infos: list[ZipInfo], directory: int) -> None:
    """Check that no member overlaps another one, or the zip's directory at byte ``directory``."""
    ordered = sorted(infos, key=lambda info: info.header_offset)
    ends = [info.header_offset + 30 + info.compress_size for info in ordered]
    starts = [info.header_offset for info in ordered[1:]] + [directory]
    if any(end > start for end, start in zip(ends, starts, strict=True)):
        raise FormatError("members overlap")


class Header(NamedTuple):
    """Store the header of an .npy array; ``length`` is the size of the header in bytes."""

    shape: tuple[int, ...]
    fortran: bool
    dtype: np.dtype[Any]
    length: int


def read_array(archive: ZipFile, key: str, member: ZipInfo, count: CountBytes) -> NDArray[Any]:
    """Read and check one array; return it in native byte order and C order."""
    with open_member(archive, key, member) as stream:
        start = stream.read(MAX_HEADER + 12)
        header = parse_header(key, start, member)
        array = np.empty(prod(header.shape), header.dtype)
        if array.size:
            fill(array, start[header.length :], archive, member, stream)
        crc = zlib.crc32(as_bytes(array), zlib.crc32(start[: header.length]))
        if crc != member.CRC:
            raise FormatError(f"{key!r} is damaged: its checksum differs")
    count(array.nbytes)
    order: Literal["F", "C"] = "F" if header.fortran else "C"
    shaped = array.reshape(header.shape, order=order)
    return shaped.astype(header.dtype.newbyteorder("="), order="C", copy=False)


def read_outline(archive: ZipFile, key: str, member: ZipInfo) -> NDArray[Any]:
    """Return an `outline` of a member: its shape and dtype, without its data."""
    with open_member(archive, key, member) as stream:
        header = parse_header(key, stream.read(MAX_HEADER + 12), member)
        return outline(header.shape, header.dtype.newbyteorder("="))


@contextmanager
def open_member(archive: ZipFile, key: str, member: ZipInfo) -> Iterator[IO[bytes]]:
    """Open a member; convert errors to a `FormatError` that names its key."""
    try:
        with archive.open(member) as stream:
            yield stream
    except (FormatError, MemoryError):
        raise
    except OSError as error:
        if error.errno is not None and error.errno != errno.EINVAL:
            raise
        raise FormatError(f"{key!r} is damaged: {error}") from error
    except Exception as error:  # zipfile, zlib and NumPy raise many types of errors
        raise FormatError(f"{key!r} is damaged or not a plain array: {error}") from error


def parse_header(key: str, start: bytes, member: ZipInfo) -> Header:
    """Parse an .npy header; check that the array is numeric and fills its member exactly."""
    stream = BytesIO(start)
    version = npy.read_magic(stream)
    if version not in ((1, 0), (2, 0)):
        raise FormatError(f"{key!r}: array header of version {version}")
    try:
        shape, fortran, dtype = read_header(stream, version)
    except ValueError as error:
        if FLOAT8 in str(error):
            raise FormatError(
                f"{key!r} holds float8, which NumPy lacks; convert it to float32"
            ) from error
        raise
    if len(shape) > MAX_AXES or any(type(n) is not int or n < 0 for n in shape):
        raise FormatError(f"{key!r}: shape {shape} is not valid")
    require_numbers(key, dtype)
    declared, present = prod(shape) * dtype.itemsize, member.file_size - stream.tell()
    if declared != present:
        raise FormatError(
            f"{key!r}: the header declares {declared:.3g} bytes, the member has {present:.3g}"
        )
    return Header(shape, fortran, dtype, stream.tell())


def read_header(stream: BytesIO, version: tuple[int, int]) -> tuple[Any, bool, np.dtype[Any]]:
    """Read the shape, whether the order is Fortran's, and the dtype from an .npy header.

    NumPy parses the header by `ast`. In Python before 3.11.8 and 3.12.2, `ast` raises SystemError
    if another thread uses `ast` at the same time (python/cpython#106905). The header is then parsed
    again.
    """
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    start = stream.tell()
    for _ in range(MAX_ATTEMPTS - 1):
        try:
            return read(stream, max_header_size=MAX_HEADER)
        except SystemError:
            stream.seek(start)
    return read(stream, max_header_size=MAX_HEADER)


def require_numbers(key: str, dtype: np.dtype[Any]) -> None:
    """Check that a dtype is numeric; raise `FormatError` if it is not."""
    if dtype.kind in "biufc":
        return
    if dtype.kind == "V" and dtype.names is None and dtype.itemsize in MISSING_DTYPES:
        raise FormatError(f"{key!r} holds {MISSING_DTYPES[dtype.itemsize]}")
    contents = "Python objects, which are never read" if dtype.hasobject else str(dtype)
    raise FormatError(f"{key!r} holds {contents}; weights are numbers")


def fill(
    array: NDArray[Any], start: bytes, archive: ZipFile, member: ZipInfo, stream: IO[bytes]
) -> None:
    """Read the elements of a member into ``array``; ``start`` contains the first bytes."""
    content = as_bytes(array)
    content[: len(start)] = start
    filled, file = len(start), archive.fp
    if member.compress_type == ZIP_STORED and file is not None:  # read directly into the array
        file.seek(member.header_offset + 26)
        name, extra = struct.unpack("<HH", file.read(4))
        end = member.header_offset + 30 + name + extra + member.file_size
        file.seek(end - len(content) + filled)
        while filled < len(content) and (n := file.readinto(content[filled:])):  # type: ignore[attr-defined]
            filled += n
    else:
        while filled < len(content) and (chunk := stream.read(min(CHUNK, len(content) - filled))):
            content[filled : filled + len(chunk)] = chunk
            filled += len(chunk)
    if filled < len(content):
        raise FormatError(f"{member.filename.removesuffix('.npy')!r} is cut off")
