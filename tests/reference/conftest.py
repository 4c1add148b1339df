"""Print the table of PyTorch's samples after the tests of this folder."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

_counts: dict[str, Counter[str]] = {}


@pytest.fixture
def sample_counts() -> Any:
    """Return a function that adds a row to the table: ``sample_counts(name, counts)``."""
    return _counts.__setitem__


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print for each row how many samples agree, and why others were skipped."""
    if not _counts:
        return
    terminalreporter.section("PyTorch's own samples")
    line = "{:71} {:>7} {:>6} {:>6}  {}".format
    terminalreporter.write_line(line("op", "samples", "agree", "wrong", "not applicable"))
    total: Counter[str] = sum(_counts.values(), Counter())
    for name, n in [*_counts.items(), (f"all {len(_counts)} functions", total)]:
        rest = ", ".join(f"{k}: {v}" for k, v in n.items() if k not in ("agree", "wrong"))
        terminalreporter.write_line(line(name, n.total(), n["agree"], n["wrong"], rest).rstrip())
