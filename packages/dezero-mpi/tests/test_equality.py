"""Compare what several ranks compute with what one process computes."""

import json
import subprocess
import sys

import pytest


def result(ended) -> object:
    assert ended.code == 0, ended.output
    (line,) = [line for line in ended.output.splitlines() if line[:1] in "[{" and line[-1:] in "]}"]
    return json.loads(line)


@pytest.mark.parametrize(
    ("ranks", "steps"),
    [(3, 8), *(pytest.param(n, 50, marks=pytest.mark.slow) for n in (1, 2, 3, 4))],
)
def test_ranks_compute_what_one_process_computes(ranks: int, steps: int, jobs, report) -> None:
    table = result(jobs.run(ranks, "equality.py", steps))
    assert len(table) == 16
    for row, difference in table.items():
        report(
            f"largest difference to one process, {steps} steps", row, f"{ranks}: {difference:.1e}"
        )
    assert max(table.values()) < 1e-13


def test_networks_of_the_benchmarks_have_the_losses_of_one_process(jobs) -> None:
    command = jobs.command(2, "benchmark.py")
    alone = subprocess.check_output([sys.executable, command[-1]], text=True)
    losses = result(jobs.finish(jobs.start(command)))
    for name, expected in json.loads(alone).items():
        assert len(expected) == 8
        assert losses[name] == pytest.approx(expected, abs=1e-5), name
