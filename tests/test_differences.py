"""docs/differences.md: every item of the inventory is there, and every test it names exists."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "docs" / "differences.md").read_text("utf-8")
ITEMS = tomllib.loads((ROOT / "tests" / "book" / "defects.toml").read_text("utf-8"))["item"]


def section(title: str) -> str:
    return TEXT.partition(f"## {title}\n")[2].partition("\n## ")[0]


def test_every_item_is_a_line_in_its_section() -> None:
    for kind, title in (("kept", "Kept on purpose"), ("defect", "Fixed")):
        named = re.findall(r"`(\w+)`$", section(title), re.M)
        assert named == [item["name"] for item in ITEMS if item["kind"] == kind]


def test_every_line_names_a_test_that_exists() -> None:
    lines = [line for line in TEXT.splitlines() if line.startswith("- ")]
    assert len(lines) > 60
    for line in lines:
        path, _, name = re.findall(r"`([^`]+)`$", line)[0].rpartition("::")
        source = ROOT / (path or "tests/book/observations.py")
        assert f"\ndef {name}(" in source.read_text("utf-8"), line
