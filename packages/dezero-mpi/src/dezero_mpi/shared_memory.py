"""Check the free space in shared memory before MPI starts, and remove MPI's files from there."""

from __future__ import annotations

import os
import shutil
import socket
from contextlib import suppress
from pathlib import Path

from dezero_core.errors import CommunicatorError

FOLDER = "/dev/shm"
"""The folder of shared memory on Linux."""

REQUIRED = 16 << 20
"""Free bytes that MPI needs: Open MPI reserves 16 MiB; MPICH took 15.8 MB for three ranks."""

MPI_FILES = ("mpich_shm_", "sm_segment.", "vader_segment.")
"""The prefixes of the names of MPICH's and Open MPI's files in shared memory."""


def require_shared_memory() -> None:
    """Raise an error if shared memory has no space for MPI; MPICH would end by a bus error instead.

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
            "enlarge the folder (docker run --shm-size=1g)"
        )


def remove_files() -> None:
    """Delete the names of MPI's files that this process has mapped; the memory stays mapped.

    MPI removes the files at the end of a job, but the files of a killed job would stay. All ranks
    of this host must have mapped the files before the call.
    """
    with suppress(FileNotFoundError):  # only Linux has this file
        mapped = {line.split()[-1] for line in Path("/proc/self/maps").read_text().splitlines()}
        for path in filter(is_mpi_file, mapped):
            with suppress(FileNotFoundError):  # another rank of this host removed the file
                os.unlink(path)


def is_mpi_file(path: str) -> bool:
    """Return whether a path is one of MPI's files in shared memory."""
    return path.startswith(tuple(f"{FOLDER}/{name}" for name in MPI_FILES))
