"""Compare the models, settings and versions of all ranks before the ranks exchange arrays."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable, Mapping
from numbers import Number
from types import NoneType
from typing import Any

import numpy as np

from dezero_core import Variable
from dezero_core.errors import CommunicatorError
from dezero_core.extend import get_backend
from dezero_core.state import move
from dezero_io import Dataset
from dezero_io.data.datasets.parts import DatasetPart
from dezero_io.data.host_arrays import rows

from .__about__ import __version__
from .collectives import Collectives

SAMPLES = 16
"""The number of examples of a dataset that the ranks compare."""

PLAIN = Number, str, bytes, NoneType
"""The types whose ``repr`` is equal for equal values."""


def versions() -> dict[str, str]:
    """Return the versions that must be the same on all ranks."""
    return {
        "DeZero": __version__,
        "Python": f"{sys.version_info.major}.{sys.version_info.minor}",
        "NumPy": np.__version__,
    }


def layout(x: Variable) -> str:
    """Return the shape and dtype of a parameter as text."""
    return "no data yet" if x.data is None else f"{x.shape} {x.dtype}"


def fingerprint(arrays: Iterable[Any]) -> str:
    """Return a SHA-256 of the elements of arrays."""
    digest, host = hashlib.sha256(), get_backend("numpy")
    for array in arrays:
        digest.update(np.ascontiguousarray(move(array, host)).view(np.uint8).data)
    return digest.hexdigest()


def describe_value(value: Any) -> str:
    """Return a text that is equal for equal values, with a SHA-256 for each array.

    Objects other than numbers, strings, arrays and their containers are replaced by their type.
    """
    if isinstance(value, Mapping):
        return repr({key: describe_value(x) for key, x in value.items()})
    if isinstance(value, list | tuple):
        return repr([describe_value(x) for x in value])
    if getattr(getattr(value, "dtype", None), "kind", "O") in "biufcSU":
        array = np.asarray(value) if isinstance(value, np.generic) else value
        return f"{value.dtype} {tuple(value.shape)} {fingerprint([array])}"
    return repr(value) if isinstance(value, PLAIN) else type(value).__name__


def describe_dataset(data: Any) -> str:
    """Return a text that differs if two datasets differ in one of a few stored examples.

    Arrays, lists and the datasets of dezero-io are compared at `SAMPLES` positions, before their
    transforms. For other datasets, only the types are compared, because their examples may be
    random.

    Args:
        data: the dataset of a loader.
    """
    if isinstance(data, Dataset | DatasetPart):
        found = [getattr(data, name, None) for name in ("data", "label", "indices", "dataset")]
        found += [*getattr(data, "arrays", ()), *getattr(data, "datasets", ())]
        return short_digest([describe_dataset(part) for part in found if part is not None])
    if not (isinstance(data, list) or len(getattr(data, "shape", ())) > 0):
        return type(data).__name__
    table, count = rows(data), len(data)
    positions = sorted({count * k // SAMPLES for k in range(SAMPLES)}) if count else []
    return short_digest([describe_value(table[position]) for position in positions])


def short_digest(texts: list[str]) -> str:
    """Return the first digits of a SHA-256 of texts."""
    return hashlib.sha256(repr(texts).encode()).hexdigest()[:12]


def require_equal(
    collectives: Collectives, place: str, mine: Mapping[str, str], what: str, advice: str
) -> None:
    """Compare the entries of all ranks; if one rank differs, raise the same error on all ranks.

    Args:
        collectives: the calls that all ranks make together.
        place: the function that compares, for the message.
        mine: a dictionary from names to texts, the entries of this rank.
        what: what the entries describe, such as ``model``.
        advice: what to do, for the message.

    Raises:
        CommunicatorError: the entries of some rank differ from those of rank 0.
    """
    found = collectives.gather(place, (collectives.host, list(mine.items())))
    host, first = found[0]
    for rank, (other_host, other) in enumerate(found):
        if other != first:
            raise CommunicatorError(
                f"{place}: rank {rank} on {other_host} has another {what} than rank 0 on {host}: "
                f"{differences(dict(first), dict(other), rank)}; {advice}"
            )


def differences(first: Mapping[str, str], other: Mapping[str, str], rank: int) -> str:
    """Describe the first three differences between the entries of rank 0 and another rank."""
    names = [name for name in {**first, **other} if first.get(name) != other.get(name)]
    if not names:
        return f"rank 0 has the order {', '.join(first)}; rank {rank} {', '.join(other)}"
    texts = [
        f"{name}: {first.get(name, 'missing')} on rank 0, "
        f"{other.get(name, 'missing')} on rank {rank}"
        for name in names[:3]
    ]
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return "; ".join(texts) + more
