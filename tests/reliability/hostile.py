"""Count the crafted files that do not raise the expected error.

``files()`` creates the files; each has one defect. Loading must raise the expected error within a
second of CPU time and in bounded memory, and must not change the model.
"""

from __future__ import annotations

import io
import pickle
import resource
import struct
import tempfile
import time
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from figures import Figure, fingerprint, script, snapshot

from dezero_core.errors import (
    DtypeMismatch,
    FormatError,
    KeyMismatch,
    LimitError,
    ShapeMismatch,
)
from dezero_core.state import load_weights, named_params, save_weights

LIMIT = 16 << 20
"""The argument ``max_bytes`` of every load."""

MEGABYTES = 0.001


class Hostile(NamedTuple):
    """Store a crafted file, the expected error, and texts for its message, separated by ``|``."""

    name: str
    content: bytes
    error: type[Exception]
    text: str


def npy(header: str | bytes, data: bytes = b"", version: int = 1) -> bytes:
    """Return an .npy file with any header, valid or not."""
    text = header.encode() if isinstance(header, str) else header
    length = struct.pack("<H" if version == 1 else "<I", len(text))
    return b"\x93NUMPY" + bytes([version, 0]) + length + text + data


def header_text(descr: str, shape: str, order: str = "False") -> str:
    """Return the text of an .npy header, as NumPy writes it."""
    return f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}\n"


