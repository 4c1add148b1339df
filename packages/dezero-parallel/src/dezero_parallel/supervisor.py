"""Run a rank in a child process, and end all ranks if the child dies without a message.

MPICH's launcher names neither the rank nor the step of a process that was killed, and it waits
forever if a process ends before it has started MPI. The parent of each rank's process therefore
reports how the child ended, and ends itself by a signal, which every launcher answers by ending all
ranks.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import NoReturn

RANK, SIZE, STEP, STATE = range(4)
"""The indices of the numbers in `RECORD`."""

STARTING, RUNNING, LEFT, REPORTED, ALONE = range(5)
"""The states of a rank: before it is connected; training; ended as planned; failed with a message;
or the only process."""

RECORD = memoryview(mmap.mmap(-1, 4 * 8)).cast("q")
"""The rank, number of ranks, step and state of this process; parent and child share the memory."""

FORWARDED = [
    getattr(signal, name)
    for name in ("SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2")
    if hasattr(signal, name)  # Windows has only the first one
]
"""Signals that launchers send to the parent, and that are meant for the child.

SIGINT is absent, because terminals and launchers send it to the whole process group.
"""

LAUNCHERS = ("OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "MV2_COMM_WORLD_SIZE", "SLURM_STEP_NUM_TASKS")
"""The variables in which launchers of MPI and Slurm write the number of processes."""

LOOK_SECONDS = 0.5
"""Seconds between two checks that the launcher still runs.

If the launcher of Open MPI is killed, only the ranks that wait for others end by themselves.
"""


def supervise(run: Callable[[], None]) -> None:
    """Call ``run`` in a child process and return there; the parent ends as the child ends.

    On systems without fork, ``run`` is called in this process.
    """
    if not hasattr(os, "fork"):
        run()
        return
    parent, launcher = os.getpid(), os.getppid()
    signal.pthread_sigmask(signal.SIG_BLOCK, FORWARDED)  # until the parent can forward signals
    child = os.fork()
    if child == 0:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, FORWARDED)
        end_with(parent)
        run()
        return

    def forward(number: int, frame: FrameType | None) -> None:
        os.kill(child, number)

    is_launched = any(name in os.environ for name in LAUNCHERS)

    def end_with_launcher(number: int, frame: FrameType | None) -> None:
        is_rank = is_launched or RECORD[STATE] == RUNNING  # any other process may outlive a shell
        if is_rank and os.getppid() != launcher:
            os.kill(child, signal.SIGKILL)

    for number in FORWARDED:
        signal.signal(number, forward)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, end_with_launcher)
    signal.setitimer(signal.ITIMER_REAL, LOOK_SECONDS, LOOK_SECONDS)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, FORWARDED)
    end_as(exit_code(child))


def end_with(parent: int) -> None:
    """Let Linux kill this process when its parent ends, so that no orphan trains on."""
    if sys.platform == "linux":
        set_parent_death_signal = 1
        ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)


def exit_code(child: int) -> int:
    """Wait until a child ends, and return its exit status, or minus the number of its signal.

    If a signal stops the child, the method reports it and goes on waiting.
    """
    while True:
        _, status = os.waitpid(child, os.WUNTRACED)
        if not os.WIFSTOPPED(status):
            return os.waitstatus_to_exitcode(status)
        number = os.WSTOPSIG(status)
        write_line(f"is stopped by signal {number} ({signal.Signals(number).name})")


def end_as(code: int) -> NoReturn:
    """End this process as its child ended, and report the end if the child could not.

    Args:
        code: the exit status of the child, or the negative number of the signal that ended it.
    """
    state = RECORD[STATE]
    if state in (LEFT, REPORTED, ALONE) and code >= 0:
        os._exit(code)
    if code < 0:
        name = signal.Signals(-code).name
        if state != ALONE:
            write_line(f"was ended by signal {-code} ({name}), and ends all ranks")
    elif state == RUNNING:
        write_line(f"ended with exit status {code} in the middle of its work, and ends all ranks")
    elif code:
        write_line("failed before it was connected to the other ranks, and ends all ranks")
    else:
        os._exit(0)
    number = -code if code < 0 else signal.SIGTERM
    if number != signal.SIGKILL:
        signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    os._exit(1)


def write_line(text: str) -> None:
    """Write one line to standard error that starts with this rank, its host and its step."""
    rank, size, step, _ = RECORD
    who = f"rank {rank} of {size}" if size else f"process {os.getpid()}"
    write(f"[{who} on {socket.gethostname()}, step {step}] {text}\n")


def write(text: str) -> None:
    """Write to standard error by one system call, so that lines of several ranks do not mix.

    If the launcher that reads standard error has died, nothing is written.
    """
    with suppress(OSError):
        os.write(2, text.encode())
