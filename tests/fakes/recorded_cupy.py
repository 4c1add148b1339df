"""Find the recorded results of a real CuPy, for the tests of the stand-in."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import Any

import pytest

SHARED = Path(__file__).parent.parent.parent.parent / "shared" / "data"


def folder() -> Path:
    """Return the folder of the recorded results, or skip the test."""
    found = Path(os.environ.get("DEZERO_DATA") or SHARED) / "cupy"
    for name in ("facts.json", "record.py"):
        if not (found / name).exists():
            pytest.skip(f"{found / name} is missing: set DEZERO_DATA to the folder of cupy/{name}")
    return found


def recorder() -> Any:
    """Return the module ``record.py``, which describes what a NumPy-like module returns."""
    spec = importlib.util.spec_from_file_location("record_cupy_facts", folder() / "record.py")
    assert spec and spec.loader
    record = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(record)
    return record
