"""Check which launcher is found, and the command that it gets, with stand-ins for launchers."""

from pathlib import Path

import pytest

from dezero_core.errors import ArgumentError, MissingPackage, MissingProgram
from dezero_mpi import launcher
from dezero_mpi.environment import SIZES
from dezero_mpi.launcher import Launcher, find_launcher

VERSIONS = {
    "MPICH": "HYDRA build details:\\n    Version: 5.0.2",
    "Open MPI": "mpiexec (Open MPI) 5.0.11",
    "Intel MPI": "Intel(R) MPI Library for Linux* OS, Version 2021.18",
}


def install(folder: Path, mpi: str, name: str = "mpiexec") -> Path:
    """Write a program that prints the version of a launcher."""
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / name
    program.write_text(f"#!/bin/sh\nprintf '{VERSIONS[mpi]}\\n'\n")
    program.chmod(0o755)
    return program


@pytest.fixture(autouse=True)
def _no_launcher(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in (*SIZES, "SLURM_JOB_ID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", f"{tmp_path / 'path'}:/usr/bin:/bin")


def loads(monkeypatch: pytest.MonkeyPatch, mpi: str, library: Path) -> None:
    monkeypatch.setattr(launcher, "library", lambda: (mpi, library))


@pytest.mark.parametrize("mpi", VERSIONS)
def test_the_launcher_beside_the_library_comes_first(mpi: str, tmp_path, monkeypatch) -> None:
    beside = install(tmp_path / "env" / "bin", mpi)
    install(tmp_path / "path", mpi)
    loads(monkeypatch, mpi, tmp_path / "env" / "lib" / "libmpi.so.12")
    assert find_launcher() == Launcher(str(beside), mpi)


def test_the_launcher_of_another_mpi_is_not_taken(tmp_path, monkeypatch) -> None:
    other = install(tmp_path / "path", "Open MPI")
    loads(monkeypatch, "MPICH", tmp_path / "env" / "lib" / "libmpi.so.12")
    with pytest.raises(MissingProgram, match=rf"MPICH .*{other} of Open MPI.*pip install"):
        find_launcher()
    debian = install(tmp_path / "path", "MPICH", "mpiexec.mpich")
    assert find_launcher() == Launcher(str(debian), "MPICH")


def test_slurm_starts_its_own_jobs(tmp_path, monkeypatch) -> None:
    srun = install(tmp_path / "path", "MPICH", "srun")
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    loads(monkeypatch, "Open MPI", Path("/usr/lib/libmpi.so.40"))
    found = find_launcher()
    assert found == Launcher(str(srun), "Slurm")
    assert found.command(2, ["a"]) == [str(srun), "-n", "2", "--mpi=pmix", "a"]
    loads(monkeypatch, "MPICH", Path("/usr/lib/libmpi.so.12"))
    assert found.command(2, ["a"]) == [str(srun), "-n", "2", "--mpi=pmi2", "a"]


def test_only_open_mpi_needs_options(monkeypatch) -> None:
    assert Launcher("m", "MPICH").command(3, ["a", "b"]) == ["m", "-n", "3", "a", "b"]
    user = ["m", "-n", "3", "--oversubscribe", "--bind-to", "none"]
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert Launcher("m", "Open MPI").command(3, ["a"]) == [*user, "a"]
    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert Launcher("m", "Open MPI").command(3, ["a"]) == [*user, "--allow-run-as-root", "a"]


def test_start_replaces_the_process_by_the_launcher(tmp_path, monkeypatch) -> None:
    mpiexec = install(tmp_path / "env" / "bin", "MPICH")
    loads(monkeypatch, "MPICH", tmp_path / "env" / "lib" / "libmpi.so.12")
    ran = []
    monkeypatch.setattr("os.execve", lambda *arguments: ran.append(arguments))
    launcher.start(2, ["train.py", "--lr=1"], timeout=5)
    (program, command, environment) = ran[0]
    assert program == command[0] == str(mpiexec)
    assert command[1:3] == ["-n", "2"]
    assert command[4:] == ["-m", "dezero_parallel", "train.py", "--lr=1"]
    assert environment["DEZERO_TIMEOUT"] == "5"


def test_no_mpi_library(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("MPI4PY_LIBMPI", str(tmp_path / "missing.so"))
    with pytest.raises(MissingPackage, match=r"finds no MPI library .*dezero-mpi\[mpich\]"):
        launcher.library()


def test_an_mpi_library_that_ends_the_process_without_a_message(monkeypatch) -> None:
    monkeypatch.setattr(launcher, "ASK_MPI4PY", "import os; os._exit(3)")
    with pytest.raises(MissingPackage, match=r"finds no MPI library \(exit status 3\)"):
        launcher.library()


def test_a_wrong_number_of_ranks(monkeypatch) -> None:
    with pytest.raises(ArgumentError, match="ranks: 0 was given"):
        launcher.start(0, ["train.py"])
    monkeypatch.setenv("PMI_SIZE", "2")
    with pytest.raises(ArgumentError, match="one of 2 ranks"):
        launcher.start(2, ["train.py"])
