"""Write the tables of PyTorch's names in docs/from-pytorch.md.

`python scripts/names_table.py` prints the tables; with ``--write`` it rewrites them in the page.
A test compares the page with the table, and `hatch run reference:run` checks each row.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "from-pytorch.md"
START, END = "<!-- tables of scripts/names_table.py -->", "<!-- end of the tables -->"

sys.path.insert(0, str(ROOT / "tests" / "reference"))
from pytorch_names import SECTIONS, Name  # noqa: E402


def tables() -> str:
    """Return the counts and all tables in Markdown."""
    rows = [row for section in SECTIONS.values() for row in section]
    counts = Counter(row.status for row in rows)
    same, different, absent = (counts[status] for status in ("same", "different", "absent"))
    lines = [f"{len(rows)} names: {same} are the same, {different} different, and {absent} absent."]
    for title, section in SECTIONS.items():
        lines += ["", f"### {title}", "", "| PyTorch | DeZero | difference |", "|---|---|---|"]
        lines += map(line_of, section)
    return "\n".join(lines)


def line_of(row: Name) -> str:
    """Return one line of a table."""
    ours = {"same": "the same", "absent": "absent"}.get(row.status) or f"`{row.ours}`"
    return f"| `{row.example}` | {ours} | {row.note} |"


def page_with_tables() -> str:
    """Return the whole page with new tables."""
    before, rest = PAGE.read_text().split(START)
    return f"{before}{START}\n\n{tables()}\n\n{END}{rest.split(END)[1]}"


if __name__ == "__main__":
    if "--write" in sys.argv:
        PAGE.write_text(page_with_tables())
    else:
        print(tables())
