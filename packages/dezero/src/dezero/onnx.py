"""Export models as ONNX files, and load weights from ONNX files; this needs dezero-onnx."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dezero_core.errors import INSTALL_HINTS, FormatError, MissingPackage
from dezero_core.extend import Limits, get_backend
from dezero_core.state import FilePath, LoadReport, load_weights, locate_file
from dezero_io import load_pytorch_weights

if TYPE_CHECKING:
    from dezero_onnx import ExportReport

__all__ = ["export_onnx", "load_onnx_weights"]


def export_onnx(model: Any, path: FilePath, *, check: bool = True, **inputs: Any) -> ExportReport:
    """Write a model in test mode as an ONNX file; see `dezero_onnx.export_onnx`.

    Args:
        model: a layer.
        path: the file.
        check: whether to run the graph with onnxruntime and compare it with the model (default
            True).
        inputs: the arguments of ``forward``, in their order; each keyword becomes the name of an
            input in the file. Each value is an example array, or a pair of a shape and a dtype:
            ``x=(("N", 784), "float32")``, where ``"N"`` is any length.

    Raises:
        MissingPackage: dezero-onnx is not installed.
        PluginError: an environment variable excludes the plugin ``onnx``.
        ExportError, SaveError, ArgumentError, OSError: as for `dezero_onnx.export_onnx`.
    """
    try:
        from dezero_onnx import export_onnx as export
    except ImportError as error:
        raise MissingPackage(
            f"export_onnx: dezero-onnx is not installed. {INSTALL_HINTS['dezero-onnx']}"
        ) from error
    get_backend("onnx")
    return export(model, path, check=check, **inputs)


def load_onnx_weights(
    tree: object,
    path: FilePath,
    names: Mapping[str, str | Sequence[str]] | None = None,
    *,
    cast: str | None = None,
    max_bytes: int = Limits.max_bytes,
) -> LoadReport:
    """Load the initializers of an ONNX file into ``tree``.

    The arrays of a file that `export_onnx` wrote have DeZero's keys. The arrays of other files are
    matched by shapes, paths and order, like those of PyTorch; see
    `dezero_io.load_pytorch_weights`. If loading fails, ``tree`` is unchanged.

    Args:
        tree: a layer, or a dictionary or list of layers and parameters.
        path: the file, with the suffix ``.onnx``.
        names: for files of other programs, a dictionary from keys or paths of layers to names of
            initializers; with None (default), DeZero matches them.
        cast: which conversions to the model's dtype are allowed, as for `load_weights`.
        max_bytes: refuse files that are larger (default 4 GiB).

    Raises:
        MissingPackage: dezero-onnx is not installed.
        DataMissing, FormatError, LimitError, KeyMismatch, ShapeMismatch, DtypeMismatch: as for
            `load_weights` and `load_pytorch_weights`.
    """
    target, file_format = locate_file(path)
    if file_format.suffix != ".onnx":
        raise FormatError(f"load_onnx_weights: {target} is not an .onnx file; use load_weights")
    if names is None and file_format.read(target, Limits(max_bytes)).kinds:
        return load_weights(tree, target, cast=cast, max_bytes=max_bytes)
    return load_pytorch_weights(tree, target, names, cast=cast, max_bytes=max_bytes)
