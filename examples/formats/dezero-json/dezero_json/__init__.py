"""Store weights as JSON: one line per array, with its bytes in hexadecimal."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from dezero_core.errors import FormatError, LimitError
from dezero_core.extend import Limits, Stored, WeightFormat, hookimpl
from dezero_io import atomic_file

DEZERO_API = 1


def write(path: Path, stored: Stored) -> None:
    """Write one JSON object: the metadata, then the arrays in order."""
    with atomic_file(path) as file:
        file.write(b'{"metadata": ' + json.dumps(dict(stored.metadata)).encode())
        for key, array in stored.arrays.items():
            entry = {
                "kind": stored.kinds.get(key, "param"),
                "dtype": array.dtype.newbyteorder("<").str,
                "shape": array.shape,
                "bytes": array.astype(array.dtype.newbyteorder("<")).tobytes().hex(),
            }
            file.write(f",\n {json.dumps('/' + key)}: {json.dumps(entry)}".encode())
        file.write(b"}\n")


def read(path: Path, limits: Limits) -> Stored:
    """Read the arrays, whose keys begin with "/", and the metadata."""
    if path.stat().st_size > 3 * limits.max_bytes:
        raise LimitError(f"{path} is longer than max_bytes allows")
    try:
        content = json.loads(path.read_bytes())
        metadata = content.pop("metadata")
        entries = {key[1:]: entry for key, entry in content.items()}
        arrays = {key: array_of(entry) for key, entry in entries.items()}
        kinds = {key: entry["kind"] for key, entry in entries.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise FormatError(f"{path} is not a file of weights: {error}") from error
    return Stored(arrays, kinds, metadata)


def array_of(entry: dict[str, Any]) -> Any:
    """Return the array of an entry."""
    dtype = np.dtype(entry["dtype"])
    if dtype.kind not in "biufc":
        raise ValueError(f"dtype {dtype}")
    array = np.frombuffer(bytes.fromhex(entry["bytes"]), dtype).reshape(entry["shape"])
    return array.astype(dtype.newbyteorder("="))


@hookimpl
def dezero_weight_formats() -> list[WeightFormat]:
    """Register the format for the suffix ``.json``."""
    return [WeightFormat(".json", write, read)]
