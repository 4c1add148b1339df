"""Define `Check`, a test of a backend that is not a row of the op table."""

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
    """Describe a test that every backend must pass.

    Attributes:
        name: the name of the test, unique in its level.
        level: one of `LEVELS`, or a new level, which runs after `LEVELS`.
        run: a function that takes a backend's name; it raises `AssertionError` if the backend
            fails.
        needs: the required capabilities; if the backend lacks one, the test is skipped.
    """

    name: str
    level: str
    run: Callable[[str], None]
    needs: frozenset[str] = frozenset()
