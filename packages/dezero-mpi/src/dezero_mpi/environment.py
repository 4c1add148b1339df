"""Read from the environment how many processes a launcher started."""

from __future__ import annotations

import os

SIZES = ("OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "MV2_COMM_WORLD_SIZE", "SLURM_STEP_NUM_TASKS")
"""The variables in which Open MPI, MPICH and Intel MPI, MVAPICH, and Slurm write the ranks' number.

The first variable that is set counts, because an ``mpiexec`` may run inside a step of Slurm.
"""


def launched() -> int:
    """Return the number of ranks that MPI's launcher started, or 0 if no launcher did.

    ``srun`` counts as MPI's launcher only if it started more than one process, because a shell in a
    Slurm job is also started by ``srun``, as one process.
    """
    for name in SIZES:
        value = os.environ.get(name, "")
        if value.isdecimal():
            return int(value) if name != "SLURM_STEP_NUM_TASKS" or int(value) > 1 else 0
    return 0
