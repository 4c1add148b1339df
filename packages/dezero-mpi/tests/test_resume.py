"""Continue killed jobs from their checkpoints, with the same or another number of ranks."""

import json
import shutil

import numpy as np
import pytest


def result(ended) -> list:
    assert ended.code == 0, ended.output
    (line,) = [line for line in ended.output.splitlines() if line.startswith("[[")]
    return json.loads(line)


def flat(numbers) -> np.ndarray:
    """Return the numbers in nested lists as one array."""
    if isinstance(numbers, list):
        return np.concatenate([flat(x) for x in numbers])
    return np.array([numbers])


def run_whole_and_killed(jobs, rate: float) -> list:
    """Run a job to its end, and again until it is killed; return the result of the whole job."""
    whole = result(jobs.run(2, "resume.py", "whole", 0, rate))
    ended = jobs.run(2, "resume.py", "killed", 13, rate)
    assert ended.code != 0
    assert sorted(path.name for path in (jobs.folder / "killed").glob("*.npz")) == [
        "step-000000005.npz",
        "step-000000010.npz",
    ]
    return whole


def test_a_killed_job_continues_bit_for_bit(jobs) -> None:
    weights, draws, order = run_whole_and_killed(jobs, 0.25)
    assert result(jobs.run(2, "resume.py", "killed", 0, 0.25)) == [weights, draws, order[-14:]]
    assert draws[0] != draws[1], "the ranks draw the same numbers for dropout"


@pytest.mark.slow
@pytest.mark.parametrize("ranks", [1, 3, 4])
def test_another_number_of_ranks_continues_in_the_same_order(ranks: int, jobs, report) -> None:
    weights, _, order = run_whole_and_killed(jobs, 0.0)
    shutil.copytree(jobs.folder / "killed", jobs.folder / "resumed")
    found, _, rest = result(jobs.run(ranks, "resume.py", "resumed", 0, 0.0))
    assert rest == pytest.approx(order[-14:], abs=1e-13)
    difference = float(abs(flat(found) - flat(weights)).max())
    report("weights after a restart with other ranks than 2", str(ranks), f"{difference:.1e}")
    assert difference < 1e-13
