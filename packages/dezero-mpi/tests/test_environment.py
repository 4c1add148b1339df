"""Check how many ranks the environment announces."""

import pytest

from dezero_mpi.environment import SIZES, launched

ENVIRONMENTS = {
    "no launcher": ({}, 0),
    "MPICH or Intel MPI": ({"PMI_SIZE": "3"}, 3),
    "Open MPI": ({"OMPI_COMM_WORLD_SIZE": "2"}, 2),
    "srun": ({"SLURM_STEP_NUM_TASKS": "4"}, 4),
    "mpiexec in a step of Slurm": ({"SLURM_STEP_NUM_TASKS": "1", "PMI_SIZE": "8"}, 8),
    "a shell in a job of Slurm": ({"SLURM_STEP_NUM_TASKS": "1"}, 0),
    "one rank": ({"PMI_SIZE": "1"}, 1),
    "not a number": ({"PMI_SIZE": ""}, 0),
}


@pytest.mark.parametrize("case", ENVIRONMENTS)
def test_the_number_of_ranks(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in SIZES:
        monkeypatch.delenv(name, raising=False)
    variables, ranks = ENVIRONMENTS[case]
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert launched() == ranks
