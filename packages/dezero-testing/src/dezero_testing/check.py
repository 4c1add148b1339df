"""Check: one thing that every backend must do, besides the rows of the op table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

LEVELS = (
    "arrays",
    "forward",
    "dtypes",
    "derivatives",
    "layers",
    "losses",
    "optimizers",
    "dropout",
    "training",
    "transfers",
    "weights",
)
"""The levels of the conformance kit, in the order in which they run."""


@dataclass(frozen=True)
class Check:
    """One thing that every backend must do.

    Attributes:
        name: what it is about.
        level: of `LEVELS`, or a level of a plugin's own, which runs after them.
        run: called with the name of a backend; raises `AssertionError` if it is not so.
        needs: capabilities without which there is nothing to check.
    """

    name: str
    level: str
    run: Callable[[str], None]
    needs: frozenset[str] = frozenset()
