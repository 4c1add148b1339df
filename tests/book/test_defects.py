"""Test that DeZero gives the right result for every defect of the book's framework."""

import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import observations
from outcomes import items, observations_in, outcome

LONG = {"parameters_are_ordered"}
ITEMS = [
    pytest.param(item, id=item["name"], marks=[pytest.mark.slow] if item["name"] in LONG else [])
    for item in items("defect", "kept")
]


@pytest.mark.parametrize("item", ITEMS)
def test_item(item: dict[str, Any]) -> None:
    assert outcome(getattr(observations, item["name"])) == item["right"], item["says"]


def test_the_table_is_complete() -> None:
    named = [item["name"] for item in items("defect", "kept")]
    assert sorted(named) == sorted(observations_in(observations))
    for item in items("defect"):
        assert item["book"] != item["right"], item["name"]
