"""Where the parameters of a model are: one walk over layers, lists and dictionaries.

A layer is any object with a method ``named_params``; its attributes are its branches, in the
order in which they were set. Keys are the path: ``l1/W``, ``blocks/0/W``, ``heads/name/W``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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
    for key, found, attributes_only in _walk(root, "", not _is_container(root), ()):
        known = chosen.get(id(found))
        if known is None or (attributes_only and not known[2]):
            chosen[id(found)] = key, found, attributes_only
    named: dict[str, Parameter | Buffer] = {}
    for key, found, _ in chosen.values():
        if key in named:
            raise WeightsError(f"two parameters have the key {key!r}; rename one")
        named[key] = found
    return named


def children(node: Any) -> Iterator[tuple[str, Any]]:
    """The named branches of a layer or container; nothing of anything else."""
    if isinstance(node, list | tuple):
        yield from ((str(position), value) for position, value in enumerate(node))
    elif _is_container(node):
        yield from ((_checked(name), value) for name, value in node.items())
    elif hasattr(node, "named_params"):
        yield from vars(node).items()


def _walk(
    node: Any, path: str, attributes_only: bool, above: tuple[int, ...]
) -> Iterator[tuple[str, Parameter | Buffer, bool]]:
    for name, child in children(node):
        key = f"{path}/{name}" if path else name
        if isinstance(child, Parameter | Buffer):
            if "/" in name:
                raise WeightsError(f"the name {name!r} contains '/', which separates names")
            yield key, child, attributes_only
        elif _is_branch(child):
            if "/" in name:
                raise WeightsError(f"the name {name!r} contains '/', which separates names")
            if id(child) in above:
                raise WeightsError(f"{key!r} contains itself: the layers form a cycle")
            deeper = attributes_only and not _is_container(child)
            yield from _walk(child, key, deeper, (*above, id(child)))


def _checked(name: Any) -> str:
    if isinstance(name, str | int):
        return str(name)
    raise WeightsError(f"keys of dictionaries are strings or integers, got {name!r}")


@lru_cache(maxsize=1024)
def _is_container_type(kind: type) -> bool:
    return issubclass(kind, Mapping | list | tuple)  # Mapping is asked once: it is slow


def _is_container(node: Any) -> bool:
    return _is_container_type(type(node))  # type: ignore[arg-type]


def _is_branch(node: Any) -> bool:
    return _is_container(node) or hasattr(node, "named_params")
