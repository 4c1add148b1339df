"""Save and load the parameters of a model in any registered file format.

This module compares keys, shapes and dtypes; the formats (in dezero-io or a plugin) read and write
files.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from .backends.host import HOST, can_cast, count_nonfinite, plain_copy
from .backends.precision import dtype_name
from .backends.registry import get_backend
from .backends.transfer import match_device, move
from .errors import DtypeMismatch, KeyMismatch, SaveError, ShapeMismatch, WeightsError
from .formats import FilePath, Limits, Stored, format_for, locate_file
from .in_place import updating
from .tree import named_params
from .variable import Buffer, Parameter

PYTORCH_KEY = re.compile(r"(.*\.)?(running_(mean|var)|(weight|bias)(_[ih]h(_l\d+)?)?)")
"""A pattern for the keys of PyTorch's layers, such as ``lstm.weight_ih_l0``."""


@dataclass(frozen=True)
class PyTorchArray:
    """The arrays of a PyTorch layer that correspond to one parameter in DeZero.

    Attributes:
        names: the keys of the arrays in the layer's state_dict; if there are several names, the
            arrays are summed.
        shape: the shape of each array; None for a length that the layer does not know yet.
        transposed: whether the last two axes are (out, in) in PyTorch and (in, out) in DeZero.
        part, parts: split the first axis into ``parts`` equal parts, and use the part with index
            ``part``.
    """

    names: tuple[str, ...]
    shape: tuple[int | None, ...]
    transposed: bool = False
    part: int = 0
    parts: int = 1


@dataclass(frozen=True)
class LoadReport:
    """The result of `load_weights` for each key.

    Attributes:
        loaded: keys whose parameter or buffer now has the values in the file.
        missing: keys of the model that are not in the file; these parameters did not change.
        unexpected: keys of the file that are not in the model.
        metadata: the strings that were saved with the weights.
        sources: a dictionary from loaded keys to the names in the file, for names that differ from
            the keys.

    ``str(report)`` is a table with one line per key.
    """

    loaded: tuple[str, ...]
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    metadata: Mapping[str, str]
    sources: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        rows = [(key, self.sources.get(key, "loaded")) for key in self.loaded]
        rows += [(key, "missing in the file") for key in self.missing]
        rows += [(key, "unexpected in the file") for key in self.unexpected]
        width = max([len(key) for key, _ in rows], default=0)
        return "\n".join(f"{key:{width}}  {text}" for key, text in rows)


class Snapshot(Mapping[str, Any]):
    """A snapshot: a mapping from keys to arrays; each access copies one array to the host.

    Nothing else refers to the copy, so a file contains exactly the bytes that were hashed, even if
    another thread changes the original array.

    Args:
        arrays: a dictionary from keys to arrays of any library.
    """

    def __init__(self, arrays: Mapping[str, Any]) -> None:
        self._arrays = dict(arrays)

    def __getitem__(self, key: str) -> Any:
        array = self._arrays[key]
        copy = move(array, get_backend(HOST))
        return plain_copy(array) if copy is array else copy  # a move from a device copies

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)

    def layout(self, key: str) -> tuple[tuple[int, ...], str]:
        """Return the shape of an array and the name of its dtype, without copying the array."""
        array = self._arrays[key]
        return tuple(array.shape), dtype_name(array.dtype)


def arrays_of(named: Mapping[str, Parameter | Buffer]) -> dict[str, Any]:
    """Return a dictionary from keys to parameter arrays; wait for a running update to finish.

    Later updates of the parameters do not change the returned arrays while the caller refers to
    these arrays (docs/adr/0018).

    Raises:
        SaveError: a parameter has no data yet.
    """
    with updating():
        arrays = {key: x.data for key, x in named.items()}
    missing = [key for key, array in arrays.items() if array is None]
    if missing:
        raise SaveError(
            f"{', '.join(missing)}: no data yet; run one forward pass, or give the layer its "
            "input size, before saving"
        )
    return arrays


