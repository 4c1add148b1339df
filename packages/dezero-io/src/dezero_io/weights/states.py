"""Convert the state of a checkpoint part to JSON and arrays, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from dezero_core.errors import SaveError, UnsupportedType
from dezero_core.extend import backend_of

ARRAY = "__array__"
"""The key of a JSON object that replaces an array; the value is the path of the array."""


def pack(node: Any, path: str, arrays: dict[str, Any]) -> Any:
    """Convert a state to JSON values, and add its arrays to ``arrays``; the keys are paths.

    Args:
        node: a number, string, array or None, or a dictionary, list or tuple of such nodes.
        path: the names from the root to ``node``, joined with ``/``.
        arrays: a dictionary from paths to arrays, to which the arrays in ``node`` are added.

    Raises:
        SaveError: a state contains an object of another type, or two arrays have the same path.
    """
    if isinstance(node, Mapping):
        return {
            str(name): pack(child, f"{path}/{name}" if path else str(name), arrays)
            for name, child in node.items()
        }
    if isinstance(node, list | tuple):
        return [pack(child, f"{path}/{i}", arrays) for i, child in enumerate(node)]
    if isinstance(node, np.generic):
        node = node.item()
    if node is None or isinstance(node, bool | int | float | str):
        return node
    if path in arrays:
        raise SaveError(f"two arrays have the path {path!r}")
    try:
        backend_of(node)
    except UnsupportedType as error:
        raise SaveError(
            f"{path} is of type {type(node).__name__}; states hold numbers, strings and arrays"
        ) from error
    arrays[path] = node
    return {ARRAY: path}


def unpack(node: object, arrays: Mapping[str, Any]) -> Any:
    """Convert the JSON values and arrays of a packed state back to a state; tuples become lists."""
    if isinstance(node, dict):
        if set(node) == {ARRAY}:
            return arrays[node[ARRAY]]
        return {name: unpack(child, arrays) for name, child in node.items()}
    if isinstance(node, list):
        return [unpack(child, arrays) for child in node]
    return node
