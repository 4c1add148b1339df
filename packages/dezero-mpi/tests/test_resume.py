"""Continue killed jobs from their checkpoints, with the same or another number of ranks."""

import json
import re

import numpy as np
import pytest


def results(ended) -> list:
    """Return what the programs of a job have printed."""
    assert ended.code == 0, ended.output
    return [json.loads(line) for line in ended.output.splitlines() if line.startswith("[[")]


def flat(numbers) -> np.ndarray:
    """Return the numbers in nested lists as one array."""
    if isinstance(numbers, list):
        return np.concatenate([flat(x) for x in numbers])
    return np.array([numbers])


def run_until_killed(jobs, rate: float) -> None:
    """Run a job until one of its ranks is killed."""
    ended = jobs.run(2, "resume.py", "killed", 13, rate)
    assert ended.code != 0
    assert re.search(
        r"\[rank 1 of 2 on .*, step 13\] was ended by signal 9 \(SIGKILL\)", ended.output
    )
    assert sorted(path.name for path in (jobs.folder / "killed").glob("*.npz")) == [
        "step-000000005.npz",
        "step-000000010.npz",
    ]


def test_a_killed_job_continues_bit_for_bit(jobs) -> None:
    run_until_killed(jobs, 0.25)
    ended = jobs.run(2, "sequence.py", "resume.py whole 0 0.25", "resume.py killed 0 0.25")
    (weights, draws, order), resumed = results(ended)
    assert resumed == [weights, draws, order[-14:]]
    assert draws[0] != draws[1], "the ranks draw the same numbers for dropout"


@pytest.mark.slow
@pytest.mark.parametrize("ranks", [1, 3, 4])
def test_another_number_of_ranks_continues_in_the_same_order(ranks: int, jobs, report) -> None:
    run_until_killed(jobs, 0.0)
    ((weights, _, order),) = results(jobs.run(2, "resume.py", "whole", 0, 0.0))
    ((found, _, rest),) = results(jobs.run(ranks, "resume.py", "killed", 0, 0.0))
    assert rest == pytest.approx(order[-14:], abs=1e-13)
    difference = float(abs(flat(found) - flat(weights)).max())
    report("weights after a restart with other ranks than 2", str(ranks), f"{difference:.1e}")
    assert difference < 1e-13
