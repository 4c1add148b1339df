"""Describe the layers of a model as a table."""

from __future__ import annotations

from typing import Any

from dezero_core import Buffer, Parameter
from dezero_core.state import attributes

from ..layers import Layer
from ..layers.first_pass import FirstPass
from ..layers.layer import watching
from ..layers.paths import named_layers
from ..layers.printing import shape_of

HEADINGS = ("layer", "type", "output shape", "parameters", "elements")


def summary(model: Layer, *inputs: Any, **settings: Any) -> str:
    """Return a table of the layers that have parameters or were called.

    Args:
        model: a layer.
        inputs, settings: the arguments of ``forward``, which runs once for the output shapes.
    """
    layers = named_layers(model)
    outputs = output_shapes(model, inputs, settings) if inputs or settings else {}
    rows = [
        row_of(layer, path or "(model)", outputs.get(id(layer), ""))
        for path, layer in layers.items()
    ]
    rows = [HEADINGS, *[row for row in rows if any(row[2:])]]
    if not outputs:
        rows = [(*row[:2], *row[3:]) for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)) for row in rows]
    params = list(type(model).params(model))
    last = f"{sum(x.size for x in params if x.data is not None):,} elements to train"
    waiting = sum(x.data is None for x in params)
    if waiting:
        last += f", besides {waiting} parameters that wait for the first input"
    return "\n".join(line.rstrip() for line in [*lines, last])


def output_shapes(
    model: Layer, inputs: tuple[Any, ...], settings: dict[str, Any]
) -> dict[int, str]:
    """Run a `FirstPass` of a model; return the shape of each layer's last output.

    Returns:
        a dictionary from the ``id`` of each layer to the shape of its last output.
    """
    shapes: dict[int, str] = {}

    def watch(layer: Layer, outputs: tuple[Any, ...]) -> None:
        shapes[id(layer)] = ", ".join(str(tuple(getattr(y, "shape", ()))) for y in outputs)

    token = watching.set(watch)
    try:
        FirstPass(model).run(inputs, settings)
    finally:
        watching.reset(token)
    return shapes


def row_of(layer: Layer, name: str, output: str) -> tuple[str, ...]:
    """Return the table cells of one layer; parameters of its sublayers are not counted."""
    params = {name: x for name, x in attributes(layer).items() if isinstance(x, Parameter | Buffer)}
    shapes = ", ".join(f"{name} {shape_of(x)}" for name, x in params.items())
    count = sum(x.size for x in params.values() if x.data is not None)
    return name, type(layer).__name__, output, shapes, f"{count:,}" if params else ""
