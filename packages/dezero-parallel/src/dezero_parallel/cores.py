"""Split the cores of a host over its ranks."""

from __future__ import annotations

import os
from contextlib import suppress

from dezero_core.errors import MissingPackage
from dezero_nn import set_blas_threads, set_num_threads

from .collectives import Collectives

VARIABLES = ("DEZERO_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS")
"""Environment variables with which a user chooses the number of threads."""


def split_cores(collectives: Collectives) -> None:
    """Let each rank use its part of the cores that it shares with other ranks of its host.

    A launcher may bind each rank to cores of its own, which the rank then uses alone. If one of
    `VARIABLES` is set, the number of threads does not change.
    """
    mine = collectives.host, usable_cores()
    ranks = collectives.gather("world, cores", mine).count(mine)
    if not any(name in os.environ for name in VARIABLES):
        threads = max(1, len(mine[1]) // ranks)
        set_num_threads(threads)
        with suppress(MissingPackage):  # a BLAS other than OpenBLAS has variables of its own
            set_blas_threads(threads)


def usable_cores() -> list[int]:
    """Return the numbers of the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))
