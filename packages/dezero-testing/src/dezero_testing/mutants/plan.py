"""Find out which tests of the kit call a function, and in which of them a fault shows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dezero_core.extend import plugins, rank_generator

from ..conformance.items import Item
from .faults import FAULTS, RANDOM, SKIPPED, WRITES, Fault, parameters
from .library import NAME, Hook, library, plugin, run_unchanged, unwrap


@dataclass(frozen=True)
class Mutant:
    """Describe a wrong library: one fault in one function."""

    function: str
    fault: Fault

    @property
    def name(self) -> str:
        """Return the names of function and fault."""
        return f"{self.function}: {self.fault.name}"


@dataclass
class Plan:
    """List the calls of the kit, and the tests in which faults change a result.

    Attributes:
        functions: for each function, the number of its calls.
        items: for each mutant, the tests in which the fault changes a result.
        broken: the tests that fail on the library without a fault.
    """

    functions: dict[str, int] = field(default_factory=dict)
    items: dict[Mutant, list[Item]] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)


@contextmanager
def registered() -> Iterator[None]:
    """Register the library in this block."""
    plugins.register(plugin, NAME, "dezero_testing.mutants")
    try:
        yield
    finally:
        plugins.unregister(NAME)
        library.hook = run_unchanged


def runs(item: Item) -> bool:
    """Run a test on the library as it is now; return whether it passes."""
    try:
        with np.errstate(all="ignore"):
            item.run(NAME)
    except Exception:
        return False
    return True


def make_plan(items: list[Item], faults: list[Fault] = FAULTS, most: int = 12) -> Plan:
    """Run each test once, and try every fault at every call.

    Args:
        items: the tests, as `all_items` returns them.
        faults: the faults to try.
        most: try a mutant until its fault has changed a result in this number of tests.
    """
    plan = Plan()
    for item in items:
        if item.missing(NAME):
            continue
        shown: set[Mutant] = set()
        library.hook = recorder(plan, faults, shown, most)
        if not runs(item):
            plan.broken.append(item.id)
        for mutant in shown:
            plan.items[mutant].append(item)
    library.hook = run_unchanged
    return plan


def recorder(plan: Plan, faults: list[Fault], shown: set[Mutant], most: int) -> Hook:
    """Return a hook that counts the calls, and adds each mutant that changes one to ``shown``."""
    open_faults: dict[str, list[Mutant]] = {}
    positional: dict[tuple[str, int], frozenset[str | None]] = {}
    is_comparing = [False]  # while mutants run, their calls are not recorded

    def mutants_of(name: str) -> list[Mutant]:
        if name in SKIPPED:
            return []
        found = [Mutant(name, fault) for fault in faults if fault.concerns(name)]
        return [m for m in found if len(plan.items.setdefault(m, [])) < most]

    def hook(
        name: str, function: Callable[..., Any], arguments: Any, settings: dict[str, Any]
    ) -> Any:
        if is_comparing[0]:
            return function(*arguments, **settings)
        plan.functions[name] = plan.functions.get(name, 0) + 1
        if name not in open_faults:
            open_faults[name] = mutants_of(name)
        if not open_faults[name]:
            return function(*arguments, **settings)
        before = copies(arguments) if name in WRITES else arguments
        state = rank_generator().bit_generator.state if name in RANDOM else None
        y = function(*arguments, **settings)
        arrays = list(arrays_in((arguments, *settings.values())))
        key = name, len(arguments)
        if key not in positional:
            positional[key] = parameters(function, len(arguments))
        known = positional[key].union(settings)
        mutants = [
            m for m in open_faults[name] if m.fault.setting in known and m.fault.shows(y, arrays)
        ]
        if not mutants:
            return y
        after = rank_generator().bit_generator.state if name in RANDOM else None
        is_comparing[0], right = True, snapshot(y, arguments)
        try:
            for mutant in mutants:
                given = copies(before) if name in WRITES else before
                if state is not None:
                    rank_generator().bit_generator.state = state
                if is_changed(right, mutant.fault, function, given, settings):
                    shown.add(mutant)
                    open_faults[name].remove(mutant)
        finally:
            is_comparing[0] = False
            if after is not None:
                rank_generator().bit_generator.state = after
        return y

    return hook


def is_changed(
    right: Any, fault: Fault, function: Callable[..., Any], given: Any, settings: dict[str, Any]
) -> bool:
    """Return whether a fault changes the result of one call, or raises an error."""
    try:
        with np.errstate(all="ignore"):
            got = fault.run(function, given, settings)
    except Exception:
        return True
    return bool(snapshot(got, given) != right)


def arrays_in(x: Any) -> Iterator[Any]:
    """Yield the arrays in nested tuples and lists."""
    if isinstance(x, np.ndarray):
        yield x
    elif type(x) in (list, tuple):
        for part in x:
            yield from arrays_in(part)


def copies(x: Any) -> Any:
    """Copy arrays, also in tuples and lists."""
    if isinstance(x, np.ndarray):
        return x.copy()
    return type(x)([copies(part) for part in x]) if type(x) in (list, tuple) else x


def snapshot(y: Any, arguments: Any) -> Any:
    """Return the type, dtype, shape and bits of a result, and whether it shares memory."""
    if isinstance(y, np.ndarray | np.generic):
        x = arguments[0] if arguments else None
        shared = isinstance(x, np.ndarray) and np.may_share_memory(unwrap(x), unwrap(y))
        return type(y), y.dtype.str, y.shape, y.tobytes(), shared
    if isinstance(y, list | tuple):
        return [snapshot(part, arguments) for part in y]
    return y if y is not None else [snapshot(x, ()) for x in arguments]
