"""Export a model as an ONNX file."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkstemp
from typing import Any

import numpy as np

from dezero_core.dtypes import dtype_name
from dezero_core.errors import ArgumentError, ArgumentTypeError
from dezero_core.extend import get_backend, unwrap
from dezero_core.state import FilePath, Snapshot, arrays_of, file_path, move, named_params

from .errors import ExportError
from .lengths import Input, Shape

MAX_BYTES = 2**31 - 1
"""The largest size of an ONNX file, which is a protocol buffer, in bytes."""

TOLERANCE = 1e-4
"""The largest accepted difference between onnxruntime and NumPy; see `ExportReport`."""


@dataclass(frozen=True)
class ExportReport:
    """Describe the file that `export_onnx` wrote.

    Attributes:
        path: the file.
        nodes: the number of nodes of the graph.
        opset: the version of ONNX's operators.
        inputs, outputs: dictionaries from names to shapes; a string is a free length.
        difference: the largest difference between the outputs of onnxruntime and NumPy, divided by
            the largest output if that exceeds 1; None without ``check``.

    ``str(report)`` is a summary in one line.
    """

    path: Path
    nodes: int
    opset: int
    inputs: Mapping[str, Shape]
    outputs: Mapping[str, Shape]
    difference: float | None

    def __str__(self) -> str:
        checked = "not checked"
        if self.difference is not None:
            checked = f"largest difference from NumPy {self.difference:.1e}"
        return f"{self.path}: {self.nodes} nodes, opset {self.opset}, {checked}"


def export_onnx(model: Any, path: FilePath, *, check: bool = True, **inputs: Any) -> ExportReport:
    """Write a model in test mode as an ONNX file, which other programs can run.

    The parameters and buffers are stored in the file under their keys, such as ``l1/W``.
    `dezero_core.weights.load_weights` can read them. The model does not change. The state of a
    recurrent layer is an input and an output of the graph: ``rnn/h`` and ``rnn/h_next``.

    Args:
        model: a layer. ``model(*inputs)`` returns a Variable or a tuple of Variables, which become
            the outputs ``y``, or ``y0``, ``y1``, ...
        path: the file; an existing file is replaced when the new one is complete.
        check: whether to run the graph with onnxruntime and compare it with the model (default
            True). Free lengths are checked with two different values.
        inputs: the arguments of ``forward``, in their order; each keyword becomes the name of an
            input in the file. Each value is an example array, or a pair of a shape and the name of
            a dtype: ``x=(("N", 3, 32, 32), "float32")``. A string in a shape is a length that may
            be different in each run.

    Returns:
        the number of nodes, the shapes of inputs and outputs, and the largest difference.

    Raises:
        ExportError: a layer cannot be exported (the message names the layer), or the outputs of
            onnxruntime differ from those of the model. Nothing is written.
        SaveError: a parameter has no data yet.
        ArgumentError: an input is neither an array nor a pair of a shape and a dtype.
        OSError: the file cannot be written; an existing file does not change.

    Source: Open Neural Network Exchange, operator sets up to 21.
    """
    from .check import largest_difference
    from .tracing import shapes_of, trace

    target = file_path(path)
    require_model(model)
    if not target.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, f"no folder {str(target.parent)!r}", str(target))
    arrays = dict(Snapshot(arrays_of(named_params(model))))
    if sum(x.nbytes for x in arrays.values()) > MAX_BYTES:
        raise ExportError(f"{target}: the arrays of the model exceed 2 GiB, the limit of ONNX")
    if not inputs:
        raise ArgumentError('export_onnx: no input; add, for example, x=((1, 784), "float32")')
    examples = {name: as_input(name, x) for name, x in inputs.items()}
    graph = trace(model, arrays, examples)
    difference = None
    if check:
        difference = largest_difference(model, arrays, graph, examples)
        if not difference <= TOLERANCE:
            raise ExportError(
                f"{target} was not written: onnxruntime and NumPy differ by {difference:.1e}; "
                "check=False writes the file without this comparison"
            )
    write_atomically(target, graph.SerializeToString())
    opset = max(x.version for x in graph.opset_import if x.domain == "")
    shapes = shapes_of(graph.graph.input), shapes_of(graph.graph.output)
    return ExportReport(target, len(graph.graph.node), opset, *shapes, difference)


def require_model(model: object) -> None:
    """Raise `ArgumentTypeError` unless ``model`` is a layer."""
    if isinstance(model, type) or not callable(getattr(model, "named_layers", None)):
        raise ArgumentTypeError(
            f"export_onnx: got {model!r}; expected a layer or model, such as MLP((100, 10))"
        )


def as_input(name: str, x: Any) -> Input:
    """Return an argument of `export_onnx` as an `Input`."""
    if hasattr(x, "dtype") and hasattr(x, "shape"):
        return Input(tuple(x.shape), dtype_name(x.dtype), to_host(x))
    try:
        shape, dtype = x
        return Input(tuple(shape), dtype_name(np.dtype(dtype)), None)
    except (TypeError, ValueError):
        raise ArgumentError(
            f"export_onnx: {name} is {x!r}; expected an array, or a pair of a shape and a dtype: "
            '(("N", 784), "float32")'
        ) from None


def to_host(x: Any) -> Any:
    """Return a copy of an array or Variable as a NumPy array."""
    return np.array(move(unwrap(x), get_backend("numpy")))


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file; an existing file stays until the new one is complete and on disk."""
    path = path.resolve()
    descriptor, temporary = mkstemp(".part", f".{path.name[:100]}.", path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, path.stat().st_mode & 0o777 if path.exists() else 0o644)
        os.replace(temporary, path)
    except BaseException as error:
        os.unlink(temporary)
        if isinstance(error, OSError) and error.errno is not None:
            error.filename = str(path)
        raise
