"""Read weights from the initializers of ONNX files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from dezero_core.errors import FormatError, LimitError, SaveError
from dezero_core.extend import Limits, Stored


def write(path: Path, stored: Stored) -> None:
    """Raise `SaveError`, because an ONNX file needs a graph, and weights have none."""
    raise SaveError(
        f"{path}: an .onnx file contains a graph; export_onnx(model, path, ...) writes one, and "
        ".npz files store weights alone"
    )


def read(path: Path, limits: Limits) -> Stored:
    """Return the initializers of a graph under their names.

    In a file that DeZero wrote, these are the parameters and buffers under their keys; in other
    files, all floating-point initializers.

    Raises:
        FormatError: the file is damaged, or stores arrays in other files.
        LimitError: the file is larger than the limit.
        OSError: the file cannot be opened.
    """
    size = path.stat().st_size
    if size > limits.max_bytes:
        raise LimitError(
            f"{path}: takes {size:.3g} bytes, the limit is {limits.max_bytes:.3g}; pass max_bytes= "
            "if you trust the file"
        )
    try:
        return contents(path.read_bytes())
    except FormatError as error:
        raise FormatError(f"{path}: {error}") from error.__cause__


def contents(content: bytes) -> Stored:
    """Return the arrays of a serialized ONNX model."""
    import onnx
    from google.protobuf.message import DecodeError

    from .graph import KINDS

    try:
        model = onnx.ModelProto.FromString(content)
    except DecodeError as error:
        raise FormatError(f"is not an ONNX file ({error})") from error
    if not model.graph.node:
        raise FormatError("is not an ONNX file, or its graph is empty")
    metadata = {x.key: x.value for x in model.metadata_props}
    kinds = kinds_of(metadata.pop(KINDS, "{}"))
    chosen = [x for x in model.graph.initializer if x.name in kinds or not kinds]
    arrays = {x.name: as_array(x) for x in chosen}
    if not kinds:
        arrays = {name: x for name, x in arrays.items() if x.dtype.kind == "f"}
    elif arrays.keys() != kinds.keys():
        raise FormatError(f"lacks {', '.join(sorted(kinds.keys() - arrays.keys()))}")
    producer = {"producer": f"{model.producer_name} {model.producer_version}".strip()}
    return Stored(arrays, kinds, {**metadata, **producer})


def kinds_of(text: str) -> dict[str, str]:
    """Return the dictionary from keys to kinds that an exported file has in its metadata."""
    try:
        kinds = json.loads(text)
    except ValueError as error:
        raise FormatError("the list of its keys is damaged") from error
    if not isinstance(kinds, dict) or not set(kinds.values()) <= {"param", "buffer"}:
        raise FormatError("the list of its keys is damaged")
    return kinds


def as_array(tensor: Any) -> Any:
    """Return an initializer as a NumPy array."""
    from onnx import TensorProto, numpy_helper

    if tensor.data_location == TensorProto.EXTERNAL:
        raise FormatError(
            f"{tensor.name!r} is in another file; save the model as one file (in PyTorch: "
            "external_data=False)"
        )
    try:
        return numpy_helper.to_array(tensor).copy()
    except (KeyError, TypeError, ValueError) as error:
        raise FormatError(f"{tensor.name!r} is damaged ({error})") from error
