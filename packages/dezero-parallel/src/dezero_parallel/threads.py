"""Connect ranks that are threads of one process, for tests and for teaching."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from contextvars import copy_context
from copy import deepcopy
from dataclasses import dataclass, field
from threading import Condition, Thread
from typing import Any, TypeVar

import numpy as np

from dezero_core.errors import ArgumentError, CommunicatorError
from dezero_core.extend import generator
from dezero_core.state import own_streams, use_rank

R = TypeVar("R")

DTYPES = ("float16", "float32", "float64", "int64")
"""The dtypes of the arrays that can be summed."""


@dataclass
class Call:
    """One call that all ranks make: its name, and what each rank passed."""

    name: str
    values: dict[int, Any] = field(default_factory=dict)
    taken: int = 0


class Job:
    """Hold what the ranks have passed to each other.

    Attributes:
        calls: the calls that not all ranks have finished, by number.
        left: the ranks that called `leave`, with their steps.
        ended: why a rank no longer takes part, by rank.
        changed: locked for every access, and notified after every change.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.calls: dict[int, Call] = {}
        self.left: dict[int, int] = {}
        self.ended: dict[int, str] = {}
        self.changed = Condition()

    def end(self, rank: int, reason: str) -> None:
        """Record that a rank no longer takes part; ranks that wait for it raise an error."""
        with self.changed:
            self.ended.setdefault(rank, reason)
            self.changed.notify_all()


class ThreadCommunicator:
    """Connect this thread to the threads of the other ranks.

    The class implements `dezero_core.extend.Communicator`, whose docstrings explain the methods.
    Objects are pickled, so that no rank sees a later change by another, as between processes.
    """

    def __init__(self, job: Job, rank: int) -> None:
        self._job, self.rank, self.size = job, rank, job.size
        self._count = 0

    def _pass(self, name: str, value: Any) -> int:
        """Pass a value to the other ranks; return the number of the call.

        Raises:
            CommunicatorError: another rank has called another method.
        """
        job = self._job
        self._count += 1
        with job.changed:
            call = job.calls.setdefault(self._count, Call(name))
            if call.name != name:
                others = ", ".join(map(str, call.values))
                raise CommunicatorError(
                    f"threads: rank {self.rank} called {name} where rank {others} called "
                    f"{call.name}; expected the same calls in the same order on all ranks"
                )
            call.values[self.rank] = value
            job.changed.notify_all()
        return self._count

    def _take(self, number: int) -> list[Any]:
        """Wait for the values of all ranks; return them in the order of the ranks."""
        job = self._job
        with job.changed:
            call = job.calls[number]
            self._wait_for(lambda: call.values.keys(), call.name)
            call.taken += 1
            if call.taken == self.size:
                del job.calls[number]
            return [call.values[rank] for rank in range(self.size)]

    def _wait_for(self, present: Callable[[], Any], name: str) -> None:
        """Wait until all ranks are present.

        Raises:
            CommunicatorError: a rank that is not present failed, returned or left.
        """
        job = self._job
        while missing := [rank for rank in range(self.size) if rank not in present()]:
            for rank in [each for each in missing if each in job.ended]:
                raise CommunicatorError(
                    f"threads: rank {self.rank} waits in {name} for rank {rank}, which "
                    f"{job.ended[rank]}"
                )
            job.changed.wait()

    def gather(self, value: object) -> list[Any]:
        return [
            pickle.loads(each) for each in self._take(self._pass("gather", pickle.dumps(value)))
        ]

    def broadcast(self, value: object) -> Any:
        sent = pickle.dumps(value) if self.rank == 0 else None
        return pickle.loads(self._take(self._pass("broadcast", sent))[0])

    def start(self, array: Any) -> tuple[int, Any]:
        if not isinstance(array, np.ndarray) or array.dtype.name not in DTYPES:
            raise ArgumentError(
                f"threads: the sum over ranks of {type(array).__name__} of dtype "
                f"{getattr(array, 'dtype', None)}; expected a NumPy array of {', '.join(DTYPES)}"
            )
        if not (array.flags.forc and array.flags.writeable):
            raise ArgumentError(
                f"threads: the sum over ranks of an array with strides {array.strides}, writeable: "
                f"{array.flags.writeable}; expected a contiguous array to write to; copy the array"
            )
        return self._pass("start", array.copy()), array

    def poll(self, request: tuple[int, Any]) -> None:
        pass  # the sum is computed in `wait`

    def wait(self, request: tuple[int, Any]) -> None:
        number, array = request
        values = self._take(number)
        if len({(x.shape, x.dtype) for x in values}) > 1:
            found = ", ".join(f"{x.dtype} of shape {x.shape}" for x in values)
            raise CommunicatorError(
                f"threads: the ranks sum different arrays ({found}); expected one shape and dtype"
            )
        with np.errstate(all="ignore"):  # NaN and infinity are sums like others
            array[...] = sum(values[1:], values[0])

    def leave(self, step: int) -> None:
        job = self._job
        with job.changed:
            job.left[self.rank] = step
            job.ended.setdefault(self.rank, f"left after step {step}")
            job.changed.notify_all()
            self._wait_for(lambda: job.left, "leave")

    def departed(self) -> tuple[int, int] | None:
        with self._job.changed:
            found = [(rank, step) for rank, step in self._job.left.items() if rank != self.rank]
        return found[0] if found else None

    def abort(self) -> None:
        for rank in range(self.size):
            self._job.end(rank, f"was ended by rank {self.rank}")


def run_ranks(
    size: int, function: Callable[[ThreadCommunicator], R], return_errors: bool = False
) -> list[R]:
    """Run a function on several ranks, each a thread of this process; return the results by rank.

    Each rank runs in a copy of the caller's context, with random generators of its own, which begin
    like those of the caller. If a rank fails, the ranks that wait for it fail too.

    Args:
        size: the number of ranks.
        function: a function of a communicator.
        return_errors: put the exceptions of ranks into the list, rather than raising the first
            (default False).

    Raises:
        ArgumentError: ``size`` is below 1.
        Exception: the exception of the rank that failed first, with a note that names the rank.
    """
    if size < 1:
        raise ArgumentError(f"run_ranks: size is {size}; expected 1 or more ranks")
    job, results, errors = Job(size), [None] * size, dict[int, BaseException]()
    bits = generator().bit_generator

    def run(rank: int) -> None:
        own_streams(np.random.Generator(deepcopy(bits)))
        use_rank(rank)
        try:
            results[rank] = function(ThreadCommunicator(job, rank))  # type: ignore[call-overload]
        except BaseException as error:
            errors[rank] = error
            error.add_note(f"on rank {rank} of {size}")
            job.end(rank, f"raised {type(error).__name__}: {error}")
        else:
            job.end(rank, "has returned")

    threads = [Thread(target=copy_context().run, args=(run, rank)) for rank in range(size)]
    for thread in threads:
        thread.start()
    try:
        for thread in threads:
            thread.join()
    except BaseException:  # Ctrl-C in the main thread
        ThreadCommunicator(job, 0).abort()
        raise
    if errors and not return_errors:
        raise next(iter(errors.values()))  # in the order in which the ranks failed
    return [errors.get(rank, results[rank]) for rank in range(size)]  # type: ignore[misc]
