"""Print the tables of PyTorch's samples and of errors of sums after the tests of this folder."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

_counts: dict[str, Counter[str]] = {}
_errors: dict[str, list[str]] = {}


@pytest.fixture
def sample_counts() -> Any:
    """Return a function that adds a row to the table: ``sample_counts(name, counts)``."""
    return _counts.__setitem__


@pytest.fixture
def sum_errors() -> Any:
    """Return ``add(name, ours, theirs)``, which adds two relative errors to a row of the table."""

    def add(name: str, ours: float, theirs: float) -> None:
        _errors.setdefault(name, []).append(f"{ours:.0e} ({theirs:.0e})")

    return add


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print the tables that have rows."""
    if _counts:
        print_samples(terminalreporter)
    if _errors:
        print_errors(terminalreporter)


def print_errors(terminalreporter: Any) -> None:
    """Print for each op the errors by the number of terms."""
    terminalreporter.section("relative error of sums of 10^1 to 10^7 terms (PyTorch's)")
    for name, cells in _errors.items():
        terminalreporter.write_line(f"{name:30} {'  '.join(cells)}")


def print_samples(terminalreporter: Any) -> None:
    """Print for each row how many samples agree, and why others were skipped."""
    terminalreporter.section("PyTorch's own samples")
    line = "{:71} {:>7} {:>6} {:>6}  {}".format
    terminalreporter.write_line(line("op", "samples", "agree", "wrong", "not applicable"))
    total: Counter[str] = sum(_counts.values(), Counter())
    for name, n in [*_counts.items(), (f"all {len(_counts)} functions", total)]:
        rest = ", ".join(f"{k}: {v}" for k, v in n.items() if k not in ("agree", "wrong"))
        terminalreporter.write_line(line(name, n.total(), n["agree"], n["wrong"], rest).rstrip())
