"""Train one model on several processes; dezero-parallel is imported at first use."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dezero_parallel import Alone, World

__all__ = ["world"]


def world(engine: str = "auto", timeout: float | None = None, force: bool = False) -> World | Alone:
    """Return the processes of this job, or this process alone; see `dezero_parallel.world`.

    Args:
        engine: the name of the engine that connects the processes; ``"auto"`` (default) chooses the
            engine whose launcher started this process.
        timeout: the time in seconds for which a process waits for the others; by default the
            environment variable ``DEZERO_TIMEOUT``, or else 600.
        force: whether one process averages gradients too, to measure the cost (default False).

    Raises:
        CommunicatorError, ArgumentError, MissingPackage, PluginError, UnknownName: as for
            `dezero_parallel.world`.
    """
    from dezero_parallel import world as connect

    return connect(engine, timeout, force)
