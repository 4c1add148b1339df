"""What the kit runs: rows of the op table, taken apart by level, and checks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from ..backends.registry import get_backend
from ..plugins import plugins
from ..testing.check import LEVELS, Check
from ..testing.op_case import OpCase
from .arrays import array_checks
from .transfers import transfer_checks


@dataclass(frozen=True)
class Item:
    """One test of the kit.

    Attributes:
        id: ``level/name``, as in files of expected failures.
        level: of `LEVELS`.
        run: called with the name of a backend.
        needs: capabilities without which it is skipped.
    """

    id: str
    level: str
    run: Callable[[str], None]
    needs: frozenset[str] = frozenset()

    def missing(self, backend: str) -> frozenset[str]:
        """The capabilities it needs and the backend does not declare, or has no use for."""
        library = get_backend(backend)
        alone = "devices" in library.capabilities and len(library.devices()) < 2
        return self.needs - library.capabilities | (self.needs & {"devices"} if alone else set())


def all_items() -> list[Item]:
    """Every test of the kit, level by level."""
    found = [of_check(check) for check in (*array_checks(), *transfer_checks())]
    for case in registered():
        found.extend(of_case(case) if isinstance(case, OpCase) else [of_check(case)])
    return sorted(found, key=lambda item: LEVELS.index(item.level))


def registered() -> Iterator[Any]:
    """Rows and checks of every installed plugin."""
    plugins.scan()
    yield from (case for case, _ in plugins.call("dezero_op_cases"))


def of_check(check: Check) -> Item:
    """A check as an item."""
    return Item(f"{check.level}/{check.name}", check.level, check.run, check.needs)


def of_case(case: OpCase) -> Iterator[Item]:
    """A row as an item for each level: values, modes and dtypes, derivatives."""
    yield Item(f"forward/{case.name}", "forward", partial(each_trial, case, "check_forward"))
    if case.order == 0:
        return
    yield Item(f"dtypes/{case.name}", "dtypes", partial(each_trial, case, "check_modes"))
    run = partial(each_trial, case, "check_derivatives")
    yield Item(f"derivatives/{case.name}", "derivatives", run, frozenset({"float64"}))


def each_trial(case: OpCase, check: str, backend: str) -> None:
    """One of the row's checks on all of its shapes."""
    for shapes in case.shapes:
        getattr(case, check)(backend, shapes)
