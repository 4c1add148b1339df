"""Check the arguments of the loaders."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from operator import index
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from dezero_core.errors import ArgumentError, ArgumentTypeError


class Sampler(Protocol):
    """Describe the order of the examples in one pass: an iterable of indices with a length."""

    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[int]: ...


def integer(owner: str, name: str, value: object, least: int) -> int:
    """Return ``value`` as an integer of at least ``least``, else raise `ArgumentError`."""
    try:
        number = index(value)  # type: ignore[arg-type]
    except TypeError:
        number = least - 1
    if number < least or isinstance(value, bool):
        reason = (
            f"is below {least}" if type(value) is int else f"is not an integer of at least {least}"
        )
        raise ArgumentError(f"{owner}: {name} {value!r} {reason}")
    return number


def require_fork(owner: str, workers: int) -> None:
    """Raise `ArgumentError` if there are to be workers, but the platform cannot fork processes."""
    if workers > 0 and not hasattr(os, "fork"):
        raise ArgumentError(
            f"{owner}: num_workers={workers} needs a platform that can fork processes, and "
            f"{sys.platform} cannot; use num_workers=0"
        )


def require_sampler(sampler: Any, shuffle: bool) -> Any:
    """Check that ``sampler`` is None, or an iterable with a length, and return it."""
    if sampler is None:
        return None
    if shuffle:
        raise ArgumentError(
            "DataLoader: shuffle=True and a sampler both determine the order; leave one out"
        )
    if isinstance(sampler, Iterator) or not all(
        hasattr(sampler, name) for name in ("__len__", "__iter__")
    ):
        raise ArgumentError(
            f"DataLoader: sampler is of type {type(sampler).__name__}; expected an object with a "
            "length that can be iterated several times, such as a list of indices"
        )
    return sampler


def require_evaluation(owner: str, broadcast: object, drop_last: bool, sampler: object) -> None:
    """Check that the ranks can go through every example once without communication."""
    if broadcast is not None:
        raise ArgumentError(f"{owner}: training=False sends no order; leave broadcast out")
    if drop_last:
        raise ArgumentError(
            f"{owner}: training=False goes through every example, but drop_last omits some; leave "
            "drop_last out"
        )
    if not (sampler is None or hasattr(sampler, "__getitem__")):
        raise ArgumentError(
            f"{owner}: training=False, but the sampler of type {type(sampler).__name__} may draw "
            "different indices on each rank; pass a list of indices as sampler"
        )


def order_of(sampler: Sampler, size: int) -> NDArray[Any]:
    """Return the indices of one pass, int64, and check that all are below ``size``."""
    order = np.array(list(sampler))
    if order.ndim != 1 or order.dtype.kind not in "iu":
        raise ArgumentError(
            f"DataLoader: the sampler yielded {order.dtype} {order.shape}; expected integers"
        )
    outside = order[(order < 0) | (order >= size)]
    if len(outside):
        raise ArgumentError(
            f"DataLoader: the sampler yielded {outside[0]}, the dataset has {size} examples; "
            f"expected indices from 0 to {size - 1}"
        )
    return order.astype(np.int64)


def as_bool(owner: str, name: str, value: object) -> bool:
    """Return ``value`` as a bool; NumPy's bools, 0 and 1 are accepted."""
    if not isinstance(value, bool | int | np.bool_ | np.integer) or value not in (0, 1):
        raise ArgumentError(
            f"{owner}: {name} is {value!r} ({type(value).__name__}); expected True or False"
        )
    return bool(value)


def require_generator(owner: str, generator: object) -> None:
    """Raise `ArgumentTypeError` unless ``generator`` is a NumPy generator or None."""
    if generator is not None and not isinstance(generator, np.random.Generator):
        raise ArgumentTypeError(
            f"{owner}: generator is of type {type(generator).__name__}; expected a "
            "numpy.random.Generator, such as numpy.random.default_rng(0)"
        )


def require_function(owner: str, name: str, function: object) -> None:
    """Raise `ArgumentTypeError` unless ``function`` can be called or is None."""
    if function is not None and not callable(function):
        raise ArgumentTypeError(
            f"{owner}: {name} is of type {type(function).__name__}; expected a function"
        )


def require_dataset(dataset: object, owner: str = "DataLoader") -> None:
    """Check that ``dataset`` has a length, and returns examples at integer indices."""
    cls = type(dataset).__name__
    expected = "expected len(dataset) and dataset[0], such as a Dataset, a list or an array"
    try:
        size = len(dataset)  # type: ignore[arg-type]
    except TypeError as error:
        raise ArgumentError(
            f"{owner}: the dataset, of type {cls}, has no length; {expected} (list(...) "
            "converts an iterable)"
        ) from error
    if not hasattr(type(dataset), "__getitem__"):
        raise ArgumentError(
            f"{owner}: the dataset, of type {cls}, has no examples at integer indices; {expected}"
        )
    if isinstance(dataset, Mapping) and size and 0 not in dataset:
        raise ArgumentError(
            f"{owner}: a dictionary with keys {', '.join(map(repr, list(dataset)[:3]))} has no "
            f"examples at integer indices; {expected} (list(zip(x, t)) makes pairs of two arrays)"
        )
