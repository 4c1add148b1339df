"""Start programs on several ranks, and check that they leave neither processes nor files."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pytest

from dezero_mpi.launcher import Launcher, find_launcher
from dezero_mpi.shared_memory import FOLDER, is_mpi_file

PROGRAMS = Path(__file__).parent / "programs"
MARK = "DEZERO_TEST_JOB"
"""An environment variable that marks the processes of one test."""


@dataclass
class Ended:
    """Record how a job ended: its exit status, its output, and the time of its end."""

    code: int
    output: str
    time: float

    @property
    def seconds(self) -> float:
        """Return the seconds between the failure that the program printed and the end."""
        return self.time - float(re.search(r"^fails at ([\d.]+)", self.output, re.M)[1])


class Jobs:
    """Start jobs in a folder, and find what they leave behind."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.mark, self.files = folder, uuid.uuid4().hex, unused_files()
        self.leave_files = False  # True if the test kills ranks before MPI could remove its files

    @cached_property
    def launcher(self) -> Launcher:
        return find_launcher()

    def command(self, ranks: int, *program: object) -> list[str]:
        """Return the command that starts a program of these tests, or ``-m`` and a module."""
        first, *rest = program
        path = first if first == "-m" else PROGRAMS / str(first)
        python = [sys.executable, "-m", "dezero_parallel", str(path), *map(str, rest)]
        return self.launcher.command(ranks, python)

    def start(self, command: list[str], **variables: str) -> subprocess.Popen[str]:
        inherited = {name: value for name, value in os.environ.items() if name != "DEZERO_TIMEOUT"}
        return subprocess.Popen(
            command,
            env=inherited | {MARK: self.mark, "OPENBLAS_NUM_THREADS": "1"} | variables,
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            errors="replace",
        )

    def finish(self, process: subprocess.Popen[str], timeout: float = 150) -> Ended:
        """Wait for a job; kill its launcher after ``timeout`` seconds."""
        try:
            output, _ = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            output, _ = process.communicate()
            pytest.fail(f"the job did not end within {timeout} s:\n{output}")
        return Ended(process.returncode, output, time.time())

    def run(self, ranks: int, *program: object, **variables: str) -> Ended:
        return self.finish(self.start(self.command(ranks, *program), **variables))

    def processes(self) -> list[int]:
        """Return the ids of the processes of these jobs that still run."""
        found = []
        for path in Path("/proc").glob("[0-9]*/environ"):
            try:
                if f"{MARK}={self.mark}".encode() in path.read_bytes():
                    found.append(int(path.parent.name))
            except OSError:  # the process has ended, or is not ours
                continue
        return found

    def new_files(self) -> set[str]:
        return unused_files() - self.files

    def require_nothing_left(self) -> None:
        """Fail if processes of the jobs run on, or files of MPI are left in shared memory."""
        deadline = time.monotonic() + 2
        while (self.processes() or self.new_files()) and time.monotonic() < deadline:
            time.sleep(0.05)  # a file may belong to another job that is starting
        orphans, files = self.processes(), self.new_files()
        for process in orphans:
            os.kill(process, signal.SIGKILL)
        for path in files:
            Path(path).unlink(missing_ok=True)
        assert not orphans, "processes are left"
        assert self.leave_files or not files, "files in shared memory are left"


def unused_files() -> set[str]:
    """Return MPI's files in shared memory that no process has mapped."""
    found = set(filter(is_mpi_file, (str(path) for path in Path(FOLDER).glob("*"))))
    for maps in Path("/proc").glob("[0-9]*/maps") if found else ():
        with suppress(OSError):  # the process has ended, or is not ours
            found -= {line.split()[-1] for line in maps.read_text().splitlines()}
    return found


@pytest.fixture
def jobs(tmp_path: Path) -> Iterator[Jobs]:
    """Return the `Jobs` of a test; they must leave neither processes nor files."""
    jobs = Jobs(tmp_path)
    yield jobs
    jobs.require_nothing_left()
