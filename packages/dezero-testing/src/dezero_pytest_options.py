"""Add the conformance kit's options to pytest.

If dezero-testing is installed, every pytest run imports this module. Therefore this module is
outside the package, and imports DeZero only if a backend is tested.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any


def pytest_addoption(parser: Any) -> None:
    """Add the options --dezero-backend, --dezero-xfails and --dezero-json."""
    group = parser.getgroup(
        "dezero", "conformance kit of DeZero (--pyargs dezero_testing.conformance)"
    )
    group.addoption("--dezero-backend", metavar="NAME", help="the backend to test")
    group.addoption(
        "--dezero-xfails",
        metavar="FILE",
        help="file of expected failures, one level/name per line; fails if one of them passes",
    )
    group.addoption(
        "--dezero-json",
        metavar="FILE",
        help="file to write the outcomes to (default conformance-NAME.json)",
    )


def pytest_configure(config: Any) -> None:
    """Report the outcomes of the kit, except in a worker of pytest-xdist."""
    name = config.getoption("--dezero-backend")
    if name is not None and not hasattr(config, "workerinput"):
        from dezero_testing.conformance.report import Report

        path = Path(config.getoption("--dezero-json") or f"conformance-{name}.json")
        config.pluginmanager.register(Report(name, path), "dezero-report")
