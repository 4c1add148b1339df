"""Where the parameters of a model are: one walk over layers, lists and dictionaries.

A layer is any object with a method ``named_params``; its attributes are its branches, in the
order in which they were set. Keys are the path: ``l1/W``, ``blocks/0/W``, ``heads/name/W``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from .errors import WeightsError
from .variable import Buffer, Parameter


def named_params(root: Any) -> dict[str, Parameter | Buffer]:
    """Every Parameter and Buffer below ``root``, by key, each once, in order of definition.

    One that can be reached by several paths goes by the one of attributes only, else by the
    first (the book's MLP keeps a list ``layers`` beside ``l0``, ``l1``, ...).

    Args:
        root: a layer, or a dictionary, list or tuple of layers and parameters.

    Raises:
        WeightsError: a name contains ``/`` or is no string, two paths give one key, or a layer
            contains itself.
    """
    chosen: dict[int, tuple[str, Parameter | Buffer, bool]] = {}
    for key, found, attributes_only in _walk(root, "", kind_of(root) != CONTAINER, ()):
        known = chosen.get(id(found))
        if known is None or (attributes_only and not known[2]):
            chosen[id(found)] = key, found, attributes_only
    named: dict[str, Parameter | Buffer] = {}
    for key, found, _ in chosen.values():
        if key in named:
            raise WeightsError(f"two parameters have the key {key!r}; rename one")
        named[key] = found
    return named


def attributes(node: Any) -> dict[str, Any]:
    """Return the attributes of an object by name, those in ``__slots__`` too."""
    slots = slots_of(type(node))  # type: ignore[arg-type]
    if not slots:
        return vars(node)
    return vars(node) | {name: getattr(node, name) for name in slots if hasattr(node, name)}


@lru_cache(maxsize=1024)
def slots_of(kind: type) -> tuple[str, ...]:
    """Return the names that a class and its bases keep in ``__slots__``."""
    slots = [vars(base).get("__slots__", ()) for base in reversed(kind.__mro__)]
    names = [name for s in slots for name in ((s,) if isinstance(s, str) else s)]
    return tuple(name for name in names if not name.startswith("__"))


def children(node: Any) -> Iterable[tuple[str, Any]]:
    """The named branches of a layer or container; nothing of anything else."""
    kind = kind_of(node)
    if kind == LAYER:
        return list(attributes(node).items())  # another thread may set an attribute meanwhile
    if kind != CONTAINER:
        return ()
    if isinstance(node, list | tuple):
        return ((str(position), value) for position, value in enumerate(node))
    return ((_checked(name), value) for name, value in list(node.items()))


def _walk(
    node: Any, path: str, attributes_only: bool, above: tuple[int, ...]
) -> Iterator[tuple[str, Parameter | Buffer, bool]]:
    for name, child in children(node):
        kind = kind_of(child)
        if kind == NOTHING:
            continue
        key = f"{path}/{name}" if path else name
        if "/" in name:
            raise WeightsError(f"the name {name!r} contains '/', which separates names")
        if kind == LEAF:
            yield key, child, attributes_only
            continue
        if id(child) in above:
            raise WeightsError(f"{key!r} contains itself: the layers form a cycle")
        deeper = attributes_only and kind == LAYER
        yield from _walk(child, key, deeper, (*above, id(child)))


def _checked(name: Any) -> str:
    if isinstance(name, str | int):
        return str(name)
    raise WeightsError(f"keys of dictionaries are strings or integers, got {name!r}")


NOTHING, LEAF, CONTAINER, LAYER = range(4)
"""What a branch of a tree can be."""


def kind_of(x: Any) -> int:
    """Which of them ``x`` is."""
    return _kind_of_type(type(x))  # type: ignore[arg-type]


@lru_cache(maxsize=1024)  # a training step asks hundreds of times
def _kind_of_type(kind: type) -> int:
    if issubclass(kind, Parameter | Buffer):
        return LEAF
    if issubclass(kind, Mapping | list | tuple):
        return CONTAINER
    return LAYER if hasattr(kind, "named_params") else NOTHING
