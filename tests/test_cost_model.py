"""Test the formulas of benchmarks/cost_model.py on numbers that can be checked by hand."""

import math
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "benchmarks"))
import cost_model
from cost_model import Bucket, Link, Step, ring, slowest_over_mean, step_time

LINK = Link("test", latency=1e-3, bandwidth=1e6, origin="assumed")
STEP = Step("test", 0.1, 0.2, 0.05, (Bucket(0.05, 100_000), Bucket(0.2, 10_000)))


@pytest.mark.parametrize(
    ("ranks", "seconds"), [(1, 0.0), (2, 2e-3 + 0.1), (4, 6e-3 + 0.15), (100, 0.198 + 0.198)]
)
def test_a_ring_sends_twice_to_each_other_rank(ranks: int, seconds: float) -> None:
    assert ring(100_000, ranks, LINK) == pytest.approx(seconds)


def test_the_slowest_rank_is_slower_than_the_mean() -> None:
    assert slowest_over_mean(1) == 1
    assert slowest_over_mean(8, sigma=0.1) == pytest.approx(1 + 0.1 * math.sqrt(2 * math.log(8)))


@pytest.mark.parametrize(
    ("ranks", "overlap", "seconds"),
    [
        (1, False, 0.35),
        (2, False, 0.35 + 0.102 + 0.012),  # the backward pass, then both buckets
        (2, True, 0.35 + 0.012),  # the first bucket arrives before the second is ready
    ],
)
def test_a_step(ranks: int, overlap: bool, seconds: float) -> None:
    assert step_time(STEP, LINK, ranks, overlap, sigma=0) == pytest.approx(seconds)
    if ranks > 1:
        assert step_time(STEP, LINK, ranks, overlap, sigma=0.1) > seconds
    slow = Link("slow", 1e-3, 1e5, "assumed")  # the second bucket waits for the first
    assert step_time(STEP, slow, 2, True, sigma=0) == pytest.approx(
        0.1 + 0.05 + 1.002 + 0.102 + 0.05
    )


def test_a_link_is_fitted_to_measured_times() -> None:
    times = [(size, ring(size, 3, LINK)) for size in (1_000, 50_000, 1_000_000)]
    found = cost_model.fitted_link("found", 3, times)
    assert found.latency == pytest.approx(LINK.latency)
    assert found.bandwidth == pytest.approx(LINK.bandwidth)
    assert found.origin == "measured"


def test_the_table_says_which_links_are_assumed() -> None:
    head, rule, *rows = cost_model.table()
    assert len(rows) == len(cost_model.STEPS) * len(cost_model.LINKS)
    assert all(row.count("|") == head.count("|") == rule.count("|") for row in rows)
    assert all(("1 GbE" in row) == ("(measured)" in row) for row in rows)


def test_the_document_has_the_table() -> None:
    page = (Path(__file__).parent.parent / "docs" / "scale.md").read_text("utf-8")
    assert "\n".join(cost_model.table()) in page, "python benchmarks/parallel.py --predict"
