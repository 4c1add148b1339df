"""Communicate between the processes of one job by mpi4py."""

from __future__ import annotations

import os
import sys
import time
from threading import Timer
from typing import Any, NoReturn

import mpi4py
import numpy as np

from dezero_core.errors import ArgumentError, CommunicatorError, MissingPackage

from .shared_memory import remove_files

mpi4py.rc.initialize, mpi4py.rc.finalize = False, True  # MPI starts after `require_own_launcher`
try:
    from mpi4py import MPI
except (ImportError, RuntimeError) as error:  # RuntimeError: mpi4py is there, but no MPI library
    reason = " ".join(str(error).split())
    raise MissingPackage(
        f"mpi: MPI could not be loaded ({reason}); expected mpi4py and an MPI library; "
        "pip install 'dezero-mpi[mpich]'"
    ) from error

DTYPES = tuple(map(np.dtype, ("float16", "float32", "float64", "int64")))
"""The dtypes of the arrays that can be summed."""

ABORT_SECONDS = 3.0
"""Seconds after which a process ends itself if the launcher does not end it after an abort."""


class MpiCommunicator:
    """Connect this process to the other ranks of an MPI job.

    The class implements `dezero_core.extend.Communicator`, whose docstrings explain the methods.
    """

    def __init__(self) -> None:
        if not MPI.Is_initialized():
            require_own_launcher()
            MPI.Init_thread()
        # Messages about leaving have their own communicator. On the communicator of the sums, a
        # rank that leaves early could complete a sum of the other ranks.
        self._sums = MPI.COMM_WORLD.Dup()
        self._messages = MPI.COMM_WORLD.Dup()
        remove_files()
        self.rank, self.size = self._sums.rank, self._sums.size
        self._left: list[tuple[int, int]] = []

    def gather(self, value: object) -> list[Any]:
        return self._sums.allgather(value)

    def broadcast(self, value: object) -> Any:
        return self._sums.bcast(value)

    def start(self, array: Any) -> MPI.Request:
        if not isinstance(array, np.ndarray):
            given = f"{type(array).__module__}.{type(array).__name__}"
            raise ArgumentError(
                f"mpi: the sum over ranks of a {given}; expected a NumPy array; move the model to "
                "the CPU, or on GPUs write world('nccl')"
            )
        if array.dtype not in DTYPES:
            known = ", ".join(map(str, DTYPES))
            raise ArgumentError(
                f"mpi: the sum over ranks of a {array.dtype} array; expected {known}; "
                "convert the array"
            )
        if not (array.flags.forc and array.flags.writeable):
            raise ArgumentError(
                f"mpi: the sum over ranks of an array with strides {array.strides}, writeable: "
                f"{array.flags.writeable}; expected a contiguous array to write to; copy the array"
            )
        return self._sums.Iallreduce(MPI.IN_PLACE, array)

    def poll(self, request: MPI.Request) -> None:
        request.Test()  # MPI works on a request only inside its own functions

    def wait(self, request: MPI.Request) -> None:
        try:
            request.Wait()
        except MPI.Exception as error:
            raise CommunicatorError(
                f"mpi: a sum over ranks failed: {error}; expected all ranks to run and to be "
                "reachable; restart the job from its last checkpoint"
            ) from error

    def leave(self, step: int) -> None:
        others = [rank for rank in range(self.size) if rank != self.rank]
        sent = [self._messages.isend(step, rank) for rank in others]
        while len(self._left) < len(others):
            self.departed()
            time.sleep(0.01)
        # MPICH reports a job as failed if a rank ends while one of its messages is on its way.
        MPI.Request.waitall(sent)

    def departed(self) -> tuple[int, int] | None:
        status = MPI.Status()
        if message := self._messages.improbe(status=status):
            self._left.append((status.source, message.recv()))
        return self._left[0] if self._left else None

    def abort(self) -> NoReturn:
        timer = Timer(ABORT_SECONDS, os._exit, [1])  # without a launcher, Abort may not return
        timer.daemon = True
        timer.start()
        sys.stdout.flush()
        sys.stderr.flush()
        time.sleep(0.2)  # Open MPI drops output that was written just before an abort
        MPI.COMM_WORLD.Abort(1)
        os._exit(1)


def require_own_launcher() -> None:
    """Check that no launcher of Open MPI started a process that loads another MPI.

    MPICH would end such a process with a message that does not name the reason. If the launcher of
    MPICH starts a process that loads Open MPI, each process becomes the only rank of a job, which
    `dezero_core.extend.get_communicator` reports.

    Raises:
        CommunicatorError: Open MPI's launcher started this process, which loads another MPI.
    """
    mpi = MPI.get_vendor()[0]
    if "OMPI_COMM_WORLD_SIZE" in os.environ and mpi != "Open MPI":
        raise CommunicatorError(
            f"mpi: the launcher of Open MPI started this process, which loads {mpi}; expected one "
            f"MPI; start the ranks with `dezero train --ranks N`, or with the mpiexec of {mpi}"
        )
