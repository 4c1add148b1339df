"""What a model consists of, as a table."""

from __future__ import annotations

from collections.abc import Iterator

from dezero_core import Buffer, Parameter

from ..layers import Layer
from ..layers.layer import sublayers

HEADINGS = ("layer", "kind", "parameters", "numbers")


def summary(model: Layer) -> str:
    """A table of the layers that have parameters, and how many numbers are trained."""
    rows = [HEADINGS, *rows_of(model, "")]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    lines = ["  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)) for row in rows]
    params = list(model.params())
    total = sum(x.size for x in params if x.data is not None)
    waiting = sum(x.data is None for x in params)
    last = f"{total:,} numbers to train"
    if waiting:
        last += f", besides {waiting} parameters that wait for the first input"
    return "\n".join(line.rstrip() for line in [*lines, last])


def rows_of(layer: Layer, path: str) -> Iterator[tuple[str, str, str, str]]:
    """A row for each layer with parameters of its own, from the outside in."""
    own = {name: x for name, x in vars(layer).items() if isinstance(x, Parameter | Buffer)}
    if own:
        shapes = ", ".join(f"{name} {shape_of(x)}" for name, x in own.items())
        count = sum(x.size for x in own.values() if x.data is not None)
        yield path or "(model)", type(layer).__name__, shapes, f"{count:,}"
    for child, name in sublayers(layer).items():
        yield from rows_of(child, f"{path}/{name}" if path else name)


def shape_of(x: Parameter | Buffer) -> str:
    """The shape, as far as it is known."""
    return "(waits)" if x.data is None else str(x.shape)
