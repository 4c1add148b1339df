"""Find the sublayers of a layer, and the attribute paths to them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dezero_core.state import CONTAINER, LAYER, children, kind_of

Layer = Any
"""Describe `Layer` for type checkers; importing `Layer` here would be circular."""


def sublayers(layer: Layer) -> dict[str, Layer]:
    """Return a dictionary from names to the direct sublayers, including items of containers.

    Each sublayer appears once. If a layer is both an attribute and an item of a list, the
    attribute's name is used, as in the keys of parameters. Layers are compared by identity, because
    a subclass may define ``__eq__``, as dataclasses do.
    """
    names: dict[int, tuple[str, Layer]] = {}
    for name, child in _branches(layer, ""):
        earlier = names.get(id(child))
        if earlier is None or ("/" in earlier[0] and "/" not in name):
            names[id(child)] = name, child
    return dict(names.values())


def _branches(node: object, path: str) -> Iterator[tuple[str, Layer]]:
    """Yield each layer in the attributes or items of ``node``, with its path."""
    for name, child in children(node):
        if kind_of(child) == LAYER:
            yield path + name, child
        elif kind_of(child) == CONTAINER:
            yield from _branches(child, f"{path}{name}/")


def named_layers(layer: Layer) -> dict[str, Layer]:
    """Return a dictionary from paths to a layer, under the empty path, and all layers below it.

    A layer comes before the layers that it contains. A layer with several paths has the first path.
    """
    visited: dict[int, tuple[str, Layer]] = {}
    todo = [("", layer)]
    while todo:
        path, current = todo.pop()
        if id(current) not in visited:
            visited[id(current)] = path, current
            start = f"{path}/" if path else ""
            todo += reversed([(start + name, below) for name, below in sublayers(current).items()])
    return dict(visited.values())


def innermost_first(layer: Layer, visited: set[int] | None = None) -> Iterator[Layer]:
    """Yield each layer once, after the layers that it contains; the given layer comes last."""
    visited = set() if visited is None else visited
    visited.add(id(layer))
    for below in sublayers(layer).values():
        if id(below) not in visited:
            yield from innermost_first(below, visited)
    yield layer


def path_to(layer: Layer, below: Layer, above: tuple[Layer, ...] = ()) -> str:
    """Return the attribute path from ``layer`` to ``below``, or an empty string."""
    direct = sublayers(layer)
    for name, child in direct.items():
        if child is below:
            return name
    for name, child in direct.items():
        visited = any(child is other for other in above)
        if not visited and (rest := path_to(child, below, (*above, layer))):
            return f"{name}/{rest}"
    return ""