def save_weights(
    tree: object,
    path: FilePath,
    *,
    metadata: Mapping[str, str] | None = None,
    compress: bool = False,
) -> None:
    """Write every Parameter and Buffer below ``tree`` to one file (book step 53).

    The model stays on its device. The file at ``path`` is replaced when the new file is complete
    and on disk, so ``path`` always contains either all old weights or all new weights. Another
    thread may continue training: the file never holds a half-finished update. Each array is copied
    before it is hashed and written, because the program may change arrays in place.

    Args:
        tree: a layer, or a dictionary or list of layers and parameters.
        path: the file; its suffix gives the format. If the name has no suffix, or a suffix that
            does not begin with a letter (``epoch3-acc0.97``), ``.npz`` is added, both when saving
            and when loading. A leading ``~`` is the home folder.
        metadata: a dictionary from strings to strings, to store with the weights (default none).
        compress: write a smaller file if the format supports it (default False).

    Raises:
        SaveError: a parameter has no data yet, or cannot be stored.
        FormatError: no format has this suffix.
        MissingPackage: no installed package supports the format.
        OSError: the file cannot be written; an existing file does not change.
    """
    target, file_format = format_for(path)
    named = named_params(tree)
    arrays = Snapshot(arrays_of(named))
    strings = dict(metadata or {})
    if any(not isinstance(text, str) for pair in strings.items() for text in pair):
        raise SaveError("metadata holds strings by name; write other things as JSON")
    kinds = {key: _kind(x) for key, x in named.items()}
    file_format.write(target, Stored(arrays, kinds, strings, compress))


def load_weights(
    tree: object,
    path: FilePath,
    *,
    strict: bool = True,
    cast: str | None = None,
    max_bytes: int | None = None,
    allow_nonfinite: bool = True,
    verify: bool = False,
) -> LoadReport:
    """Read a file written by `save_weights`, or by the book's framework, into ``tree``.

    All arrays in the file are checked before the first array is assigned. A parameter without data
    takes its shape and dtype from the file. In addition to the model, loading needs memory for all
    new arrays and one extra array.

    Args:
        tree: a layer, or a dictionary or list of layers and parameters.
        path: the file, as for `save_weights`.
        strict: raise an error unless the file and the model have the same keys (default). If False,
            missing keys do not change, unexpected keys are ignored, and the report lists both.
        cast: allowed conversions to the model's dtype, as ``casting`` in `numpy.can_cast`
            (``"safe"``, ``"same_kind"``, ``"unsafe"``); none by default.
        max_bytes: largest total size of the arrays in the file, in bytes; by default twice the size
            of the model, at least 4 GiB.
        allow_nonfinite: load inf and nan too (default).
        verify: also check each array's SHA-256 (default False); the CRC-32 is always checked.

    Returns:
        the keys that were loaded, missing and unexpected, and the file's metadata.

    Raises:
        DataMissing: there is no such file (a FileNotFoundError).
        FormatError: the file is damaged, or not in the format of its suffix.
        LimitError: the arrays in the file are larger than ``max_bytes``.
        KeyMismatch, ShapeMismatch, DtypeMismatch: the file does not fit the model; the message
            names every difference.
        WeightsError: the file contains inf or nan, and ``allow_nonfinite`` is False.
        MissingPackage: no installed package supports the format.
    """
    target, file_format = locate_file(path)
    named = named_params(tree)
    limits = Limits(limit_for(named, 2) if max_bytes is None else max_bytes, verify)

    def check(stored: Stored) -> None:
        title = f"{target} does not fit the model"
        require_fit(named, stored, title, strict=strict, cast=cast)

    stored = file_format.read_checked(target, limits, check)
    arrays, metadata = dict(stored.arrays), stored.metadata
    del stored  # `stored` would keep every array in memory after its conversion
    found = {key: x for key, x in named.items() if key in arrays}
    if not allow_nonfinite:
        for key in found:
            if count := count_nonfinite(arrays[key]):
                raise WeightsError(
                    f"{target}, nothing was loaded: {key!r}: {count} of {arrays[key].size} values "
                    "are not finite"
                )
    report = LoadReport(
        tuple(found),
        tuple(key for key in named if key not in found),
        tuple(key for key in arrays if key not in named),
        metadata,
    )
    stage_arrays(found, arrays.pop)()
    return report


