"""Define the backend on ndonnx, whose arrays are values of an ONNX graph."""

from __future__ import annotations

import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import ndonnx as ndx
import numpy as np
import spox.opset.ai.onnx.v21 as op

from dezero_core.extend import ArrayBackend

from .errors import ExportError

Array = Any  # an array of ndonnx


def in_float64(name: str) -> Callable[..., Array]:
    """Return an array function that computes constants by NumPy.

    onnxruntime has sin, cos and tan of float32 only, and rotary positions need float64.
    """

    def function(x: Array) -> Array:
        try:
            known = x.unwrap_numpy()
        except ValueError:
            return getattr(ndx, name)(x)
        return ndx.asarray(getattr(np, name)(known))

    return function


def reshape(x: Array, shape: tuple[int, ...], copy: bool | None = None) -> Array:
    """Return ``x`` in another shape, and ``x`` itself if it has that shape."""
    return x if tuple(shape) == x.shape else ndx.reshape(x, shape, copy=copy)


class GraphBackend(ArrayBackend):
    """Record the array operations of DeZero as nodes of an ONNX graph.

    An array either is a constant, whose value ndonnx knows, or depends on an input of the graph.
    """

    def __init__(self) -> None:
        functions = {name: in_float64(name) for name in ("sin", "cos", "tan")}
        functions["reshape"] = reshape
        super().__init__(SimpleNamespace(**{**vars(ndx), **functions}))

    def from_numpy(self, x: Any) -> Array:
        return ndx.asarray(np.array(x))

    def to_numpy(self, x: Array) -> Any:
        try:
            return np.array(x.unwrap_numpy())
        except ValueError as error:
            raise ExportError(
                "the value of an array was read, but it is known only when the graph runs; compute "
                "with functions of arrays instead"
            ) from error

    def get_item(self, x: Array, index: Any) -> Array:
        parts = index if isinstance(index, tuple) else (index,)
        if any(isinstance(part, np.ndarray) for part in parts):  # NumPy indices are constants
            parts = tuple(ndx.asarray(i) if isinstance(i, np.ndarray) else i for i in parts)
            index = parts if isinstance(index, tuple) else parts[0]
        if isinstance(index, ndx.Array) and ndx.isdtype(index.dtype, "integral"):
            return ndx.asarray(op.gather(x.unwrap_spox(), index.unwrap_spox(), axis=0))
        return super().get_item(x, index)

    def scatter_add(self, x: Array, index: object, values: Array) -> Array:
        numbers = ndx.reshape(ndx.arange(math.prod(x.shape)), x.shape)
        positions = ndx.reshape(self.get_item(numbers, index), (-1,))
        flat = [ndx.reshape(part, (-1,)).unwrap_spox() for part in (x, values)]
        y = op.scatter_elements(flat[0], positions.unwrap_spox(), flat[1], reduction="add")
        return ndx.reshape(ndx.asarray(y), x.shape)

    def pad(self, x: Array, widths: tuple[tuple[int, int], ...], value: float) -> Array:
        before, after = zip(*widths, strict=True)
        pads = op.constant(value=np.array(before + after, np.int64))
        fill = ndx.asarray(value, dtype=x.dtype).unwrap_spox()
        return ndx.asarray(op.pad(x.unwrap_spox(), pads, fill))

    def uniform(self, shape: tuple[int, ...], dtype: Any) -> Array:
        raise ExportError(
            "random numbers cannot be exported: a graph returns the same outputs in every run"
        )
