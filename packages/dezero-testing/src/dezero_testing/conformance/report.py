"""Collect the outcomes of the kit, write them to a file, and print them as a table."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from ..check import LEVELS
from ..table import reasons_to_skip
from .items import Item, all_items

OUTCOMES = ("passed", "failed", "xfailed", "skipped", "does not apply")
RARE_OUTCOMES = ("crashed", "not run")
"""Outcomes that have a column in the table only if a test has the outcome."""


class Report:
    """Write the outcome of each test to a file as soon as it is known.

    The file also names the tests that are running. If the library crashes or hangs, so that pytest
    ends without a table, the file names the test that was running; the next run counts the test
    as crashed. A run of some of the tests keeps the outcomes of the other tests in the file.

    Args:
        backend: the name of the backend.
        path: the file to write.
    """

    def __init__(self, backend: str, path: Path) -> None:
        self.backend, self.path = backend, path
        self.items: dict[str, Item] = {item.id: item for item in all_items()}
        self.outcomes: dict[str, str] = {}
        self.running: list[str] = []
        self.earlier = self.read()

    def read(self) -> dict[str, str]:
        """Return the outcomes in the file of an earlier run; count its running tests as crashed."""
        if not self.path.exists():
            return {}
        content = json.loads(self.path.read_text("utf-8"))
        crashed = dict.fromkeys(content.get("running", []), "crashed")
        known = {item: known for item, known in content["tests"].items() if known != "not run"}
        return {**known, **crashed} if content["backend"] == self.backend else {}

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Write the name of a test before it runs."""
        item = id_of_node(nodeid)
        if item in self.items:
            self.running.append(item)
            self.write()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Store the outcome of a test."""
        item = id_of_node(report.nodeid)
        if item in self.items and (report.when == "call" or report.outcome != "passed"):
            self.outcomes[item] = self.outcome(self.items[item], report)

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """Remove a test from the list of running tests."""
        item = id_of_node(nodeid)
        if item in self.running:
            self.running.remove(item)

    def outcome(self, item: Item, report: pytest.TestReport) -> str:
        """Return the name of an outcome, one of `OUTCOMES`, or "crashed"."""
        if hasattr(report, "wasxfail") and report.skipped:
            return "xfailed"
        if report.skipped:
            return "does not apply" if item.missing(self.backend) == {"devices"} else "skipped"
        if str(report.when) == "???":  # pytest-xdist: the worker that ran the test has ended
            return "crashed"
        return report.outcome

    def all_outcomes(self) -> dict[str, str]:
        """Return the outcomes of this run, else those of earlier runs, by id."""
        known = {**self.earlier, **self.outcomes}
        return {item: known.get(item, "not run") for item in self.items}

    def counts(self) -> dict[str, Counter[str]]:
        """Return the number of tests by level and outcome."""
        counts = {level: Counter[str]() for level in LEVELS}
        for item, outcome in self.all_outcomes().items():
            counts.setdefault(self.items[item].level, Counter())[outcome] += 1
        return counts

    def write(self) -> None:
        """Write all outcomes to the file."""
        content = {
            "backend": self.backend,
            "levels": self.counts(),
            "running": self.running,
            "tests": self.all_outcomes(),
        }
        self.path.write_text(json.dumps(content, indent=1), "utf-8")

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print the outcomes by level, and write the file."""
        if not self.outcomes:
            return
        self.write()
        counts, write = self.counts(), terminalreporter.write_line
        terminalreporter.section(f"DeZero conformance of backend {self.backend}")
        total = sum(counts.values(), Counter[str]())
        columns = [*OUTCOMES, *(outcome for outcome in RARE_OUTCOMES if total[outcome])]
        write(f"{'level':14}" + "".join(f"{outcome:>16}" for outcome in columns))
        for level, found in [*counts.items(), ("all", total)]:
            write(f"{level:14}" + "".join(f"{found[outcome]:16}" for outcome in columns))
        for item, outcome in self.all_outcomes().items():
            if outcome in ("skipped", "crashed"):
                write(f"{outcome}: {item}")
        for package, reason in reasons_to_skip().items():
            write(f"skipped: all rows and checks of dezero-{package}: {reason}")
        kept = self.earlier.keys() & self.items.keys() - self.outcomes.keys()
        if kept:
            write(f"{len(kept)} outcomes are of earlier runs; delete {self.path} to discard them")
        write(f"outcomes written to {self.path}")


def id_of_node(nodeid: str) -> str:
    """Return the id of a test of the kit, which is a part of pytest's node id."""
    return nodeid.partition("[")[2].removesuffix("]")
