"""Test ops, layers and backends written for DeZero: the op table and the conformance kit.

`dezero_testing.conformance` tests a backend; docs/backends.md explains how to use it.
"""

from .__about__ import __version__
from .check import LEVELS, Check
from .op_case import OpCase
from .table import check_sensitivity, load_all_cases, load_cases, load_rows

__all__ = [
    "LEVELS",
    "Check",
    "OpCase",
    "__version__",
    "check_sensitivity",
    "load_all_cases",
    "load_cases",
    "load_rows",
]
