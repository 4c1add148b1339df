"""Find the parameters of a model: walk over its layers, lists and dictionaries.

A layer is any object with a method ``named_params``; its children are its attributes, in the order
in which they were set. The key of a parameter is its path: ``l1/W``, ``blocks/0/W``,
``heads/name/W``. Tuples and mutable sequences such as ``deque`` are treated as lists, and mappings
as dictionaries.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, MutableSequence, Set, ValuesView
from functools import lru_cache
from reprlib import repr as shortened
from typing import Any

from .errors import ArgumentTypeError, WeightsError
from .variable import Buffer, Parameter, Variable


def named_params(root: object) -> dict[str, Parameter | Buffer]:
    """Return a dictionary from keys to the Parameters and Buffers of ``root``, in definition order.

    If several paths lead to one parameter, the key is the first path that consists only of
    attributes, or the first path if every path contains a list or a dictionary. (The book's MLP has
    a list ``layers`` as well as attributes ``l0``, ``l1``, ...)

    Args:
        root: a layer, or a dictionary or list of layers and parameters.

    Raises:
        ArgumentTypeError: ``root`` is not a layer, dictionary or list; it is a generator or a
            class, for example.
        WeightsError: a name contains ``/`` or is not a string, two parameters have the same key, a
            layer contains itself, or a parameter is only in a set, a dictionary view or an array.
    """
    require_tree("named_params", root)
    chosen: dict[int, tuple[str, Parameter | Buffer, bool]] = {}
    without_keys: list[tuple[str, Any]] = []
    for key, found, kind, attributes_only in _walk(root, "", kind_of(root) != CONTAINER, (), []):
        if kind == WITHOUT_KEYS:
            without_keys.append((key, found))
            continue
        known = chosen.get(id(found))
        if known is None or (attributes_only and not known[2]):
            chosen[id(found)] = key, found, attributes_only
    named: dict[str, Parameter | Buffer] = {}
    for key, found, _ in chosen.values():
        if key in named:
            raise WeightsError(f"two parameters have the key {key!r}; rename one")
        named[key] = found
    for key, node in without_keys:
        _require_known(key, node, chosen)
    return named


def require_tree(op: str, root: object, advice: str = "pass the model") -> None:
    """Raise `ArgumentTypeError` if ``root`` is not a layer, a list or a dictionary.

    The message names ``op``, and ends with ``advice`` on how to correct the call.
    """
    if kind_of(root) not in (LAYER, CONTAINER):
        got = f"the class {root.__name__}" if isinstance(root, type) else shortened(root)
        raise ArgumentTypeError(
            f"{op}: got {got} ({type(root).__name__}); expected a model or layer, or a list or "
            f"dictionary of layers and Parameters; {advice}"
        )


def _require_known(key: str, node: Any, known: Mapping[int, Any]) -> None:
    """Raise `WeightsError` if a set, view or array contains a parameter that has no key."""
    if hasattr(node, "dtype"):
        elements = [node.tolist()] if str(node.dtype) == "object" else []
    else:
        elements = list(node)
    for element in elements:
        if kind_of(element) == NOTHING:
            continue
        if any(id(x) not in known for x in named_params([element]).values()):
            raise WeightsError(
                f"{key!r} is of type {type(node).__name__}, in which parameters have no keys; use "
                "a list or a dictionary"
            )


def attributes(node: object) -> dict[str, Any]:
    """Return a dictionary from the names of attributes, also in ``__slots__``, to their values."""
    slots = slots_of(type(node))  # type: ignore[arg-type]
    if not slots:
        return vars(node)
    return vars(node) | {name: getattr(node, name) for name in slots if hasattr(node, name)}


@lru_cache(maxsize=1024)
def slots_of(kind: type) -> tuple[str, ...]:
    """Return the names in the ``__slots__`` of a class and its bases."""
    slots = [vars(base).get("__slots__", ()) for base in reversed(kind.__mro__)]
    names = [name for s in slots for name in ((s,) if isinstance(s, str) else s)]
    return tuple(name for name in names if not name.startswith("__"))


def children(node: Any) -> Iterable[tuple[str, Any]]:
    """Return the pairs (name, child) of a layer or container; other objects have no pairs."""
    kind = kind_of(node)
    if kind == LAYER:
        return list(attributes(node).items())  # a copy: another thread may add attributes
    if kind != CONTAINER:
        return ()
    if isinstance(node, Mapping):
        return ((_checked_name(name), value) for name, value in list(node.items()))
    return ((str(position), value) for position, value in enumerate(list(node)))


def _walk(
    node: object, path: str, attributes_only: bool, above: tuple[int, ...], found: list[Any]
) -> list[tuple[str, Any, int, bool]]:
    """Append every Parameter, Buffer and `WITHOUT_KEYS` node below ``node`` to ``found``.

    Each item is the key, the object, its `kind_of`, and whether the path has only attributes.
    """
    for name, child in children(node):
        kind = _kind_of_type(type(child))  # type: ignore[arg-type]
        if kind == NOTHING or name.startswith("_dezero_"):  # a layer's records
            continue
        key = f"{path}/{name}" if path else name
        if "/" in name:
            raise WeightsError(f"the name {name!r} contains '/', which separates names")
        if kind in (LEAF, WITHOUT_KEYS):
            found.append((key, child, kind, attributes_only))
            continue
        if id(child) in above:
            raise WeightsError(f"{key!r} contains itself: the layers form a cycle")
        _walk(child, key, attributes_only and kind == LAYER, (*above, id(child)), found)
    return found


def _checked_name(name: object) -> str:
    """Return the key of a dictionary as a string."""
    if isinstance(name, str | int):
        return str(name)
    raise WeightsError(f"keys of dictionaries are strings or integers, got {name!r}")


NOTHING, LEAF, CONTAINER, LAYER, WITHOUT_KEYS = range(5)
"""The possible types of a node in a model; `WITHOUT_KEYS` means a set, dictionary view or array."""


def kind_of(x: object) -> int:
    """Return the type of a node: `NOTHING`, `LEAF`, `CONTAINER`, `LAYER` or `WITHOUT_KEYS`."""
    return _kind_of_type(type(x))  # type: ignore[arg-type]


@lru_cache(maxsize=1024)  # cached, because a training step calls this function hundreds of times
def _kind_of_type(kind: type) -> int:
    if issubclass(kind, Parameter | Buffer):
        return LEAF
    if issubclass(kind, Mapping | list | tuple):
        return CONTAINER
    if hasattr(kind, "named_params"):
        return LAYER
    if issubclass(kind, MutableSequence) and not issubclass(kind, bytearray | array):
        return CONTAINER
    is_array = hasattr(kind, "dtype") and hasattr(kind, "tolist") and not issubclass(kind, Variable)
    return WITHOUT_KEYS if is_array or issubclass(kind, Set | ValuesView) else NOTHING
