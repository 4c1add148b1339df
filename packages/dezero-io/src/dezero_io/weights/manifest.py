"""Define the manifest of a weight file, which lists the shape, dtype and hash of each array.

Every format stores the manifest as JSON. Reading compares the arrays with the manifest, so that a
missing array or a wrong shape is detected even if all checksums of the format are right.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from queue import SimpleQueue
from threading import Thread
from typing import Any, TypeVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

import dezero_core
from dezero_core.errors import FormatError, SaveError
from dezero_core.extend import Stored
from dezero_core.state import Snapshot

from ..__about__ import __version__

FORMAT = 1
"""The version of the manifest's format; files with a later version are refused."""

NAME = "__dezero__"
"""The name of the manifest in an npz file; no array may have this name."""

KINDS = ("param", "buffer")

T = TypeVar("T")


@dataclass(frozen=True)
class Entry:
    """Store the expected properties of one array; an unknown property is ``""`` or None."""

    kind: str = ""
    shape: tuple[int, ...] | None = None
    dtype: str = ""
    sha256: str = ""


@dataclass(frozen=True)
class Manifest:
    """List the arrays of a file with their expected properties.

    Attributes:
        entries: a dictionary from the keys of the arrays to their entries, in file order.
        metadata: a dictionary from names to strings, given by the user.
        versions: the versions of the libraries that wrote the file.
    """

    entries: Mapping[str, Entry] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)

    def encode(self) -> bytes:
        """Return the manifest as JSON, with the versions of the installed libraries."""
        versions = {
            "dezero-core": dezero_core.__version__,
            "dezero-io": __version__,
            "numpy": np.__version__,
        }
        content = {
            "format": FORMAT,
            "versions": versions,
            "arrays": {key: asdict(entry) for key, entry in self.entries.items()},
            "metadata": dict(self.metadata),
        }
        return json.dumps(content).encode()

    @property
    def kinds(self) -> dict[str, str]:
        """Return a dictionary from keys to ``"param"`` or ``"buffer"``, without unknown kinds."""
        return {key: entry.kind for key, entry in self.entries.items() if entry.kind}

    def check(self, arrays: Mapping[str, NDArray[Any]], verify: bool) -> None:
        """Compare the arrays of a file with their entries.

        Raises:
            FormatError: a key, a shape or a dtype differs from the manifest; with ``verify``, also
                if a SHA-256 differs.
        """
        if set(self.entries) != set(arrays):
            differ = sorted(set(self.entries) ^ set(arrays))
            raise FormatError(f"damaged: manifest and arrays list different keys: {differ}")
        for key, entry in self.entries.items():
            array = arrays[key]
            if (array.shape, array.dtype.name) != (entry.shape, entry.dtype):
                raise FormatError(f"{key!r} is damaged: its shape or dtype is not the manifest's")
            if verify and digest(array) != entry.sha256:
                raise FormatError(f"{key!r} is damaged: its SHA-256 differs")


