"""Find the launcher of the MPI that mpi4py loads, and start a program on several ranks."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from dezero_core.errors import ArgumentError, MissingPackage, MissingProgram

from .environment import launched

OPEN_MPI, SLURM = "Open MPI", "Slurm"
NAMES = ("mpiexec", "mpiexec.hydra", "mpiexec.openmpi", "mpiexec.mpich", "mpirun")
"""The names of launchers; Debian appends the name of the MPI."""

ASK_MPI4PY = """
import sys, mpi4py
mpi4py.rc.initialize = mpi4py.rc.finalize = False
from mpi4py import MPI
from mpi4py.run import main
print(MPI.get_vendor()[0], flush=True)
sys.argv[1:] = ["--mpi-library"]
main()
"""
"""A program that prints the name of mpi4py's MPI and the path of the library, but starts no MPI.

A new process runs the program, because a process that has loaded MPI may not start MPI programs.
"""


@dataclass(frozen=True)
class Launcher:
    """A program that starts the ranks of a job.

    Attributes:
        path: the path of ``mpiexec`` or ``srun``.
        mpi: the name of the launcher's MPI, such as ``"MPICH"``, or ``"Slurm"``.
    """

    path: str
    mpi: str

    def command(self, ranks: int, program: Sequence[str]) -> list[str]:
        """Return the command that starts ``program`` as ``ranks`` processes."""
        return [self.path, "-n", str(ranks), *self.options(), *program]

    def options(self) -> list[str]:
        """Return the options that this launcher needs.

        For Slurm, the option names the interface of mpi4py's MPI. Open MPI needs permission to run
        more ranks than cores, and to run as root; MPICH and Intel MPI need no options.
        """
        if self.mpi == SLURM:
            return ["--mpi=pmix" if library()[0] == OPEN_MPI else "--mpi=pmi2"]
        if self.mpi != OPEN_MPI:
            return []
        # Open MPI would bind a rank to one core, but the threads of a rank use several cores.
        as_root = ["--allow-run-as-root"] if os.geteuid() == 0 else []
        return ["--oversubscribe", "--bind-to", "none", *as_root]


def start(ranks: int, program: Sequence[str], timeout: float | None = None) -> NoReturn:
    """Replace this process by a launcher that runs a Python program on several ranks.

    An error in any rank ends all ranks, and the exit status is then not 0.

    Args:
        ranks: the number of processes, at least 1.
        program: the arguments of ``python -m dezero_parallel``, such as ``["train.py", "--lr=1"]``
            or ``["-m", "dezero", "train"]``.
        timeout: seconds for which a rank may wait for another rank. The ranks get the number as
            the variable ``DEZERO_TIMEOUT``; None (default) leaves the variable unchanged.

    Raises:
        ArgumentError: ``ranks`` is less than 1, or a launcher has already started this process.
        MissingPackage: mpi4py finds no MPI library.
        MissingProgram: the launcher of mpi4py's MPI is not installed.
    """
    if ranks < 1:
        raise ArgumentError(f"ranks: {ranks} was given; expected at least 1 process")
    if launched():
        raise ArgumentError(
            f"ranks: this process is one of {launched()} ranks, and cannot start {ranks} ranks; "
            "expected one process; remove mpiexec or srun from the command"
        )
    python = [sys.executable, "-m", "dezero_parallel", *program]
    command = find_launcher().command(ranks, python)
    environment = os.environ | ({} if timeout is None else {"DEZERO_TIMEOUT": str(timeout)})
    sys.stdout.flush()
    os.execve(command[0], command, environment)


def find_launcher() -> Launcher:
    """Return the launcher of mpi4py's MPI; in a job of Slurm, return ``srun``.

    Raises:
        MissingPackage: mpi4py finds no MPI library.
        MissingProgram: the launcher is not installed.
    """
    if "SLURM_JOB_ID" in os.environ and (srun := shutil.which("srun")):
        return Launcher(srun, SLURM)
    mpi, path = library()
    found = [(str(file), launcher_mpi(file)) for file in candidates(path)]
    for file, its_mpi in found:
        if its_mpi == mpi:
            return Launcher(file, mpi)
    others = ", ".join(f"{file} of {name}" for file, name in found) or "none"
    raise MissingProgram(
        f"mpi: mpi4py loads {mpi} from {path}, and the launchers found are: {others}; expected the "
        f"mpiexec of {mpi}; install it, add its folder to PATH, or pip install 'dezero-mpi[mpich]'"
    )


def library() -> tuple[str, Path]:
    """Return the name of the MPI that mpi4py loads, and the path of its library.

    Raises:
        MissingPackage: mpi4py finds no MPI library.
    """
    asked = subprocess.run([sys.executable, "-c", ASK_MPI4PY], capture_output=True, text=True)
    if asked.returncode:
        *_, reason = f"exit status {asked.returncode}", *asked.stderr.strip().splitlines()
        raise MissingPackage(
            f"mpi: mpi4py finds no MPI library ({reason}); expected MPICH, Open MPI or another "
            "MPI; pip install 'dezero-mpi[mpich]'"
        )
    name, path = asked.stdout.splitlines()[-2:]
    return name, Path(path)


def candidates(library: Path) -> Iterator[Path]:
    """Yield existing launchers: first in the ``bin`` folders beside the library, then in PATH."""
    folders = [parent / "bin" for parent in library.parents[1:4]]
    folders += map(Path, os.environ.get("PATH", "").split(os.pathsep))
    for folder in dict.fromkeys(folders):
        yield from (folder / name for name in NAMES if os.access(folder / name, os.X_OK))


def launcher_mpi(path: Path) -> str:
    """Return the name of the MPI that a launcher belongs to, as mpi4py writes the name."""
    printed = subprocess.run([path, "--version"], capture_output=True, text=True)
    text = printed.stdout + printed.stderr
    words = {"Open MPI": OPEN_MPI, "OpenRTE": OPEN_MPI, "Intel(R) MPI": "Intel MPI"}
    found = [mpi for word, mpi in words.items() if word in text]
    return found[0] if found else "MPICH" if "HYDRA" in text else "unknown"
