"""Simplify a traced graph: remove superfluous nodes, and give readable names.

Parameters become initializers under their keys, constants become initializers, transposes that
cancel each other are removed, and free lengths get their names.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import onnx
from onnx import helper, numpy_helper

from .__about__ import __version__

PRODUCER = "DeZero"
KINDS = "dezero.kinds"
"""The name of the metadata that says for each array whether it is a "param" or a "buffer"."""


def simplify(model: onnx.ModelProto, arrays: Mapping[str, Any]) -> None:
    """Turn the inputs named in ``arrays`` into initializers, and simplify the graph.

    Args:
        model: a graph, which is changed.
        arrays: a dictionary from the keys of parameters to NumPy arrays.
    """
    graph = model.graph
    replace(graph.input, [x for x in graph.input if x.name not in arrays])
    constants_to_initializers(graph)
    cancel_transposes(graph)
    rename_outputs(graph)
    remove_unused(graph)
    graph.initializer.extend(numpy_helper.from_array(x, key) for key, x in arrays.items())
    del graph.value_info[:]  # these shapes contain the values of free lengths in tracing
    graph.name, model.producer_name, model.producer_version = "model", PRODUCER, __version__


def replace(repeated: Any, items: list[Any]) -> None:
    """Replace the items of a repeated field of a protocol buffer."""
    kept = [type(item).FromString(item.SerializeToString()) for item in items]
    del repeated[:]
    repeated.extend(kept)


def attribute(node: onnx.NodeProto, name: str) -> Any:
    """Return an attribute of a node, or None."""
    found = [helper.get_attribute_value(a) for a in node.attribute if a.name == name]
    return found[0] if found else None


def constants_to_initializers(graph: onnx.GraphProto) -> None:
    """Replace each node ``Constant`` that holds a tensor by an initializer."""
    rest = []
    for node in graph.node:
        value = attribute(node, "value") if node.op_type == "Constant" else None
        if value is None:
            rest.append(node)
            continue
        value.name = node.output[0]
        graph.initializer.append(value)
    replace(graph.node, rest)


def cancel_transposes(graph: onnx.GraphProto) -> None:
    """Bypass two successive transposes that cancel each other."""
    made_by = {name: node for node in graph.node for name in node.output}
    outputs = {x.name for x in graph.output}
    same: dict[str, str] = {}
    for node in graph.node:
        for i, name in enumerate(node.input):
            node.input[i] = same.get(name, name)
        before = made_by.get(node.input[0]) if node.op_type == "Transpose" else None
        if before is None or before.op_type != "Transpose" or node.output[0] in outputs:
            continue
        first, second = attribute(before, "perm"), attribute(node, "perm")
        if [first[axis] for axis in second] == [*range(len(first))]:
            same[node.output[0]] = before.input[0]


def rename_outputs(graph: onnx.GraphProto) -> None:
    """Remove each node ``Identity`` that only gives the result of a node the name of an output."""
    results = {name for node in graph.node for name in node.output}
    names: dict[str, str] = {}
    rest = []
    for node in graph.node:
        before, after = node.input[:1], node.output[0]
        is_result = node.op_type == "Identity" and before[0] in results - names.keys()
        if is_result and any(x.name == after for x in graph.output):
            names[before[0]] = after
        else:
            rest.append(node)
    for node in rest:
        for values in (node.input, node.output):
            values[:] = [names.get(name, name) for name in values]
    replace(graph.node, rest)


def remove_unused(graph: onnx.GraphProto, keys: Collection[str] = ()) -> None:
    """Remove the nodes and initializers that no output depends on, except those in ``keys``."""
    used = {x.name for x in graph.output}
    nodes = []
    for node in reversed(graph.node):
        if used.intersection(node.output):
            nodes.append(node)
            used.update(node.input)
    replace(graph.node, nodes[::-1])
    replace(graph.initializer, [x for x in graph.initializer if x.name in {*used, *keys}])


def shape_readers(graph: onnx.GraphProto) -> Iterator[tuple[onnx.NodeProto, int]]:
    """Yield the nodes with an input that is a shape, and the index of this input."""
    for node in graph.node:
        index = {"Reshape": 1, "Expand": 1, "ConstantOfShape": 0}.get(node.op_type)
        if index is not None:
            yield node, index