def decode(content: bytes) -> Manifest:
    """Decode a manifest that `Manifest.encode` has encoded.

    Raises:
        FormatError: the manifest is damaged, or its version is later than `FORMAT`.
    """
    try:
        fields = json.loads(content)
        version = fields["format"]
        if type(version) is int and version > FORMAT:
            raise FormatError(f"written by format {version}; this version reads {FORMAT}")
        entries = {
            key: Entry(entry["kind"], tuple(entry["shape"]), entry["dtype"], entry["sha256"])
            for key, entry in fields["arrays"].items()
        }
        manifest = Manifest(entries, fields["metadata"], fields["versions"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        if isinstance(error, FormatError):
            raise
        raise FormatError("the manifest is damaged") from error
    texts = [*manifest.metadata.items(), *((e.dtype, e.sha256) for e in entries.values())]
    if version != FORMAT or any(not isinstance(text, str) for pair in texts for text in pair):
        raise FormatError("the manifest is damaged")
    if any(entry.kind not in KINDS for entry in entries.values()):
        raise FormatError("the manifest is damaged")
    return manifest


def snapshot(stored: Stored) -> Snapshot:
    """Return a dictionary with the arrays to write; looking up a key copies the array.

    Writers hash and write the copy, so a file matches its checksums even if another thread changes
    the arrays meanwhile.
    """
    arrays = stored.arrays
    return arrays if isinstance(arrays, Snapshot) else Snapshot(arrays)


def entry_of(stored: Stored, key: str, array: NDArray[Any]) -> Entry:
    """Return the manifest entry of an array."""
    return Entry(stored.kinds.get(key, "param"), array.shape, array.dtype.name, digest(array))


def digest(array: NDArray[Any]) -> str:
    """Return the SHA-256 of an array's elements in C order."""
    return hashlib.sha256(as_bytes(array)).hexdigest()


def as_bytes(array: NDArray[Any]) -> memoryview:
    """Return the elements of an array in C order as bytes, without a copy if it is contiguous."""
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8).data


def require_storable(key: str, dtype: DTypeLike) -> None:
    """Check that ``key`` is a safe name and ``dtype`` can be stored; raise `SaveError` if not."""
    try:
        known = np.dtype(dtype)
    except TypeError:  # a dtype of another library, such as bfloat16
        known = None
    if known is None or known.kind not in "biufc" or known.isbuiltin == 2:  # user-defined
        hint = "; convert it to float32" if known is None or known.isbuiltin == 2 else ""
        raise SaveError(f"{key!r} holds {dtype}; expected a numeric dtype of NumPy{hint}")
    if not is_safe(key):
        raise SaveError(f"{key!r} cannot be the key of a parameter")


def storable(key: str, array: NDArray[Any]) -> NDArray[Any]:
    """Convert an array to the form that files store: C order and little-endian.

    Raises:
        SaveError: the array does not hold numbers, or ``key`` is not a safe name.
    """
    require_storable(key, array.dtype)
    native = np.asarray(array, array.dtype.newbyteorder("<"))
    return np.ascontiguousarray(native).reshape(array.shape)


def hash_while_writing(
    write: Callable[[NDArray[Any]], object], stored: Stored, key: str, array: NDArray[Any]
) -> Entry:
    """Call ``write(array)`` while a thread hashes the array; return the array's manifest entry."""
    entry = start_thread(partial(entry_of, stored, key, array))
    write(array)
    return entry()


def start_thread(function: Callable[[], T]) -> Callable[[], T]:
    """Call ``function`` on a new thread; return a function that waits for the result.

    If the call raises an error, the returned function raises it. The threads share a SimpleQueue,
    because Ctrl-C can leave a lock of concurrent.futures locked for ever; a SimpleQueue is written
    in C, so Ctrl-C cannot leave it locked. The thread is a daemon, so that the program can exit
    before the thread ends.
    """
    results: SimpleQueue[tuple[T, None] | tuple[None, BaseException]] = SimpleQueue()

    calls = [function]

    def run() -> None:
        try:
            results.put((calls.pop()(), None))  # drop the function: it refers to an array
        except BaseException as error:
            results.put((None, error))

    def wait() -> T:
        result, error = results.get()
        if error is not None:
            raise error
        return result  # type: ignore[return-value]

    Thread(target=run, daemon=True).start()
    return wait


def outline(shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
    """Return an array of zeros that has this shape and dtype, but occupies no memory."""
    return np.broadcast_to(np.zeros((), dtype), shape)


def is_safe(key: str) -> bool:
    """Return whether a key is a valid name that does not lead out of its folder."""
    parts = key.split("/")
    try:
        is_long = len(key.encode()) > 60_000  # a name in a zip has at most 65,535 bytes
    except UnicodeEncodeError:
        return False
    leads_outside = ".." in parts or key.startswith("/")
    return bool(key) and key != NAME and not is_long and not leads_outside and "\0" not in key