def limit_for(named: Mapping[str, Parameter | Buffer], times: int) -> int:
    """Return ``times`` times the size of the parameters as float64 in bytes, at least 4 GiB."""
    own = sum(8 * math.prod(x.data.shape) for x in named.values() if x.data is not None)
    return max(Limits.max_bytes, times * own)


def stage_arrays(
    named: Mapping[str, Parameter | Buffer], take: Callable[[str], Any]
) -> Callable[[], None]:
    """Convert the new arrays of parameters; return a function that assigns all of them.

    Until the returned function is called, memory holds both the old and the new arrays. Replacing
    the arrays one by one would take less memory, but a read error would leave a mixture of two
    models. Overwriting the old arrays in place would be wrong, because graphs may still need the
    old values.

    Args:
        named: a dictionary from keys to parameters and buffers.
        take: a function that returns the new NumPy array of a key; it is called once for each key.
            If ``take`` drops its own reference to the array, like `dict.pop`, the array is freed
            before the next array is converted.
    """
    staged = {key: _convert_for(take(key), x) for key, x in named.items()}

    def commit() -> None:
        with updating():
            for key, x in named.items():
                x.data = staged[key]

    return commit


def _kind(x: Parameter | Buffer) -> str:
    return "buffer" if isinstance(x, Buffer) else "param"


def require_fit(
    named: Mapping[str, Parameter | Buffer],
    stored: Stored,
    title: str,
    *,
    strict: bool = True,
    cast: str | None = None,
) -> None:
    """Raise one error that starts with ``title`` and lists how file and model differ."""
    problems: list[tuple[type[WeightsError], str]] = []
    for key in [key for key in named if key not in stored.arrays] if strict else []:
        near = get_close_matches(key, [k for k in stored.arrays if k not in named], 1)
        hint = f" (is it {near[0]!r} in the file?)" if near else ""
        problems.append((KeyMismatch, f"missing {key!r}{hint}"))
    for key in [key for key in stored.arrays if key not in named] if strict else []:
        problems.append((KeyMismatch, f"unexpected {key!r}"))
    for key, x in named.items():
        if key in stored.arrays:
            problems += _differences(key, x, stored.arrays[key], stored.kinds.get(key), cast)
    if problems:
        differences = "; ".join(text for _, text in problems)
        is_pytorch = any(map(PYTORCH_KEY.fullmatch, stored.arrays))
        if is_pytorch and issubclass(problems[0][0], KeyMismatch):
            differences += ". These are names of PyTorch: load_pytorch_weights reads them"
        if "dezero.checkpoint" in stored.metadata:
            differences += ". The file is a checkpoint: load_checkpoint reads it"
        raise problems[0][0](f"{title}, nothing was loaded: {differences}")


def _differences(
    key: str, x: Parameter | Buffer, array: Any, kind: str | None, cast: str | None
) -> Iterator[tuple[type[WeightsError], str]]:
    """Yield the error type and message of each difference between an array and its parameter."""
    if kind is not None and kind != _kind(x):
        yield KeyMismatch, f"{key!r} is a {kind} in the file"
    if x.data is None:
        return
    if array.shape != x.shape:
        yield ShapeMismatch, f"{key!r}: model {x.shape}, file {array.shape}"
    name = dtype_name(x.dtype)
    if array.dtype.name != name and not (cast and can_cast(array, name, cast)):
        hint = "" if cast else '; pass cast="same_kind" to convert'
        yield DtypeMismatch, f"{key!r}: model {name}, file {array.dtype.name}{hint}"


def _convert_for(array: Any, x: Parameter | Buffer) -> Any:
    """Cast a NumPy array to the dtype of ``x``, and move it to the device of ``x``."""
    if x.data is None:
        return array
    return match_device(array.astype(dtype_name(x.dtype), copy=False), x.data)
