"""What a model consists of, as a table."""

from __future__ import annotations

from typing import Any

from dezero_core import Buffer, Parameter, Variable, no_grad, test_mode

from ..layers import Layer
from ..layers.layer import shape_of, sublayers, watching

HEADINGS = ("layer", "type", "output shape", "parameters", "elements")


def summary(model: Layer, *inputs: Any, **options: Any) -> str:
    """Return a table of the layers that have parameters or were called.

    Args:
        model: a layer.
        inputs, options: what ``forward`` takes, for output shapes; it is run once.
    """
    layers = named_layers(model, "(model)")
    outputs = output_shapes(layers, *inputs, **options) if inputs or options else {}
    rows = [HEADINGS, *[row_of(layer, name, outputs) for layer, name in layers.items()]]
    rows = [row for row in rows if any(row[2:4])]
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


def named_layers(layer: Layer, path: str) -> dict[Layer, str]:
    """Return a layer and all below by path, each once, from the outside in."""
    names, todo = {}, [(layer, path)]
    while todo:
        layer, path = todo.pop()
        if layer not in names:
            names[layer] = path
            start = "" if len(names) == 1 else f"{path}/"
            todo += [(child, start + name) for child, name in sublayers(layer).items()][::-1]
    return names


def output_shapes(layers: dict[Layer, str], *inputs: Any, **options: Any) -> dict[Layer, str]:
    """Run a model without a graph in test mode; return the shapes of the last output by layer.

    Parameters that wait for the first input have it then; states are as they were before.
    """
    shapes: dict[Layer, str] = {}

    def watch(layer: Layer, outputs: tuple[Any, ...]) -> None:
        shapes[layer] = ", ".join(str(tuple(getattr(y, "shape", ()))) for y in outputs)

    before = {layer: dict(vars(layer)) for layer in layers}
    token = watching.set(watch)
    try:
        with no_grad(), test_mode():
            next(iter(layers))(*inputs, **options)
    finally:
        watching.reset(token)
        for layer, attributes in before.items():
            states = {k: attributes.get(k) for k, v in vars(layer).items() if is_state(v)}
            vars(layer).update(states)
    return shapes


def is_state(value: Any) -> bool:
    """Return whether an attribute is what a recurrent layer remembers of the last call."""
    return isinstance(value, Variable) and not isinstance(value, Parameter | Buffer)


def row_of(layer: Layer, name: str, outputs: dict[Layer, str]) -> tuple[str, ...]:
    """Return the cells of one layer, counting its own parameters only."""
    own = {name: x for name, x in vars(layer).items() if isinstance(x, Parameter | Buffer)}
    shapes = ", ".join(f"{name} {shape_of(x)}" for name, x in own.items())
    count = sum(x.size for x in own.values() if x.data is not None)
    return name, type(layer).__name__, outputs.get(layer, ""), shapes, f"{count:,}" if own else ""
