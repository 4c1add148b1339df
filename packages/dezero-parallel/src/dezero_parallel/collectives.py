"""Define `Collectives`, the calls that all ranks of a job make together (collective operations)."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar
from weakref import WeakSet

from dezero_core import Function
from dezero_core.errors import CommunicatorError, DezeroError, GraphError
from dezero_core.extend import Communicator
from dezero_core.state import require_no_recording

T = TypeVar("T")

NOT_REPLAYED = "call it outside of the step, because a replay would not call the other ranks"
"""The advice if a step that is recorded makes a collective call."""


class Collectives:
    """Make collective calls, and record where this rank waits, so that a `Watcher` can report it.

    Args:
        communicator: the engine that connects this rank to the others.

    Attributes:
        rank, size: the number of this rank, from 0, and the number of ranks.
        host: the name of this rank's computer.
        step: the number of updates that this rank has finished.
        place: what this rank waits for, or an empty string while it computes.
        since: when this rank began to wait or to compute, in seconds of `time.monotonic`.
        sends_gradients: whether `backward` may have started sums that `update` has not completed.
        sums_in_graphs: the calls of `AllSum` in graphs that still exist.
    """

    def __init__(self, communicator: Communicator) -> None:
        self.communicator = communicator
        self.rank, self.size = communicator.rank, communicator.size
        self.host, self.step, self._process = socket.gethostname(), 0, os.getpid()
        self.place, self.since = "", time.monotonic()
        self.sends_gradients, self.sums_in_graphs = False, WeakSet[Function]()

    def __str__(self) -> str:
        return f"rank {self.rank} of {self.size} on {self.host}, step {self.step}"

    def is_forked(self) -> bool:
        """Return whether this process was forked from the rank's process."""
        return os.getpid() != self._process

    @contextmanager
    def waiting_at(self, place: str) -> Iterator[None]:
        """Record that this rank waits at ``place`` during a with block.

        Raises:
            CommunicatorError: this process was forked from the rank's process.
        """
        if self.is_forked():
            raise CommunicatorError(
                f"{place}: called in process {os.getpid()}, which was forked from {self}; expected "
                "the rank's own process, not a worker; move the call out of the forked function"
            )
        self.place, self.since = place, time.monotonic()
        try:
            yield
        finally:
            self.place, self.since = "", time.monotonic()

    def require_no_open_sums(self, place: str) -> None:
        """Check that no gradients are being sent, because each rank sends them at its own time.

        All ranks must call the engine in the same order. The error is also raised if `backward` has
        not started a sum, so that a program does not depend on the sizes of its gradients.

        Raises:
            CommunicatorError: an optimizer with ``overlap=True`` is between backward and update.
        """
        if self.sends_gradients:
            raise CommunicatorError(
                f"{place}: called between backward() and update() of an optimizer with "
                f"overlap=True, on {self}; call it after update(), or write overlap=False"
            )

    def can_sum_in_backward(self) -> bool:
        """Return whether a backward pass can still sum gradients by `AllSum`."""
        return any(is_in_use(function) for function in self.sums_in_graphs)

    def gather(self, place: str, value: object) -> list[Any]:
        """Return the values that all ranks pass, in the order of the ranks.

        Raises:
            CommunicatorError: another rank waits at another place, or gradients are being sent.
            CaptureError: a step is recorded.
        """
        self.require_no_open_sums(place)
        require_no_recording(place, NOT_REPLAYED)
        with self.waiting_at(place):
            pairs = self.communicator.gather((place, value))
        for rank, (other, _) in enumerate(pairs):
            self._require_place(rank, other, place)
        return [value for _, value in pairs]

    def broadcast(self, place: str, value: T) -> T:
        """Return the value of rank 0.

        Raises:
            CommunicatorError: rank 0 waits at another place, or gradients are being sent.
            CaptureError: a step is recorded.
        """
        self.require_no_open_sums(place)
        require_no_recording(place, NOT_REPLAYED)
        with self.waiting_at(place):
            other, found = self.communicator.broadcast((place, value if not self.rank else None))
        self._require_place(0, other, place)
        return found

    def wait(self, place: str, *requests: Any) -> None:
        """Wait until the arrays of the requests hold their sums over the ranks."""
        with self.waiting_at(place):
            for request in requests:
                self.communicator.wait(request)

    def _require_place(self, rank: int, other: str, place: str) -> None:
        if other != place:
            raise CommunicatorError(
                f"{self}: waits at: {place}; rank {rank} waits at: {other}; expected the same "
                "calls in the same order on all ranks; do not make them depend on the rank"
            )

    def run_together(self, place: str, function: Callable[[], T]) -> T:
        """Call ``function`` on this rank; if it fails on any rank, raise its error on all ranks.

        Raises:
            DezeroError, OSError: the first failure in the order of the ranks, in its own class.
        """
        result, error = None, None
        try:
            result = function()
        except (DezeroError, OSError) as failure:
            error = failure
        mine = None if error is None else (type(error), str(error), self.host)
        for rank, failed in enumerate(self.gather(place, mine)):
            if failed is not None:
                error_type, text, host = failed
                raise error_type(f"{place}: rank {rank} on {host}: {text}") from error
        return result  # type: ignore[return-value]  # no error, so the function has returned


def is_in_use(function: Function) -> bool:
    """Return whether a backward pass can still go through a call, whose inputs it has not freed."""
    try:
        return bool(function.inputs)
    except GraphError:
        return False
