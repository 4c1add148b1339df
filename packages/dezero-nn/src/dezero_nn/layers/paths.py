"""Find the sublayers of a layer, and the paths of their names."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dezero_core.state import CONTAINER, LAYER, children, kind_of

Layer = Any
"""A `dezero_nn.layers.layer.Layer`, which imports this file."""


def sublayers(layer: Layer) -> dict[str, Layer]:
    """Return the direct sublayers by name, each once, also from lists and dictionaries.

    As in keys, the name of an attribute takes precedence over that in a list. Layers are compared
    by identity: a subclass may define ``__eq__``, as dataclasses do.
    """
    names: dict[int, tuple[str, Layer]] = {}
    for name, child in _branches(layer, ""):
        earlier = names.get(id(child))
        if earlier is None or ("/" in earlier[0] and "/" not in name):
            names[id(child)] = name, child
    return dict(names.values())


def _branches(node: object, path: str) -> Iterator[tuple[str, Layer]]:
    """Yield the path and layer of each layer in the attributes or items of ``node``."""
    for name, child in children(node):
        if kind_of(child) == LAYER:
            yield path + name, child
        elif kind_of(child) == CONTAINER:
            yield from _branches(child, f"{path}{name}/")


def path_to(layer: Layer, below: Layer, above: tuple[Layer, ...] = ()) -> str:
    """Return the path of attributes from ``layer`` to ``below``; empty if there is none."""
    direct = sublayers(layer)
    for name, child in direct.items():
        if child is below:
            return name
    for name, child in direct.items():
        visited = any(child is other for other in above)
        if not visited and (rest := path_to(child, below, (*above, layer))):
            return f"{name}/{rest}"
    return ""
