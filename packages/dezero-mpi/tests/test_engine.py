"""Check the engine by the kit of dezero-testing."""


def test_the_engine_passes_the_kit(jobs) -> None:
    ended = jobs.run(3, "-m", "dezero_testing", "communicator", "mpi")
    lines = [line for line in ended.output.splitlines() if "] " in line]
    assert ended.code == 0, ended.output
    assert len(lines) > 30 and all(line.endswith(": passed") for line in lines), ended.output
