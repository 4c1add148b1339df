"""Saving and loading the parameters of a tree, through whatever file format is registered.

This room knows keys, shapes and dtypes; formats (in dezero-io, or a plugin) know files.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from .backends.host import HOST
from .backends.registry import get_backend
from .backends.transfer import move, move_beside
from .errors import (
    FORMAT_HINTS,
    INSTALL_HINTS,
    DataMissing,
    DtypeMismatch,
    FormatError,
    KeyMismatch,
    MissingPackage,
    SaveError,
    ShapeMismatch,
    WeightsError,
)
from .plugins import Catalog
from .tree import named_params
from .variable import Buffer, Parameter

DEFAULT_SUFFIX = ".npz"


@dataclass(frozen=True)
class Stored:
    """What a file holds.

    Attributes:
        arrays: host arrays by key.
        kinds: ``"param"`` or ``"buffer"`` by key; empty for files that do not say.
    """

    arrays: Mapping[str, Any]
    kinds: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class WeightFormat:
    """How one kind of file is written and read.

    Attributes:
        suffix: the file suffix it goes by, such as ``".npz"``.
        write: ``write(path, stored)`` puts a `Stored` at ``path``, atomically.
        read: ``read(path)`` returns a `Stored`, or raises `FormatError`.
    """

    suffix: str
    write: Callable[[Path, Stored], None]
    read: Callable[[Path], Stored]


_formats: Catalog[WeightFormat] = Catalog(
    "dezero_weight_formats", WeightFormat, lambda f: [f.suffix]
)


def save_weights(tree: Any, path: str | os.PathLike[str]) -> None:
    """Write every Parameter and Buffer below ``tree`` to one file (book step 53).

    The model stays where it is; the file at ``path`` is replaced only when the new one is
    complete.

    Args:
        tree: a layer, or a dictionary or list of layers and parameters.
        path: the file; ``.npz`` is added to a name without suffix, here and when loading.

    Raises:
        SaveError: a parameter has no data yet.
        MissingPackage: no installed package knows the format.
        OSError: the file cannot be written; an earlier one is untouched.
    """
    target, file_format = _located(path)
    named = named_params(tree)
    missing = [key for key, x in named.items() if x.data is None]
    if missing:
        raise SaveError(
            f"{', '.join(missing)}: no data yet; run one forward pass, or give the layer its "
            "input size, before saving"
        )
    host = get_backend(HOST)
    arrays = {key: move(x.data, host) for key, x in named.items()}
    file_format.write(target, Stored(arrays, {key: _kind(x) for key, x in named.items()}))


def load_weights(tree: Any, path: str | os.PathLike[str]) -> None:
    """Read a file written by `save_weights`, or by the book's framework, into ``tree``.

    All or nothing: everything is checked before the first array is assigned. A parameter
    without data takes its shape and dtype from the file.

    Raises:
        DataMissing: there is no such file (a FileNotFoundError).
        FormatError: the file is damaged or of another kind.
        KeyMismatch, ShapeMismatch, DtypeMismatch: the file does not fit the model; the message
            names every difference.
        MissingPackage: no installed package knows the format.
    """
    target, file_format = _located(path)
    if not target.exists():
        near = get_close_matches(target.name, [p.name for p in target.parent.glob("*")])
        hint = f"; there is {', '.join(near)}" if near else ""
        raise DataMissing(f"{target} not found{hint}")
    stored = file_format.read(target)
    named = named_params(tree)
    _require_fit(named, stored, target)
    staged = {key: _placed(stored.arrays[key], x) for key, x in named.items()}
    for key, x in named.items():
        x.data = staged[key]


def _located(path: str | os.PathLike[str]) -> tuple[Path, WeightFormat]:
    """The file meant by ``path``, and its format."""
    target = Path(path)
    if not target.suffix:
        target = target.with_name(target.name + DEFAULT_SUFFIX)
    file_format = _formats.get(target.suffix)
    if file_format is not None:
        return target, file_format
    if target.suffix in FORMAT_HINTS:
        raise MissingPackage(
            f"nothing installed reads or writes {target.suffix} files. "
            f"{INSTALL_HINTS[FORMAT_HINTS[target.suffix]]}"
        )
    known = ", ".join(f.suffix for f, _ in _formats.items())
    raise FormatError(f"{target.name}: no format for {target.suffix!r}; known: {known or 'none'}")


def format_suffixes() -> list[tuple[str, str]]:
    """Every known file suffix, with the name of the plugin that handles it."""
    return [(file_format.suffix, plugin) for file_format, plugin in _formats.items()]


def _kind(x: Parameter | Buffer) -> str:
    return "buffer" if isinstance(x, Buffer) else "param"


def _require_fit(named: dict[str, Parameter | Buffer], stored: Stored, path: Path) -> None:
    """Raise one error that names everything in which file and model differ."""
    problems: list[tuple[type[WeightsError], str]] = []
    for key in [key for key in named if key not in stored.arrays]:
        near = get_close_matches(key, [k for k in stored.arrays if k not in named], 1)
        hint = f" (is it {near[0]!r} in the file?)" if near else ""
        problems.append((KeyMismatch, f"missing {key!r}{hint}"))
    for key in [key for key in stored.arrays if key not in named]:
        problems.append((KeyMismatch, f"unexpected {key!r}"))
    for key, x in named.items():
        array = stored.arrays.get(key)
        if array is None:
            continue
        if stored.kinds.get(key, _kind(x)) != _kind(x):
            problems.append((KeyMismatch, f"{key!r} is a {stored.kinds[key]} in the file"))
        if x.data is not None and array.shape != x.shape:
            problems.append((ShapeMismatch, f"{key!r}: model {x.shape}, file {array.shape}"))
        elif x.data is not None and array.dtype.name != dtype_name(x.dtype):
            problems.append(
                (DtypeMismatch, f"{key!r}: model {dtype_name(x.dtype)}, file {array.dtype.name}")
            )
    if problems:
        differences = "; ".join(text for _, text in problems)
        raise problems[0][0](f"{path} does not fit the model, nothing was loaded: {differences}")


def _placed(array: Any, x: Parameter | Buffer) -> Any:
    """A host array as one where ``x`` lives."""
    return array if x.data is None else move_beside(array, x.data)


def dtype_name(dtype: Any) -> str:
    """``"float32"`` for that dtype of any library, NumPy's scalar type, or the name itself."""
    if isinstance(dtype, str):
        return dtype
    return str(getattr(dtype, "name", None) or getattr(dtype, "__name__", None) or dtype).split(
        "."
    )[-1]
