"""Create a pytest test for each item of the kit, and print a table of the outcomes.

`dezero_pytest_options` adds the options, because pytest loads that module before this one.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from dezero_core.errors import DezeroError
from dezero_core.extend import get_backend
from dezero_testing.check import LEVELS
from dezero_testing.conformance.items import Item, all_items
from dezero_testing.table import reasons_to_skip

OUTCOMES = ("passed", "failed", "xfailed", "skipped", "does not apply")
_outcomes = pytest.StashKey[dict[Item, str]]()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Parametrize the test with the items of the kit."""
    if "item" not in metafunc.fixturenames:
        return
    config = metafunc.config
    require_backend(config)
    config.stash[_outcomes] = {}
    items = all_items()
    wrong = expected_failures(config)
    unknown = wrong - {item.id for item in items}
    if unknown:
        raise pytest.UsageError(f"--dezero-xfails: no such tests: {', '.join(sorted(unknown))}")
    strict = pytest.mark.xfail(strict=True, reason="listed in --dezero-xfails")
    parameters = [
        pytest.param(item, id=item.id, marks=[strict] if item.id in wrong else []) for item in items
    ]
    metafunc.parametrize("item", parameters)


def require_backend(config: pytest.Config) -> None:
    """Check that the backend exists and has a device; otherwise raise `UsageError`."""
    name = config.getoption("--dezero-backend")
    if name is None:
        raise pytest.UsageError("--dezero-backend NAME names the backend to test")
    try:
        get_backend(name)
    except DezeroError as error:
        raise pytest.UsageError(f"--dezero-backend: {error}") from error


def expected_failures(config: pytest.Config) -> set[str]:
    """Return the ids in the file of expected failures."""
    path = config.getoption("--dezero-xfails")
    if path is None:
        return set()
    lines = [line.partition("#")[0].strip() for line in Path(path).read_text("utf-8").splitlines()]
    return {line for line in lines if line}


@pytest.fixture
def backend(request: pytest.FixtureRequest) -> str:
    """Return the name of the backend under test."""
    return str(request.config.getoption("--dezero-backend"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    """Record the outcome of each item."""
    report = yield
    parameter = getattr(item, "callspec", None) and item.callspec.params.get("item")  # type: ignore[attr-defined]
    if isinstance(parameter, Item) and (report.when == "call" or report.skipped):
        outcome = report.outcome
        if report.skipped:
            missing = parameter.missing(item.config.getoption("--dezero-backend"))
            outcome = "does not apply" if missing == {"devices"} else "skipped"
            outcome = "xfailed" if hasattr(report, "wasxfail") else outcome
        item.config.stash[_outcomes][parameter] = outcome
    return report


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Print a table of outcomes by level, and write all outcomes to a file."""
    outcomes = config.stash.get(_outcomes, {})
    if not outcomes:
        return
    name = config.getoption("--dezero-backend")
    counts = {level: Counter[str]() for level in LEVELS}
    for item, outcome in outcomes.items():
        counts.setdefault(item.level, Counter())[outcome] += 1
    terminalreporter.section(f"DeZero conformance of backend {name}")
    write = terminalreporter.write_line
    write(f"{'level':14}" + "".join(f"{outcome:>16}" for outcome in OUTCOMES))
    for level, found in [*counts.items(), ("all", sum(counts.values(), Counter[str]()))]:
        write(f"{level:14}" + "".join(f"{found[outcome]:16}" for outcome in OUTCOMES))
    for item, outcome in outcomes.items():
        if outcome == "skipped":
            write(f"skipped: {item.id}")
    for package, reason in reasons_to_skip().items():
        write(f"skipped: all rows and checks of dezero-{package}: {reason}")
    path = Path(config.getoption("--dezero-json") or f"conformance-{name}.json")
    tests = {item.id: outcome for item, outcome in outcomes.items()}
    path.write_text(json.dumps({"backend": name, "levels": counts, "tests": tests}, indent=1))
    write(f"written to {path}")
