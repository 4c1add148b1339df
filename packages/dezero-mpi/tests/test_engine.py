"""Check the engine by the kit of dezero-testing, and its error for the launcher of another MPI."""

import sys

import pytest


def test_the_engine_passes_the_kit(jobs) -> None:
    ended = jobs.run(3, "-m", "dezero_testing", "communicator", "mpi")
    lines = [line for line in ended.output.splitlines() if "] " in line]
    assert ended.code == 0, ended.output
    assert len(lines) > 30 and all(line.endswith(": passed") for line in lines), ended.output


# For each MPI, the variable that another launcher would set, and a text of the error.
OTHER_LAUNCHERS = {
    "MPICH": ("OMPI_COMM_WORLD_SIZE", "the launcher of Open MPI started this process"),
    "Open MPI": ("PMI_SIZE", "the launcher announced 2 ranks, but the engine connects 1"),
}


def test_a_launcher_of_another_mpi_is_an_error(jobs) -> None:
    if jobs.launcher.mpi not in OTHER_LAUNCHERS:
        pytest.skip(f"the test knows no error of {jobs.launcher.mpi}")
    variable, text = OTHER_LAUNCHERS[jobs.launcher.mpi]
    program = "from dezero_core.extend import get_communicator; get_communicator()"
    ended = jobs.finish(jobs.start([sys.executable, "-c", program], **{variable: "2"}))
    assert ended.code != 0 and text in ended.output, ended.output
