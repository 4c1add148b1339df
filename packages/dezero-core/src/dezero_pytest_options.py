"""The conformance kit's options for pytest.

pytest loads this module in every run of everybody who has dezero-core installed. Hence it stands
outside the package, and imports nothing of it.
"""

from __future__ import annotations

from typing import Any


def pytest_addoption(parser: Any) -> None:
    """--dezero-backend, --dezero-xfails and --dezero-json."""
    group = parser.getgroup(
        "dezero", "conformance kit of DeZero (--pyargs dezero_core.conformance)"
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
