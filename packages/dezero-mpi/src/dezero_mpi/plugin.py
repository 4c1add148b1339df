"""Register the engine ``mpi``."""

from __future__ import annotations

from dezero_core.extend import DEZERO_API, Communicator, CommunicatorSpec, hookimpl

from .environment import launched
from .shared_memory import require_shared_memory

__all__ = ["DEZERO_API", "dezero_communicators"]


def make_communicator() -> Communicator:
    """Return the communicator of this rank; this imports mpi4py, which starts MPI."""
    require_shared_memory()
    from .engine import MpiCommunicator

    return MpiCommunicator()


@hookimpl
def dezero_communicators() -> list[CommunicatorSpec]:
    """Return the engine ``mpi``, which sums NumPy arrays."""
    return [CommunicatorSpec("mpi", launched, make_communicator)]
