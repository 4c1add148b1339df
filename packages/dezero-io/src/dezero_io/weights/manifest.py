"""What a file of weights says of itself: a version, and of each array what it should be.

It is JSON in every format. What is read is held against it, so that an array that is gone, or of
another shape, is noticed also where all checksums are right.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from queue import SimpleQueue
from threading import Thread
from typing import Any

import numpy as np

import dezero_core
from dezero_core.errors import FormatError, SaveError
from dezero_core.extend import Stored
from dezero_core.state import Snapshot

from ..__about__ import __version__

FORMAT = 1
"""Version of the layout; a file of a later one is refused."""

NAME = "__dezero__"
"""What the manifest is called in a file, and no array may be."""

KINDS = ("param", "buffer")


@dataclass(frozen=True)
class Entry:
    """What is said of one array; empty where a file does not say it."""

    kind: str = ""
    shape: tuple[int, ...] | None = None
    dtype: str = ""
    sha256: str = ""


@dataclass(frozen=True)
class Manifest:
    """Of a whole file.

    Attributes:
        entries: by key, in the order of the file.
        metadata: the user's strings.
        versions: of the libraries that wrote it.
    """

    entries: Mapping[str, Entry] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)

    def encode(self) -> bytes:
        """As JSON."""
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
        """``"param"`` or ``"buffer"`` by key, where the file says."""
        return {key: entry.kind for key, entry in self.entries.items() if entry.kind}

    def check(self, arrays: Mapping[str, Any], verify: bool) -> None:
        """Hold what was read against what was written.

        Raises:
            FormatError: a key, a shape or a dtype differs; with ``verify`` also a SHA-256.
        """
        if set(self.entries) != set(arrays):
            differ = sorted(set(self.entries) ^ set(arrays))
            raise FormatError(f"damaged: manifest and arrays list different keys: {differ}")
        for key, entry in self.entries.items():
            array = arrays[key]
            if (array.shape, array.dtype.name) != (entry.shape, entry.dtype):
                raise FormatError(f"{key!r} is damaged: it is not what the manifest says")
            if verify and digest(array) != entry.sha256:
                raise FormatError(f"{key!r} is damaged: its SHA-256 differs")


def decode(content: bytes) -> Manifest:
    """The manifest in some JSON.

    Raises:
        FormatError: it is damaged, or of a later version.
    """
    try:
        said = json.loads(content)
        version = said["format"]
        if type(version) is int and version > FORMAT:
            raise FormatError(f"written by format {version}; this version reads {FORMAT}")
        entries = {
            key: Entry(entry["kind"], tuple(entry["shape"]), entry["dtype"], entry["sha256"])
            for key, entry in said["arrays"].items()
        }
        manifest = Manifest(entries, said["metadata"], said["versions"])
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


def copies(stored: Stored) -> Snapshot:
    """Return the arrays to write; each access copies one of them.

    Writers hash and write that copy, so a file matches its checksums even if another thread changes
    the arrays meanwhile.
    """
    arrays = stored.arrays
    return arrays if isinstance(arrays, Snapshot) else Snapshot(arrays)


def entry_of(stored: Stored, key: str, array: Any) -> Entry:
    """What the manifest says of an array that is being written."""
    return Entry(stored.kinds.get(key, "param"), array.shape, array.dtype.name, digest(array))


def digest(array: Any) -> str:
    """SHA-256 of an array's elements in C order."""
    return hashlib.sha256(as_bytes(array)).hexdigest()


def as_bytes(array: Any) -> Any:
    """The memory of an array in C order, as an array of bytes."""
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8)


def require_storable(key: str, dtype: Any) -> None:
    """Raise `SaveError` if ``key`` is not a safe name or arrays of ``dtype`` cannot be stored."""
    try:
        known = np.dtype(dtype)
    except TypeError:  # a dtype of another library, such as bfloat16
        known = None
    if known is None or known.kind not in "biufc" or known.isbuiltin == 2:  # 2: user-defined
        hint = "; convert it to float32" if known is None or known.isbuiltin == 2 else ""
        raise SaveError(f"{key!r} holds {dtype}; expected a numeric dtype of NumPy{hint}")
    if not is_safe(key):
        raise SaveError(f"{key!r} cannot be the key of a parameter")


def storable(key: str, array: Any) -> Any:
    """A host array as it is written: in C order, little-endian, with at least its own shape.

    Raises:
        SaveError: it does not hold numbers, or the key cannot be one.
    """
    require_storable(key, array.dtype)
    native = np.asarray(array, array.dtype.newbyteorder("<"))
    return np.ascontiguousarray(native).reshape(array.shape)


def hashed_while(write: Callable[[Any], object], stored: Stored, key: str, array: Any) -> Entry:
    """Call ``write(array)`` and hash the array on another thread; return its entry."""
    entry = beside(entry_of, stored, key, array)
    write(array)
    found: Entry = entry()
    return found


def beside(function: Callable[..., Any], *arguments: Any) -> Callable[[], Any]:
    """Call ``function`` on another thread; return a function that waits for its result.

    The function raises the error of the call, if there is one. A `SimpleQueue` stays usable when
    Ctrl-C interrupts this thread; the locks of concurrent.futures can stay locked for ever. The
    thread is a daemon: nobody waits for it after an interrupt.
    """
    answer: SimpleQueue[tuple[Any, BaseException | None]] = SimpleQueue()
    calls = [partial(function, *arguments)]

    def run() -> None:
        try:
            answer.put((calls.pop()(), None))  # popped, so that the arguments are freed first
        except BaseException as error:
            answer.put((None, error))

    def wait() -> Any:
        result, error = answer.get()
        if error is not None:
            raise error
        return result

    Thread(target=run, daemon=True).start()
    return wait


def outline(shape: tuple[int, ...], dtype: Any) -> Any:
    """Return an array of that shape and dtype without memory; its elements have no meaning."""
    return np.broadcast_to(np.zeros((), dtype), shape)


def is_safe(key: str) -> bool:
    """Whether a key could never be taken for a path outside, or for the manifest."""
    parts = key.split("/")
    try:
        long = len(key.encode()) > 60_000
    except UnicodeEncodeError:
        return False
    outside = ".." in parts or key.startswith("/")
    return bool(key) and key != NAME and not long and not outside and "\0" not in key
