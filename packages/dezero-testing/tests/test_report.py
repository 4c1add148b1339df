"""Check the report of the kit after runs of some tests, after crashes and after hangs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from dezero_testing.conformance.report import Report


def ended(name: str, outcome: str = "passed", when: str = "call") -> Any:
    """Return a report like pytest's at the end of a test."""
    skipped = outcome == "skipped"
    return SimpleNamespace(nodeid=f"t.py::t[{name}]", outcome=outcome, when=when, skipped=skipped)


def run(report: Report, name: str, outcome: str = "passed") -> None:
    """Report a test from start to end."""
    report.pytest_runtest_logstart(f"t.py::t[{name}]")
    report.pytest_runtest_logreport(ended(name, outcome))
    report.pytest_runtest_logfinish(f"t.py::t[{name}]")
    report.write()


def test_a_run_of_some_tests_keeps_the_outcomes_of_the_others(tmp_path: Path) -> None:
    path = tmp_path / "outcomes.json"
    run(Report("numpy", path), "arrays/sum", "failed")
    run(Report("numpy", path), "arrays/exp")
    content = json.loads(path.read_text())
    assert content["tests"]["arrays/sum"] == "failed"
    assert content["levels"]["arrays"]["passed"] == 1
    assert content["levels"]["forward"] == {"not run": content["levels"]["forward"]["not run"]}
    run(Report("strict", path), "arrays/exp")
    assert json.loads(path.read_text())["tests"]["arrays/sum"] == "not run"


def test_the_file_names_the_test_that_ends_the_process(tmp_path: Path) -> None:
    path = tmp_path / "outcomes.json"
    Report("numpy", path).pytest_runtest_logstart("t.py::t[arrays/sum]")
    assert json.loads(path.read_text())["running"] == ["arrays/sum"]
    later = Report("numpy", path)
    run(later, "arrays/exp")
    assert json.loads(path.read_text())["tests"]["arrays/sum"] == "crashed"


def test_a_worker_of_xdist_that_ends_counts_as_a_crash(tmp_path: Path) -> None:
    report = Report("numpy", tmp_path / "outcomes.json")
    report.pytest_runtest_logreport(ended("arrays/sum", "failed", "???"))
    assert report.outcomes == {"arrays/sum": "crashed"}


BAD = """
from types import SimpleNamespace
from dezero_core.extend import hookimpl, plugins
from dezero_testing import Check

def crash(name):
    import ctypes
    ctypes.string_at(0)

def hang(name):
    while True:
        pass

@hookimpl
def dezero_op_cases():
    return [Check("crash", "bad", crash), Check("hang", "bad", hang)]

plugins.register(SimpleNamespace(DEZERO_API=1, dezero_op_cases=dezero_op_cases), "bad checks")
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", ["crash", "hang"])
def test_the_file_names_the_test_that_crashes_or_hangs(tmp_path: Path, name: str) -> None:
    (tmp_path / "bad_checks.py").write_text(BAD)
    command = [sys.executable, "-m", "pytest", "-p", "bad_checks", "-o", "faulthandler_timeout=2"]
    command += ["-o", "faulthandler_exit_on_timeout=true", "--pyargs"]
    command += ["dezero_testing.conformance", "--dezero-backend", "numpy", "-k", f"bad/{name}"]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode != 0 and f"in {name}" in done.stderr
    content = json.loads((tmp_path / "conformance-numpy.json").read_text())
    assert content["running"] == [f"bad/{name}"]
