"""Describe the formats of weight files, and find the file and format that a path names."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from .errors import (
    FORMAT_HINTS,
    ArgumentError,
    ArgumentTypeError,
    DataMissing,
    FormatError,
)
from .plugins import Catalog, plugins

DEFAULT_SUFFIX = ".npz"

FilePath = str | bytes | os.PathLike[str] | os.PathLike[bytes]
"""The types of a file path."""

PICKLES = (".pt", ".pth", ".ckpt", ".bin", ".pkl", ".pickle")
"""Suffixes of pickle files, which can run arbitrary code when they are loaded."""


@dataclass(frozen=True)
class Stored:
    """The contents of a weight file.

    Attributes:
        arrays: a dictionary from keys to NumPy arrays. `save_weights` passes a `Snapshot`, which
            copies an array on each access. A writer accesses each array once, and hashes and writes
            the copy before it accesses the next array, so that only one copy exists at a time.
        kinds: a dictionary from keys to ``"param"`` or ``"buffer"``; empty if the file does not
            store this information.
        metadata: a dictionary from names to strings.
        compress: whether to write a smaller file, which takes longer.
    """

    arrays: Mapping[str, Any]
    kinds: Mapping[str, str] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)
    compress: bool = False


@dataclass(frozen=True)
class Limits:
    """Limits and checks for reading a file.

    Attributes:
        max_bytes: the largest allowed total size of the arrays, in bytes (default 4 GiB).
        verify: whether to check the SHA-256 hash of every array, if the file stores hashes.
    """

    max_bytes: int = 4 << 30
    verify: bool = False


@dataclass(frozen=True)
class WeightFormat:
    """The reader and writer of one file format.

    Attributes:
        suffix: the file suffix in lower case, such as ``".npz"``.
        write: ``write(path, stored)`` writes a `Stored` to ``path`` atomically.
        read: ``read(path, limits)`` returns a `Stored`, or raises `FormatError` or `LimitError`.
        headers: like ``read``, but reads only shapes and dtypes, and returns arrays that take no
            memory (from `numpy.broadcast_to`). With ``headers``, a file that does not fit the model
            is refused before its arrays are read. ``headers`` is None if the format cannot read
            headers only.
        needs: ``needs()`` returns a message about a missing package, such as ``"needs x: pip
            install x"``, or an empty string if no package is missing. ``needs`` is None if the
            format needs no package.
    """

    suffix: str
    write: Callable[[Path, Stored], None]
    read: Callable[[Path, Limits], Stored]
    headers: Callable[[Path, Limits], Stored] | None = None
    needs: Callable[[], str] | None = None

    def read_checked(self, path: Path, limits: Limits, check: Callable[[Stored], object]) -> Stored:
        """Read ``path``, and call ``check``, which raises if the contents do not fit the model.

        If the format can read headers, ``check`` is called with the headers before any array is
        read. ``check`` is called again with the arrays, because another process may have replaced
        the file after the headers were read.
        """
        if self.headers is not None:
            check(self.headers(path, limits))
        stored = self.read(path, limits)
        check(stored)
        return stored


_formats: Catalog[WeightFormat] = Catalog(
    "dezero_weight_formats", WeightFormat, lambda f: ["." + f.suffix.lower().lstrip(".")]
)


def registered_formats() -> list[tuple[WeightFormat, str]]:
    """Return every format, with the name of the plugin that registered it."""
    return _formats.items()


def file_path(path: FilePath) -> Path:
    """Return ``path`` as a `Path`; a leading ``~`` stands for the user's home folder.

    Raises:
        ArgumentTypeError: ``path`` is not a string, bytes or a path object.
        ArgumentError: ``path`` contains a null character.
    """
    if not isinstance(path, str | bytes | os.PathLike):
        raise ArgumentTypeError(f"path: got {type(path).__name__}; expected the name of a file")
    found = Path(os.fsdecode(path))
    if "\0" in str(found):
        raise ArgumentError(f"path: {str(found)!r}: expected a name without null characters")
    return found.expanduser() if found.parts[:1] == ("~",) else found


def locate_file(path: FilePath) -> tuple[Path, WeightFormat]:
    """Return the existing file that ``path`` names, and its format.

    Raises:
        DataMissing: there is no such file; the message lists files with similar names.
        MissingPackage, FormatError: as for `format_for`.
    """
    target, file_format = format_for(path)
    if not target.exists():
        names = [p.name for p in target.parent.glob("*") if p.exists()]
        near = ", ".join(get_close_matches(target.name, names))
        raise DataMissing(f"{target} not found{near and f'; there is {near}'}")
    return target, file_format


def format_for(path: FilePath) -> tuple[Path, WeightFormat]:
    """Return the file that ``path`` names, whether or not it exists, and its format.

    The suffix selects the format; case is ignored. ``.npz`` is added to a name without a
    suffix, and to a name whose suffix does not begin with a letter (``epoch3-acc0.97``).

    Raises:
        FormatError: no format has this suffix, or the path does not name a file.
        MissingPackage: the package that provides the format is not installed.
        PluginError: the package that provides the format is installed, but failed to load or is
            blocked by an environment variable.
    """
    target = file_path(path)
    if target.name in ("", "..") or os.fsdecode(path).endswith(("/", os.sep)):
        raise FormatError(f"{os.fsdecode(path)!r} names a folder; expected the name of a file")
    suffix = target.suffix.lower()
    file_format = _formats.get(suffix) if suffix else None
    if file_format is None and not suffix[1:2].isalpha():
        target, suffix = target.with_name(target.name + DEFAULT_SUFFIX), DEFAULT_SUFFIX
        file_format = _formats.get(suffix)
    if file_format is not None:
        return target, file_format
    if suffix in FORMAT_HINTS:
        package = FORMAT_HINTS[suffix]
        problem = f"nothing installed reads or writes {suffix} files"
        plugins.raise_if_left_out(package, package, problem)
    raise FormatError(f"{target}: no format for {target.suffix!r}; {known_suffixes(suffix)}")


def known_suffixes(unknown: str) -> str:
    """List the known suffixes, for the error about an unknown suffix."""
    known = ", ".join(
        f"{f.suffix} ({needs})" if f.needs and (needs := f.needs()) else f.suffix
        for f, _ in registered_formats()
    )
    hint = f"known: {known or 'none'}{plugins.left_out()}"
    if unknown in PICKLES:
        hint += (
            ". A pickle is never read: save a PyTorch state_dict as .safetensors, and read that "
            "with load_pytorch_weights"
        )
    return hint
