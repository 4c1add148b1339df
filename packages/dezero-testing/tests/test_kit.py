"""Check that the kit passes the loopback backend and fails each change to it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from dezero_core.errors import MissingPackage, PluginError, PluginWarning
from dezero_core.extend import Kernel, hookimpl, plugins
from dezero_testing import LEVELS, Check, load_rows, table
from dezero_testing.conformance.items import all_items
from dezero_testing.table import reasons_to_skip

from .loopback import plugin
from .mutants import CAUGHT_BY, from_numpy_drops_the_order, to_numpy_shares_memory
from .planted_mutants import MISSED_ONCE, PLANTED
from .unseen_mutants import UNSEEN


@contextmanager
def registered(name: str, change: Any = None) -> Iterator[None]:
    """Register the loopback backend, perhaps changed, in this block."""
    plugins.register(plugin(name, change), name, "the tests")
    try:
        yield
    finally:
        plugins.unregister(name)


def first_failure(name: str) -> str | None:
    """Return the first item of the kit that fails on a backend."""
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
"""Mutants that only the last checks of the kit catch."""
MUTANTS = [
    pytest.param(change, marks=[pytest.mark.slow] if change in LATE else []) for change in CAUGHT_BY
]


@pytest.mark.parametrize("change", MUTANTS, ids=lambda change: change.__name__)
def test_mutant(change: Any) -> None:
    with registered("mutant", change):
        assert first_failure("mutant") == CAUGHT_BY[change]


@pytest.mark.parametrize(
    ("change", "item"),
    [(change, item) for table in (PLANTED, MISSED_ONCE) for change, item in table.items()],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
def test_planted_mutant(change: Any, item: str) -> None:
    (test,) = [found for found in all_items() if found.id == item]
    with registered("sound"):
        test.run("sound")
    with registered("mutant", change), pytest.raises((AssertionError, ValueError)):
        test.run("mutant")


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


def test_each_test_has_its_own_id() -> None:
    ids = [item.id for item in all_items()]
    assert len(ids) == len(set(ids))


def test_a_level_of_a_plugin_runs_last() -> None:
    """The other levels keep their order."""

    @hookimpl
    def dezero_op_cases() -> list[Check]:
        return [Check("own", "rng/streams", lambda name: None), Check("mine", "weights", print)]

    before = list(dict.fromkeys(item.level for item in all_items()))
    assert before == list(LEVELS)
    plugins.register(SimpleNamespace(DEZERO_API=1, dezero_op_cases=dezero_op_cases), "own levels")
    try:
        assert list(dict.fromkeys(item.level for item in all_items())) == [*before, "rng/streams"]
        assert all_items()[-1].id == "rng/streams/own"
    finally:
        plugins.unregister("own levels")


def test_what_is_neither_a_row_nor_a_check_is_refused() -> None:
    @hookimpl
    def dezero_op_cases() -> list[int]:
        return [42]

    found = len(all_items())
    plugins.register(SimpleNamespace(DEZERO_API=1, dezero_op_cases=dezero_op_cases), "nonsense")
    try:
        with pytest.warns(PluginWarning, match="expected OpCase or Check objects, got int"):
            assert len(all_items()) == found
    finally:
        plugins.unregister("nonsense")


def test_a_package_that_is_missing_is_skipped_with_the_reason(monkeypatch: Any) -> None:
    monkeypatch.setattr(table, "find_spec", lambda name: None if name == "dezero_nn" else name)
    assert reasons_to_skip() == {"nn": "dezero-nn is not installed: pip install dezero-nn"}
    assert {item.level for item in all_items()}.isdisjoint({"layers", "losses", "optimizers"})
    with pytest.raises(MissingPackage, match="pip install dezero-nn"):
        load_rows("nn")


def test_an_unknown_plugin_has_no_rows() -> None:
    with pytest.raises(PluginError, match="no plugin is called 'nm'; known: core, nn, io"):
        load_rows("nm")


@pytest.mark.slow
def test_the_table_has_a_line_for_each_level_and_each_missing_package(tmp_path: Path) -> None:
    """In a process of its own, with a plugin that has a level of its own."""
    (tmp_path / "own_levels.py").write_text(PLUGIN)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "own_levels", "--pyargs"]
    command += ["dezero_testing.conformance", "--dezero-backend", "numpy", "-k", "own or exp"]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "DEZERO_PLUGINS": "nn"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    lines = done.stdout.splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith("level "))
    levels = [line.split()[0] for line in lines[start:] if line]
    assert levels.index("streams") == levels.index("all") - 1
    assert "skipped: all rows and checks of dezero-io: 'io' is installed (dezero-io" in done.stdout


PLUGIN = """
from types import SimpleNamespace
from dezero_core.extend import hookimpl, plugins
from dezero_testing import Check

@hookimpl
def dezero_op_cases():
    return [Check("own", "streams", lambda name: None)]

plugins.register(SimpleNamespace(DEZERO_API=1, dezero_op_cases=dezero_op_cases), "own levels")
"""
