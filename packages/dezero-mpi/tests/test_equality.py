"""Compare what several ranks compute with what one process computes."""

import json
import sys
from pathlib import Path

import pytest

PROGRAMS = Path(__file__).parent / "programs"
EXAMPLE = Path(__file__).parents[3] / "examples" / "parallel" / "train.py"


def result(ended) -> dict:
    """Return the dictionary that the program of a job has printed."""
    assert ended.code == 0, ended.output
    (line,) = [line for line in ended.output.splitlines() if line[:1] == "{" and line[-1:] == "}"]
    return json.loads(line)


def epochs(ended) -> list[str]:
    """Return the lines that the example prints for its epochs."""
    return [line for line in ended.output.splitlines() if line.startswith("epoch")]


def check(table: dict, ranks: int, steps: int, report) -> None:
    """Check and report the differences that the program equality.py prints."""
    assert len(table) == 16
    for row, difference in table.items():
        report(
            f"largest difference to one process, {steps} steps", row, f"{ranks}: {difference:.1e}"
        )
    assert max(table.values()) < 1e-13


@pytest.mark.slow
@pytest.mark.parametrize("ranks", [1, 2, 3, 4])
def test_ranks_compute_what_one_process_computes(ranks: int, jobs, report) -> None:
    check(result(jobs.run(ranks, "equality.py", 50)), ranks, 50, report)


def test_programs_print_the_same_with_one_two_and_three_ranks(jobs, report) -> None:
    """Train the networks of the benchmarks, the example, and the networks of equality.py.

    Each job runs two programs, because starting the ranks takes longer than training.
    """
    sequence = [sys.executable, str(PROGRAMS / "sequence.py")]
    alone = jobs.finish(jobs.start([*sequence, "benchmark.py", f"{EXAMPLE} alone 4"]))
    two = jobs.run(2, "sequence.py", "benchmark.py", f"{EXAMPLE} ranks 2")
    three = jobs.run(3, "sequence.py", "equality.py 8", f"{EXAMPLE} ranks 4")
    losses = result(two)
    for name, expected in result(alone).items():
        assert len(expected) == 8
        assert losses[name] == pytest.approx(expected, abs=1e-5), name
    check(result(three), 3, 8, report)
    assert len(epochs(alone)) == 4
    assert epochs(two) == epochs(alone)[:2]
    assert epochs(three) == epochs(alone)[2:], "three ranks continue what two ranks began"
