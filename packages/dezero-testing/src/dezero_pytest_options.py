"""Add the conformance kit's options to pytest.

If dezero-testing is installed, every pytest run imports this module. Therefore this module is
outside the package, and does not import DeZero.
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
        help="file of expected failures, one level/name per line; fails if one of them passes",
    )
    group.addoption(
        "--dezero-json",
        metavar="FILE",
        help="file to write the outcomes to (default conformance-NAME.json)",
    )
