"""The conformance kit's options for pytest.

Where dezero-testing is installed, pytest loads this module in every run. Hence it stands outside
the package, and imports nothing of DeZero.
"""

from __future__ import annotations

from typing import Any


def pytest_addoption(parser: Any) -> None:
    """--dezero-backend, --dezero-xfails and --dezero-json."""
    group = parser.getgroup(
        "dezero", "conformance kit of DeZero (--pyargs dezero_testing.conformance)"
    )
    group.addoption("--dezero-backend", metavar="NAME", help="the backend to look at")
    group.addoption(
        "--dezero-xfails",
        metavar="FILE",
        help="expected failures, a line each: level/name, perhaps # why; one that passes fails",
    )
    group.addoption(
        "--dezero-json",
        metavar="FILE",
        help="where the outcomes are written (default conformance-NAME.json)",
    )
