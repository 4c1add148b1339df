"""Test that each pair of features combines and resumes bit for bit, or is refused by an error."""

from __future__ import annotations

import re
import sys
from itertools import combinations
from pathlib import Path

import pytest

from dezero_parallel import Alone

sys.path.insert(0, str(Path(__file__).parent))
from feature_pairs import FEATURES, RANKS, REFUSED, try_pairs

PAIRS = [pair for pair in combinations(FEATURES, 2) if not set(pair) & set(RANKS)]
QUICK = {("accumulate", "EMA"), ("Muon", "LSTM state"), *REFUSED}
QUICK |= {pair for pair in PAIRS if "dezero-onednn" in pair}  # only the shuffled run installs it


@pytest.mark.parametrize(
    "pair",
    [pytest.param(p, marks=[] if p in QUICK else pytest.mark.slow) for p in PAIRS],
    ids=" and ".join,
)
def test_two_features_in_one_process(pair: tuple[str, str], tmp_path: Path) -> None:
    if "captured" in pair:
        pytest.importorskip("dezero_cuda", reason="dezero-cuda captures steps")
    if "dezero-onednn" in pair:
        pytest.importorskip("dezero_onednn", reason="hatch run shuffled:run installs dezero-onednn")
    ((differing, digest),) = try_pairs([pair], Alone, tmp_path).values()
    if pair in REFUSED:
        assert re.search(REFUSED[pair], differing) and not digest
    else:
        assert differing == ""


def test_the_document_lists_the_refused_pairs() -> None:
    page = (Path(__file__).parent.parent / "docs" / "scale.md").read_text("utf-8")
    section = page.partition("## What can be combined?")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (.+?) and (.+?) \|", section, re.M)
    assert set(rows) == set(REFUSED)
    assert all(feature in section for feature in FEATURES)
