"""The conformance kit's options for pytest.

Where dezero-testing is installed, pytest loads this module in every run. Hence it stands outside
the package, and imports nothing of DeZero.
"""

from __future__ import annotations

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
        help="expected failures, one level/name a line; the run fails if one of them passes",
    )
    group.addoption(
        "--dezero-json",
        metavar="FILE",
        help="path of the file of outcomes (default conformance-NAME.json)",
    )
