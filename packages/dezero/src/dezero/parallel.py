"""Train one model on several processes; this needs dezero-parallel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dezero_core.errors import INSTALL_HINTS, MissingPackage

if TYPE_CHECKING:
    from dezero_parallel import Alone, World

__all__ = ["world"]


def world(engine: str = "auto", timeout: float | None = None, force: bool = False) -> World | Alone:
    """Return the processes of this job, or this process alone; see `dezero_parallel.world`.

    Args:
        engine: the name of the engine that connects the processes; ``"auto"`` (default) takes the
            engine whose launcher started this process.
        timeout: the time in seconds for which a process waits for the others (default 600).
        force: whether to average gradients even in one process, to measure the cost (default
            False).

    Raises:
        MissingPackage: dezero-parallel is not installed, or the package of the engine.
        CommunicatorError, ArgumentError, PluginError, UnknownName: as for `dezero_parallel.world`.
    """
    try:
        from dezero_parallel import world as connect
    except ImportError as error:
        raise MissingPackage(
            f"world: dezero-parallel is not installed. {INSTALL_HINTS['dezero-parallel']}"
        ) from error
    return connect(engine, timeout, force)
