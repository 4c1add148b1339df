"""The page docs/from-pytorch.md has a row for each name, and every call of DeZero in it runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dezero
import dezero.functions
from dezero import Variable

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))
import names_table
from pytorch_names import ROWS, Name, arrays


def test_the_page_shows_the_table() -> None:
    wanted = names_table.page_with_tables()
    assert names_table.PAGE.read_text() == wanted, "run: python scripts/names_table.py --write"


def test_most_names_are_the_same_and_few_are_absent() -> None:
    statuses = [row.status for row in ROWS]
    assert len({row.name for row in ROWS}) == len(ROWS) == 223
    assert statuses.count("same") >= 150
    assert statuses.count("absent") <= 20


@pytest.mark.parametrize("row", [row for row in ROWS if row.status != "absent"], ids=lambda r: r[0])
def test_a_call_runs_with_plain_arrays_too(row: Name) -> None:
    """PyTorch compares the values, in tests/reference; this test needs no PyTorch."""
    spaces: dict[str, Any] = {"F": dezero.functions, "np": np, "dezero": dezero}
    hosts = arrays()
    wrapped = {name: x if name == "host" else Variable(x) for name, x in hosts.items()}
    source = row.ours or row.example
    found = eval(source, {**spaces, "Variable": Variable, **wrapped})
    if source.startswith("F.") and ".data" not in source:
        again = eval(source, {**spaces, "Variable": Variable, **hosts})
        assert type(again) is type(found)


def test_absent_names_are_absent() -> None:
    for row in ROWS:
        if row.status == "absent" and row.name != "F.batch_norm":
            assert not hasattr(dezero.functions, row.name.split(".")[-1])
