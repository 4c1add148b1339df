"""Check the arguments of the loaders."""

from __future__ import annotations

from collections.abc import Mapping
from operator import index

import numpy as np

from dezero_core.errors import ArgumentError


def positive_integer(owner: str, name: str, value: object) -> int:
    """Return ``value`` as an integer of at least 1, else raise `ArgumentError`."""
    try:
        number = index(value)  # type: ignore[arg-type]
    except TypeError:
        number = 0
    if number < 1 or isinstance(value, bool):
        reason = "is below 1" if type(value) is int else "is not an integer of at least 1"
        raise ArgumentError(f"{owner}: {name} {value!r} {reason}")
    return number


def boolean(owner: str, name: str, value: object) -> bool:
    """Return ``value`` as a bool; NumPy's bools, 0 and 1 are accepted."""
    if not isinstance(value, bool | int | np.bool_ | np.integer) or value not in (0, 1):
        raise ArgumentError(
            f"{owner}: {name} is {value!r} ({type(value).__name__}); expected True or False"
        )
    return bool(value)


def require_dataset(dataset: object) -> None:
    """Check that ``dataset`` has a length, and returns examples at integer indices."""
    cls = type(dataset).__name__
    expected = "expected len(dataset) and dataset[0], such as a Dataset, a list or an array"
    try:
        size = len(dataset)  # type: ignore[arg-type]
    except TypeError as error:
        raise ArgumentError(
            f"DataLoader: the dataset, of type {cls}, has no length; {expected} (list(...) "
            "converts an iterable)"
        ) from error
    if not hasattr(type(dataset), "__getitem__"):
        raise ArgumentError(
            f"DataLoader: the dataset, of type {cls}, has no examples at integer indices; "
            f"{expected}"
        )
    if isinstance(dataset, Mapping) and size and 0 not in dataset:
        raise ArgumentError(
            f"DataLoader: a dictionary with keys {', '.join(map(repr, list(dataset)[:3]))} has no "
            f"examples at integer indices; {expected} (list(zip(x, t)) makes pairs of two arrays)"
        )
