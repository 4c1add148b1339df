"""Register the backends that the tests of all packages share.

NumPy is always registered. array-api-strict is registered here, through the public hook, with a
device of its own. CuPy is the stand-in of tests/fakes, which dezero-cuda takes for CuPy; where
dezero-cuda is not installed, a minimal backend is registered for it.
"""

from __future__ import annotations

import gc
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
Table = dict[str, list[str]]
_tables: dict[str, Table] = defaultdict(lambda: defaultdict(list))
"""Tables to print at the end of the run, by title: the cells of each row."""


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
    """Return the name of each of the three backends in turn."""
    return str(request.param)


@pytest.fixture(autouse=True, scope="module")
def _few_objects() -> None:
    """Hide the objects that exist before a module's tests from the garbage collector.

    Many tests run the collector, which takes 100 ms or more among the objects of pytest, of the
    imported packages and of earlier modules.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True, scope="session")
def _frozen() -> Iterator[None]:
    from strict import frozen

    with frozen():
        yield


@pytest.fixture
def report() -> Any:
    """Return ``report(title, row, cell)``, which adds to a table printed at the end."""
    return lambda title, row, cell: _tables[title][row].append(cell)


@pytest.fixture
def ran(report: Any) -> Any:
    """Return ``ran(case, backend)``, which adds a row of the op table to the summary."""

    def note(case: Any, backend: str) -> None:
        modes = "arrays = Variables" if case.order else "no gradient"
        row = f"{case.name:28} {len(case.shapes)} trials, {modes:20} x"
        report("op table: modes of backward x array types", row, backend)

    return note


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Send the tables of a parallel worker to the process that prints them."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["tables"] = {title: dict(rows) for title, rows in _tables.items()}


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Merge the tables of a parallel worker into this process's tables."""
    for title, rows in getattr(node, "workeroutput", {}).get("tables", {}).items():
        for row, cells in rows.items():
            _tables[title][row] += cells


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print every table, its rows in order."""
    for title, rows in sorted(_tables.items()):
        terminalreporter.section(title)
        for row, cells in sorted(rows.items()):
            terminalreporter.write_line(f"{row} {', '.join(sorted(cells, reverse=True))}")