def zipped(*members: tuple[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    """Return an archive of members with correct checksums."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in members:
            archive.writestr(zipfile.ZipInfo(name), content, compress_type=method)
    return file.getvalue()


def array(x: Any) -> bytes:
    """Return an .npy file, as NumPy writes it."""
    file = io.BytesIO()
    np.save(file, x, allow_pickle=True)
    return file.getvalue()


def patched(content: bytes, at: int, new: bytes) -> bytes:
    """Return ``content`` with the bytes at ``at`` replaced by ``new``."""
    return content[:at] + new + content[at + len(new) :]


def central(content: bytes) -> int:
    """Return the offset of the first entry of the central directory."""
    return content.rindex(b"PK\x01\x02") if content.count(b"PK\x01\x02") == 1 else content.index(
        b"PK\x01\x02"
    )  # fmt: skip


def headers() -> Iterator[Hostile]:
    """Yield files in which an .npy header is invalid or does not match the data."""
    four = bytes(16)
    for shape, text in {
        "(1000000000000,)": "the header declares 4e+12 bytes, the member has 16",
        "(400000000,)": "the header declares 1.6e+09 bytes",
        "(4294967296, 4294967296)": "the header declares",
        "(1" + "0" * 30 + ",)": "the header declares",
        "(3,)": "the header declares 12 bytes",
        "()": "the header declares 4 bytes",
        "(-1,)": "is damaged|not valid",
        "(-4, -1)": "not valid",
        "(True, 4)": "is damaged|not valid",
        "(4.0,)": "is damaged",
        "[4]": "is damaged",
        "(" + "1, " * 33 + ")": "not valid",
        "(4,": "is damaged",
        "(" * 200 + ")" * 200: "is damaged",
        "__import__('os').getcwd()": "is damaged",
    }.items():
        content = zipped(("l0.npy", npy(header_text("'<f4'", shape), four)))
        yield Hostile(f"shape {shape[:24]}", content, FormatError, text)
    for descr, text in {
        "'|V0'": "weights are numbers",
        "'<U0'": "weights are numbers",
        "'|O'": "Python objects, which are never read",
        "[('a', '|O')]": "Python objects, which are never read",
        "[('a', '<f4')]": "weights are numbers",
        "'<U4'": "weights are numbers",
        "'|S4'": "weights are numbers",
        "'<M8[s]'": "weights are numbers",
        "'<m8[s]'": "weights are numbers",
        "'nothing'": "is damaged",
        "1": "is damaged",
    }.items():
        shape = "(1000000000000000,)" if descr.endswith("0'") else "(4,)"
        content = zipped(("l0.npy", npy(header_text(descr, shape), four)))
        yield Hostile(f"dtype {descr}", content, FormatError, text)
    good = header_text("'<f4'", "(4,)")
    for name, content in {
        "no magic": b"\x94NUMPY\x01\x00" + bytes(64),
        "version 3": npy(good, four, 2)[:6] + b"\x03\x00" + npy(good, four, 2)[8:],
        "version 9": npy(good, four)[:6] + b"\x09\x09" + npy(good, four)[8:],
        "long header": npy(good[:-1] + " " * 60_000 + "\n", four),
        "header of 4 GB": b"\x93NUMPY\x02\x00\xff\xff\xff\xff" + good.encode() + four,
        "deep header": npy("[" * 3000 + "]" * 3000, four),
        "binary header": npy(bytes(range(256)), four),
        "nothing": b"",
        "magic alone": b"\x93NUMPY\x01\x00",
    }.items():
        yield Hostile(f"header: {name}", zipped(("l0.npy", content)), FormatError, "'l0'")


def archives(whole: bytes) -> Iterator[Hostile]:
    """Yield archives that are damaged, of another format, or too large."""
    one, zeros = array(np.ones(4, "float32")), array(np.zeros(1 << 28, "uint8"))
    yield Hostile("empty", b"", FormatError, "is empty; was a save interrupted")
    yield Hostile("cut off", whole[: len(whole) // 2], FormatError, "cut off, damaged")
    yield Hostile("a byte short", whole[:-1], FormatError, "the end of the file, is missing")
    yield Hostile("text", b"hello" * 100, FormatError, "no npz file")
    yield Hostile("a pickle", pickle.dumps([1]), FormatError, "a pickle, which is never read")
    yield Hostile("HDF5", b"\x89HDF\r\n\x1a\n" + bytes(99), FormatError, "an HDF5 file")
    yield Hostile("PNG", b"\x89PNG\r\n\x1a\n" + bytes(99), FormatError, "a PNG picture")
    yield Hostile("a single array", one, FormatError, "read it with numpy.load")
    yield Hostile("no members", zipped(), FormatError, "no arrays in the file")
    yield Hostile("a text inside", zipped(("a.txt", b"x")), FormatError, "'a.txt' is not an array")
    yield Hostile("no suffix", zipped(("l0", one)), FormatError, "'l0' is not an array")
    for key in ("../../x", "/etc/x", "a/../b"):
        yield Hostile(f"key {key}", zipped((f"{key}.npy", one)), FormatError, "unsafe key")
    twice = zipped(("l0.npy", one), ("l1.npy", one)).replace(b"l1.npy", b"l0.npy")
    yield Hostile("a key twice", twice, FormatError, "occurs twice")
    many = zipped(*((f"{i}.npy", b"") for i in range(50_000)))
    yield Hostile("50,000 members", many, LimitError, "50000 members")
    bomb = zipped(("l0.npy", zeros), method=zipfile.ZIP_DEFLATED)
    yield Hostile("a bomb", bomb, LimitError, "pass max_bytes=")
    single = zipped(("l0.npy", one))
    at = central(single)
    small = patched(bomb, central(bomb) + 24, struct.pack("<I", 1000))
    yield Hostile("a bomb that lies", small, FormatError, "'l0'")
    encrypted = patched(patched(single, at + 8, b"\x01"), 6, b"\x01")
    yield Hostile("encrypted", encrypted, FormatError, "is encrypted")
    for method in (12, 14, 99):
        packed = patched(patched(single, at + 10, bytes([method])), 8, bytes([method]))
        yield Hostile(f"method {method}", packed, FormatError, f"packed by method {method}")
    for method, name in ((zipfile.ZIP_BZIP2, "bzip2"), (zipfile.ZIP_LZMA, "lzma")):
        yield Hostile(name, zipped(("l0.npy", one), method=method), FormatError, "packed by method")
    yield Hostile("checksum", patched(single, at + 16, b"1234"), FormatError, "'l0' is damaged")
    hole = patched(single, 40, b"?")
    yield Hostile("names that differ", patched(single, 30, b"lx"), FormatError, "'l0' is damaged")
    yield Hostile("a changed byte", hole, FormatError, "'l0' is damaged")
    two = zipped(("l0.npy", one), ("l1.npy", one))
    overlap = patched(two, two.rindex(b"PK\x01\x02") + 42, struct.pack("<I", 4))
    yield Hostile("overlapping", overlap, FormatError, "overlap")
    stream = zlib.compress(one)[2:-4]
    broken = zipped(("l0.npy", one), method=zipfile.ZIP_DEFLATED)
    spoiled = broken.replace(stream[5:15], b"\xff" * 10) if stream[5:15] in broken else broken[:-9]
    yield Hostile("a broken stream", spoiled, FormatError, "damaged")


def other_models(whole: bytes) -> Iterator[Hostile]:
    """Yield undamaged files of other models."""
    arrays = {key: x.data for key, x in named_params(snapshot(1.0, MEGABYTES)).items()}

    def other(**changes: Any) -> bytes:
        chosen = {key: x for key, x in {**arrays, **changes}.items() if x is not None}
        return zipped(*((f"{key}.npy", array(x)) for key, x in chosen.items()))

    yield Hostile("a key less", other(l1=None), KeyMismatch, "missing 'l1'")
    yield Hostile("a key more", other(l9=np.ones(1)), KeyMismatch, "unexpected 'l9'")
    column = arrays["l0"].reshape(-1, 1)
    yield Hostile("another shape", other(l0=column), ShapeMismatch, "'l0': model")
    wide = arrays["l0"].astype("float64")
    yield Hostile("another dtype", other(l0=wide), DtypeMismatch, 'pass cast="same_kind"')
    wild = arrays["l0"].astype("complex64")
    yield Hostile("complex numbers", other(l0=wild), DtypeMismatch, "file complex64")


def files() -> list[Hostile]:
    """Return all crafted files."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "whole.npz"
        save_weights(snapshot(1.0, MEGABYTES), path)
        whole = path.read_bytes()
    return [*headers(), *archives(whole), *other_models(whole)]


def try_load(path: Path, model: Any) -> tuple[Exception | None, float]:
    """Load the file at ``path``; return the error or None, and the seconds of CPU time."""
    start = time.thread_time()
    try:
        load_weights(model, path, max_bytes=LIMIT)
    except Exception as error:
        return error, time.thread_time() - start
    return None, time.thread_time() - start


def measure(long: bool = False) -> Figure:
    """Load every crafted file; count those without the expected error."""
    wrong: list[str] = []
    crafted, model = files(), snapshot(3.0, MEGABYTES)
    before, slowest = fingerprint(model), 0.0
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "hostile.npz"
        for case in crafted:
            path.write_bytes(case.content)
            error, seconds = try_load(path, model)
            slowest = max(slowest, seconds)
            is_expected = isinstance(error, case.error) and any(
                text in str(error) for text in case.text.split("|")
            )
            if not is_expected or seconds > 1 or fingerprint(model) != before:
                wrong.append(f"{case.name}: {error!r}")
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory) / 1024
    if grown > LIMIT / 2**20 + 64:
        wrong.append(f"{grown:.0f} MB")
    details = (
        f"{len(crafted)} files, slowest {slowest * 1e3:.0f} ms, {grown:.0f} MB more at the peak"
    )
    return Figure(len(wrong), 0, "; ".join([details, *wrong]))


if __name__ == "__main__":
    script(measure)
