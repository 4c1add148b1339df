"""Check that MPI can create its buffers in shared memory, before MPI starts."""

from __future__ import annotations

import os
import shutil
import socket

from dezero_core.errors import CommunicatorError

FOLDER = "/dev/shm"
"""The folder of shared memory on Linux."""

REQUIRED = 16 << 20
"""Free bytes that MPI needs: Open MPI reserves 16 MiB; MPICH took 15.8 MB for three ranks."""


def require_shared_memory() -> None:
    """Raise an error if shared memory is full; MPICH would end with a bus error instead.

    Raises:
        CommunicatorError: less than 16 MiB are free in ``/dev/shm``.
    """
    if not os.path.isdir(FOLDER):
        return
    free = shutil.disk_usage(FOLDER).free
    if free < REQUIRED:
        raise CommunicatorError(
            f"mpi: {FOLDER} on {socket.gethostname()} has {free / 2**20:.1f} MiB free; expected at "
            f"least {REQUIRED >> 20} MiB for MPI; delete the files of jobs that were killed, or "
            "enlarge it (docker run --shm-size=1g)"
        )
