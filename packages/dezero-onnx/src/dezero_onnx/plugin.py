"""Register the backend whose arrays are an ONNX graph, its kernels, and the file format."""

from __future__ import annotations

from dezero_core.extend import (
    DEZERO_API,
    ArrayBackend,
    BackendSpec,
    Kernel,
    WeightFormat,
    hookimpl,
)

from . import weights

__all__ = ["DEZERO_API", "dezero_backends", "dezero_kernels", "dezero_weight_formats"]

ARRAYS = ("ndonnx._array:Array",)
"""The array types of the backend."""


def make_backend() -> ArrayBackend:
    """Return the backend; this imports ndonnx."""
    from .backend import GraphBackend

    return GraphBackend()


@hookimpl
def dezero_backends() -> list[BackendSpec]:
    """Return the backend ``onnx``."""
    return [BackendSpec("onnx", ARRAYS, make_backend, frozenset({"float64", "lazy"}))]


@hookimpl
def dezero_kernels() -> list[Kernel]:
    """Return one kernel for each op that is one node of an ONNX graph, or a few nodes."""
    from .kernels import all_kernels

    return all_kernels()


@hookimpl
def dezero_weight_formats() -> list[WeightFormat]:
    """Return the format ``.onnx``, which is read from the initializers of a graph."""
    return [WeightFormat(".onnx", weights.write, weights.read)]
