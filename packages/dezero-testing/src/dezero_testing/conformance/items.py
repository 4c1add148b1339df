"""Collect the tests of the kit: the checks, and the rows of the op table split by level."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from dezero_core.extend import get_backend

from ..check import LEVELS, Check
from ..checks.arrays import array_checks
from ..checks.every_dtype import dtype_checks
from ..checks.transfers import transfer_checks
from ..op_case import OpCase
from ..table import load_all_cases


@dataclass(frozen=True)
class Item:
    """Describe one test of the kit.

    Attributes:
        id: ``level/name``, as in files of expected failures.
        level: one of `LEVELS`, or a level that a plugin adds.
        run: a function that takes a backend's name, and raises an error if the backend fails.
        needs: the required capabilities; if the backend lacks one, the test is skipped.
    """

    id: str
    level: str
    run: Callable[[str], None]
    needs: frozenset[str] = frozenset()

    def missing(self, backend: str) -> frozenset[str]:
        """Return the missing capabilities; with only one device, ``devices`` is missing."""
        library = get_backend(backend)
        alone = "devices" in library.capabilities and len(library.devices()) < 2
        return self.needs - library.capabilities | (self.needs & {"devices"} if alone else set())


def all_items() -> list[Item]:
    """Return every test of the kit, level by level; the levels of plugins come last."""
    found = [of_check(check) for check in (*array_checks(), *dtype_checks(), *transfer_checks())]
    for case in load_all_cases():
        found.extend(of_case(case) if isinstance(case, OpCase) else [of_check(case)])
    levels = list(dict.fromkeys((*LEVELS, *(item.level for item in found))))
    return sorted(found, key=lambda item: levels.index(item.level))


def of_check(check: Check) -> Item:
    """Turn a check into an item."""
    return Item(f"{check.level}/{check.name}", check.level, check.run, check.needs)


def of_case(case: OpCase) -> Iterator[Item]:
    """Yield one item for each level of a row: forward, dtypes and derivatives."""
    yield Item(f"forward/{case.name}", "forward", partial(each_trial, case, "check_forward"))
    if case.order == 0:
        return
    yield Item(f"dtypes/{case.name}", "dtypes", partial(each_trial, case, "check_modes"))
    run = partial(each_trial, case, "check_derivatives")
    yield Item(f"derivatives/{case.name}", "derivatives", run, frozenset({"float64"}))


def each_trial(case: OpCase, check: str, backend: str) -> None:
    """Run one check of a row for each of the row's shapes."""
    for shapes in case.shapes:
        getattr(case, check)(backend, shapes)
