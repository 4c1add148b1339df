"""Compare what the ranks of a job have, before they exchange arrays."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from dezero_core import Variable
from dezero_core.errors import CommunicatorError
from dezero_core.extend import get_backend
from dezero_core.state import move

from .__about__ import __version__
from .meetings import Meetings


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


def require_equal(
    meetings: Meetings, place: str, mine: Mapping[str, str], what: str, advice: str
) -> None:
    """Compare the entries of all ranks; if one rank differs, raise the same error on all ranks.

    Args:
        meetings: the ranks.
        place: the function that compares, for the message.
        mine: a dictionary from names to texts, the entries of this rank.
        what: what the entries describe, such as ``model``.
        advice: what to do, for the message.

    Raises:
        CommunicatorError: the entries of some rank differ from those of rank 0.
    """
    found = meetings.gather(place, (meetings.host, list(mine.items())))
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
