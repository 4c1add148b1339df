"""Shared by the tests of all packages: three array types, frozen where that is the point.

NumPy is there. array-api-strict is registered here, through the public hook, on a device of
its own. CuPy is the stand-in of tests/fakes; dezero-cuda takes it for the real one, and where
dezero-cuda is not installed a minimal backend is registered for it.
"""

from __future__ import annotations

import importlib.util
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

FAKES = str(Path(__file__).parent / "tests" / "fakes")
sys.path.insert(0, FAKES)

# A slow machine is no failure. Where CI is set, hypothesis draws the same examples every time.
settings.register_profile("patient", settings(), deadline=None)
settings.load_profile("patient")

BACKENDS = ("numpy", "strict", "cuda")
_rows: dict[str, list[str]] = defaultdict(list)
_tables: dict[str, list[str]] = defaultdict(list)


def _register_backends() -> None:
    import strict

    from dezero_core.extend import plugins

    plugins.register(strict, "strict", "the tests")
    if importlib.util.find_spec("dezero_cuda") is None:
        import minimal_cuda

        plugins.register(minimal_cuda, "cuda", "the tests")


_register_backends()


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    """The name of each of the three backends in turn."""
    return str(request.param)


@pytest.fixture(autouse=True)
def _frozen() -> Iterator[None]:
    from strict import frozen

    with frozen():
        yield


@pytest.fixture
def ran() -> Any:
    """``ran(case, backend)`` puts a row of the op table into the summary."""

    def note(case: Any, backend: str) -> None:
        modes = "arrays = Variables" if case.order else "no gradient"
        _rows[f"{case.name:28} {len(case.shapes)} trials, {modes:20}"].append(backend)

    return note


@pytest.fixture
def report() -> Any:
    """``report(table, line)`` adds a line to a table that is printed at the end of the run."""
    return lambda table, line: _tables[table].append(line)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Every row of the op table, with the modes of backward and the array types it ran in."""
    if _rows:
        terminalreporter.section("op table: modes of backward x array types")
        for row, backends in _rows.items():
            terminalreporter.write_line(f"{row} x {', '.join(backends)}")
    for table, lines in _tables.items():
        terminalreporter.section(table)
        for line in lines:
            terminalreporter.write_line(line)
