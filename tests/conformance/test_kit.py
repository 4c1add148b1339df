"""The kit catches wrong backends: loopback passes, and every change to it fails, by name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from dezero_core.conformance.items import all_items
from dezero_core.extend import Kernel, hookimpl, plugins

from .loopback import plugin
from .mutants import CAUGHT_BY, from_numpy_drops_the_order, to_numpy_shares_memory
from .unseen_mutants import UNSEEN


@contextmanager
def registered(name: str, change: Any = None) -> Iterator[None]:
    """The loopback backend, changed, in this block."""
    plugins.register(plugin(name, change), name, "the tests")
    try:
        yield
    finally:
        plugins.unregister(name)


def first_failure(name: str) -> str | None:
    """The first item of the kit that fails on a backend."""
    for item in all_items():
        if item.missing(name):
            continue
        try:
            with np.errstate(all="ignore"):
                item.run(name)
        except Exception:
            return item.id
    return None


@pytest.mark.slow
def test_the_loopback_backend_passes() -> None:
    with registered("loopback"):
        assert first_failure("loopback") is None


@pytest.mark.parametrize("change", UNSEEN, ids=lambda change: change.__name__)
def test_unseen_mutant(change: Any) -> None:
    with registered("mutant", change):
        assert first_failure("mutant") is not None


LATE = {from_numpy_drops_the_order, to_numpy_shares_memory}
"""The mutants that only the last checks of the kit catch."""
MUTANTS = [
    pytest.param(change, marks=[pytest.mark.slow] if change in LATE else []) for change in CAUGHT_BY
]


@pytest.mark.parametrize("change", MUTANTS, ids=lambda change: change.__name__)
def test_mutant(change: Any) -> None:
    with registered("mutant", change):
        assert first_failure("mutant") == CAUGHT_BY[change]


CHECKS = [
    pytest.param(item, name, id=f"{item.id}-{name}")
    for item in all_items()
    for name in ("numpy", "strict", "cuda")
    if item.level not in ("forward", "dtypes", "derivatives") and not item.missing(name)
]


@pytest.mark.parametrize(("item", "name"), CHECKS)
def test_checks_hold_on_the_backends_of_the_tests(item: Any, name: str) -> None:
    item.run(name)


def test_a_dormant_kernel_is_found() -> None:
    @hookimpl
    def dezero_kernels() -> list[Kernel]:
        return [Kernel("no_such_op", "loopback", lambda x: x)]

    with registered("loopback"):
        kernels = SimpleNamespace(DEZERO_API=1, dezero_kernels=dezero_kernels)
        plugins.register(kernels, "sleeper", "the tests")
        try:
            assert first_failure("loopback") == "arrays/no kernel is dormant"
        finally:
            plugins.unregister("sleeper")


def test_there_are_twenty() -> None:
    assert len(CAUGHT_BY) >= 20 and len(UNSEEN) == 10
