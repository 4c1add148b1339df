"""Free the lengths of a traced graph, so that they are read from the inputs when the graph runs."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from .errors import ExportError
from .graph import replace, shape_readers
from .lengths import FreeLengths

Array = Any


class Freed:
    """Replace the values of free lengths in a graph by nodes that compute these lengths.

    Args:
        graph: the graph, which is changed.
        lengths: the free lengths.
    """

    def __init__(self, graph: onnx.GraphProto, lengths: FreeLengths) -> None:
        self.graph, self.lengths = graph, lengths
        self.constants = {x.name: numpy_helper.to_array(x) for x in graph.initializer}
        self.nodes: list[onnx.NodeProto] = []  # new nodes, which come before all others
        self.new: dict[str, Array] = {}  # new initializers

    def run(self) -> None:
        """Free every length.

        Raises:
            ExportError: the elements of a constant, and not only its shape, depend on a free
                length.
        """
        unread = {name for name in self.constants if not self.is_read(name)}  # parameters
        for node, index in shape_readers(self.graph):
            shape = self.constants.get(node.input[index])
            if shape is not None and self.lengths.are_in(shape):
                node.input[index] = self.shape(node, [int(n) for n in shape])
        for name, array in self.constants.items():
            if self.lengths.are_in(array.shape) and self.is_read(name):
                self.expand(name, array)
        expanded = {name for node in self.nodes for name in node.output}
        old = [
            x
            for x in self.graph.initializer
            if x.name in unread or (self.is_read(x.name) and x.name not in expanded)
        ]
        replace(self.graph.initializer, old)
        for name, array in self.new.items():
            self.graph.initializer.append(numpy_helper.from_array(np.asarray(array), name))
        replace(self.graph.node, [*self.nodes, *self.graph.node])
        for value in (*self.graph.input, *self.graph.output):
            self.name_axes(value)

    def is_read(self, name: str) -> bool:
        """Return whether a node reads ``name``."""
        return any(name in node.input for node in (*self.nodes, *self.graph.node))

    def constant(self, name: str, array: Array) -> str:
        """Add an initializer, and return its name."""
        self.new[name] = array
        return name

    def shape(self, node: onnx.NodeProto, shape: list[int]) -> str:
        """Return the name of a vector with the shape that ``node`` reads."""
        free = [i for i, n in enumerate(shape) if self.lengths.are_in([n])]
        if node.op_type == "Reshape" and len(free) == 1 and not {0, -1} & set(shape):
            inferred = [-1 if i in free else n for i, n in enumerate(shape)]
            return self.constant(f"{node.output[0]}.shape", np.array(inferred, np.int64))
        return self.vector(shape)

    def vector(self, shape: list[int]) -> str:
        """Return the name of a vector with a shape that is computed when the graph runs."""
        parts = [self.length(n) for n in shape]
        name = "shape:" + ",".join(map(str, self.lengths.named(shape)))
        if len(parts) == 1:
            return parts[0]
        if not any(name in node.output for node in self.nodes):
            self.nodes.append(helper.make_node("Concat", parts, [name], name, axis=0))
        return name

    def length(self, n: int) -> str:
        """Return the name of a vector whose only element is the length ``n``."""
        names, rest = self.lengths.factors(n)
        found = self.constant(f"length:{rest}", np.array([rest], np.int64)) if rest != 1 else ""
        if not names:
            return found or self.constant("length:1", np.array([1], np.int64))
        for name in names:
            part = self.length_of_input(name)
            product = f"{found}*{name}"
            if found and not any(product in node.output for node in self.nodes):
                self.nodes.append(helper.make_node("Mul", [found, part], [product], product))
            found = product if found else part
        return found

    def length_of_input(self, name: str) -> str:
        """Return the name of a vector with a free length, which is read from an input."""
        output = f"length:{name}"
        if any(output in node.output for node in self.nodes):
            return output
        prime = self.lengths.primes[name]
        for value in self.graph.input:
            for axis, dim in enumerate(value.type.tensor_type.shape.dim):
                if dim.dim_value == prime:
                    node = helper.make_node(
                        "Shape", [value.name], [output], output, start=axis, end=axis + 1
                    )
                    self.nodes.append(node)
                    return output
        raise ExportError(f"no input has the free length {name!r}")

    def expand(self, name: str, array: Array) -> None:
        """Replace an initializer that repeats one slice along its free axes by that slice."""
        axes = [i for i, n in enumerate(array.shape) if self.lengths.are_in([n])]
        first = array[tuple(slice(1) if i in axes else slice(None) for i in range(array.ndim))]
        if not np.array_equal(np.broadcast_to(first, array.shape), array):
            shape = ", ".join(map(str, self.lengths.named(array.shape)))
            raise ExportError(
                f"a constant of shape ({shape}) has different values along a free length, so this "
                "length cannot be free; give it as an integer"
            )
        inputs = [self.constant(f"{name}.slice", first), self.vector(list(array.shape))]
        self.nodes.append(helper.make_node("Expand", inputs, [name], name))

    def name_axes(self, value: onnx.ValueInfoProto) -> None:
        """Name the free lengths of an input or output."""
        for dim in value.type.tensor_type.shape.dim:
            (length,) = self.lengths.named((dim.dim_value,))
            if isinstance(length, str):
                dim.dim_param = length
