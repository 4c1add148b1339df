"""Trace a model: run it on arrays that are values of an ONNX graph, and build the graph."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import ndonnx as ndx
import onnx
import spox
import spox.opset.ai.onnx.v21 as op
from onnx import helper

from dezero_core import Buffer, Variable
from dezero_core.dtypes import dtype_name
from dezero_core.errors import DezeroError
from dezero_core.state import named_params

from .errors import ExportError
from .free_axes import Freed
from .graph import KINDS, remove_unused, replace, simplify
from .lengths import FreeLengths, Input, Shape, free_lengths
from .twin import Twin

NEXT = "_next"
"""The suffix of the output that is the new value of the state of a recurrent layer."""


def trace(model: Any, arrays: Mapping[str, Any], examples: Mapping[str, Input]) -> onnx.ModelProto:
    """Return the graph of a model.

    Args:
        model: the model.
        arrays: a dictionary from keys to the arrays of the model, on the host.
        examples: the inputs by name.

    Raises:
        ExportError: a layer cannot be exported.
    """
    shapes = {name: x.shape for name, x in examples.items()}
    lengths = free_lengths(shapes, [n for x in arrays.values() for n in x.shape])
    inputs = {
        name: ndx.argument(shape=lengths.traced(x.shape), dtype=getattr(ndx, x.dtype))
        for name, x in examples.items()
    }
    params = {key: graph_input(x) for key, x in arrays.items()}
    require_other_names(inputs, params)
    states: dict[str, Any] = {}
    outputs, found = run(Twin(model, params), inputs, states, lengths)
    if found:  # the model has states, which now are inputs too
        states = {name: graph_input(x.data) for name, x in found.items()}
        require_other_names(inputs, states)
        outputs, found = run(Twin(model, params), inputs, states, lengths)
    after = {name + NEXT: found[name] for name in states if name in found}
    traced = build({**inputs, **states, **params}, {**outputs, **after})
    simplify(traced, arrays)
    drop_unread_states(traced.graph, list(states))
    remove_unused(traced.graph, arrays.keys())
    Freed(traced.graph, lengths).run()
    kinds = {key: kind_of(x) for key, x in named_params(model).items()}
    helper.set_model_props(traced, {KINDS: json.dumps(kinds)})
    require_valid(traced)
    return traced


def require_valid(model: onnx.ModelProto) -> None:
    """Raise `ExportError` unless onnx.checker accepts a graph."""
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise ExportError(f"not exported: onnx.checker refuses the graph: {error}") from error


def kind_of(x: object) -> str:
    """Return the word that weight files use for a Parameter or a Buffer."""
    return "buffer" if isinstance(x, Buffer) else "param"


def graph_input(x: Any) -> Any:
    """Return an input of the graph with the shape and dtype of an array."""
    return ndx.argument(shape=tuple(x.shape), dtype=getattr(ndx, dtype_name(x.dtype)))


def require_other_names(inputs: Mapping[str, Any], others: Mapping[str, Any]) -> None:
    """Raise `ExportError` if an input has the key of a parameter or a state."""
    for name in inputs:
        if name in others:
            raise ExportError(
                f"the input {name!r} has the name of an array of the model; rename it"
            )


def run(
    twin: Twin, inputs: Mapping[str, Any], states: Mapping[str, Any], lengths: FreeLengths
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Run the copy of a model on arrays of a graph; return its outputs and its new states."""
    require_no_cache(twin)
    twin.set_states(states)
    with naming_layers(twin, lengths):
        ys = twin.run(*map(Variable, inputs.values()))
    for y in ys:
        if not isinstance(y, Variable) or not isinstance(y.data, ndx.Array):
            raise ExportError(
                f"the model returned {type(y).__name__}; expected a Variable, or a tuple of "
                "Variables, that are computed from the inputs"
            )
    names = ["y"] if len(ys) == 1 else [f"y{i}" for i in range(len(ys))]
    return dict(zip(names, ys, strict=True)), twin.states


def require_no_cache(twin: Twin) -> None:
    """Raise `ExportError` if a layer stores keys and values between calls in a `KVCache`."""
    for path, layer in twin.layers.items():
        for name, value in vars(layer).items():
            if hasattr(value, "filled_by"):
                raise ExportError(
                    f"not exported: {name} is of type {type(value).__name__}, which grows at each "
                    f"call; export a model that gets all positions at once (in model.{path})"
                )


@contextmanager
def naming_layers(twin: Twin, lengths: FreeLengths) -> Iterator[None]:
    """Raise an `ExportError` that names the layer in place of any error."""
    try:
        yield
    except DezeroError as error:  # the message of a DezeroError names the layer
        raise ExportError(f"not exported: {lengths.text_with_names(str(error))}") from error
    except Exception as error:
        paths = {id(layer): path for path, layer in twin.layers.items()}
        path, trace = "", error.__traceback__
        while trace is not None:
            path = paths.get(id(trace.tb_frame.f_locals.get("self")), path)
            trace = trace.tb_next
        what = lengths.text_with_names(f"{type(error).__name__}: {error}")
        layer = type(twin.layers[path]).__name__
        raise ExportError(f"not exported: {layer}: {what} (in model.{path})") from error


def build(inputs: Mapping[str, Any], outputs: Mapping[str, Variable]) -> onnx.ModelProto:
    """Return the graph from ``inputs`` to ``outputs``."""
    results: dict[str, Any] = {}
    for name, y in outputs.items():
        result = y.data.unwrap_spox()
        others = [*results.values(), *(x.unwrap_spox() for x in inputs.values())]
        is_named = any(result is other for other in others)
        results[name] = op.identity(result) if is_named else result
    return spox.build({name: x.unwrap_spox() for name, x in inputs.items()}, results)


def drop_unread_states(graph: onnx.GraphProto, states: list[str]) -> None:
    """Remove the states that no node reads, such as those of bidirectional layers."""
    read = {name for node in graph.node for name in node.input}
    unread = {name for name in states if name not in read}
    replace(graph.input, [x for x in graph.input if x.name not in unread])
    unread = {name + NEXT for name in unread}
    replace(graph.output, [x for x in graph.output if x.name not in unread])


def shapes_of(values: Iterable[onnx.ValueInfoProto]) -> dict[str, Shape]:
    """Return a dictionary from the names of inputs or outputs to their shapes."""
    return {
        x.name: tuple(dim.dim_param or dim.dim_value for dim in x.type.tensor_type.shape.dim)
        for x in values
    }
