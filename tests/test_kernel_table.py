"""The tables of docs/kernels.md list every named op and every kernel."""

from __future__ import annotations

import sys
from pathlib import Path

import dezero.functions  # noqa: F401 (defines the ops)

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))
import kernel_table


def test_the_tables_are_those_of_the_code() -> None:
    found, wanted = kernel_table.PAGE.read_text(), kernel_table.page_with_tables()
    assert found == wanted, "run: python scripts/kernel_table.py --write"
