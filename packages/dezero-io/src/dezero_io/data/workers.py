"""Load batches in forked worker processes, which return arrays through shared memory.

Worker w of n loads every nth batch, beginning with batch w. A worker loads the next batch when the
main process asks for it; the main process asks for `AHEAD` batches of each worker in advance, and
takes the batches in order:

    main process  --- "load one more" ----------------------> worker
                  <-- structure of the batch, file handle ---
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import tempfile
import traceback
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from math import prod
from mmap import mmap
from multiprocessing.connection import Connection
from multiprocessing.reduction import recv_handle, send_handle
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .collation import map_arrays, map_leaves

AHEAD = 2
"""Batches that each worker loads in advance. With 1, a worker would wait while the main process
takes its batch; more batches need more memory."""

ALIGNMENT = 64
"""Bytes to which each array in the shared memory is aligned: the size of a cache line."""


@dataclass(frozen=True)
class Place:
    """Describe an array in the shared memory of a batch; ``start`` is its first byte."""

    start: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any]


@dataclass(frozen=True)
class Message:
    """Describe a batch that a worker loaded, or the error that it raised.

    Attributes:
        batch: the batch with a `Place` instead of each array; None after an error.
        size: the bytes of shared memory that hold the arrays.
        error: the pickled exception, or None if it cannot be pickled or there is none.
        traceback: the traceback of the exception; empty if there is none.
    """

    batch: Any
    size: int = 0
    error: bytes | None = None
    traceback: str = ""


class Workers:
    """Run worker processes that load the batches of one pass.

    Args:
        load: returns the batch of an iteration; it runs in the workers.
        examples: returns the indices of the examples in a batch, for error messages.
        iterations: the numbers of the batches to load, in order.
        count: the number of processes.
    """

    def __init__(
        self,
        load: Callable[[int], Any],
        examples: Callable[[int], NDArray[Any]],
        iterations: Sequence[int],
        count: int,
    ) -> None:
        self._examples, self._iterations = examples, iterations
        self._taken = 0
        self._ends: list[Connection] = []
        self._processes: list[Any] = []
        context = multiprocessing.get_context("fork")
        for number in range(min(count, len(iterations))):
            here, there = context.Pipe()
            self._ends.append(here)
            process = context.Process(
                target=run_worker,
                args=(load, iterations[number::count], there, self._ends),
                daemon=True,
                name=f"DataLoader worker {number}",
            )
            with warnings.catch_warnings():  # Python 3.12 warns if the program has threads
                warnings.simplefilter("ignore", DeprecationWarning)
                process.start()
            there.close()
            self._processes.append(process)
            for _ in range(AHEAD):
                here.send(True)

    def take(self) -> Any:
        """Return the next batch; if the worker raised an error, raise the error here.

        Raises:
            RuntimeError: the worker process ended, or its error cannot be pickled.
        """
        number = self._taken % len(self._ends)
        end = self._ends[number]
        try:
            message = end.recv()
            batch = message.batch if message.size == 0 else place_arrays(end, message)
        except (EOFError, OSError) as error:
            raise RuntimeError(self._ended(number)) from error
        if message.traceback:
            raise error_of(message, number)
        self._taken += 1
        with suppress(OSError):  # the worker has loaded its last batch and ended
            end.send(True)
        return batch

    def _ended(self, number: int) -> str:
        """Return the message for a worker that ended before it sent its batch."""
        process = self._processes[number]
        process.join(1)  # wait a second: the worker has closed its end of the pipe, and is ending
        code = process.exitcode or 0
        reason = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with {code}"
        iteration = self._iterations[self._taken]
        examples = ", ".join(map(str, self._examples(iteration)[:4]))
        return (
            f"DataLoader: worker {number} of {len(self._processes)} {reason} before it sent batch "
            f"{iteration} (examples {examples}, ...); if memory is short, give fewer workers or a "
            "smaller batch_size; num_workers=0 loads in this process"
        )

    def stop(self) -> None:
        """End all processes, and wait until they have ended."""
        for end in self._ends:
            end.close()
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            process.join()


def run_worker(
    load: Callable[[int], Any], iterations: Sequence[int], there: Connection, ends: list[Connection]
) -> None:
    """Load batches as long as the main process asks for them; this runs in a worker process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the main process ends the workers
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    for end in ends:  # otherwise this process would not see that the main process ended
        end.close()
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):
        for iteration in iterations:
            there.recv()
            try:
                batch = load(iteration)
                message, file = in_shared_memory(batch)
                content = pickle.dumps(message)
            except Exception as error:
                there.send(failure_message(error))
                return
            there.send_bytes(content)
            if file is not None:
                with file:
                    send_handle(there, file.fileno(), os.getppid())


def in_shared_memory(batch: Any) -> tuple[Message, Any]:
    """Copy the arrays of a batch to an anonymous file in memory; return a message and the file."""
    arrays: list[NDArray[Any]] = []
    places: list[Place] = []

    def place(x: NDArray[Any]) -> Place:
        last = places[-1].start + arrays[-1].nbytes if places else 0
        arrays.append(np.ascontiguousarray(x))
        places.append(Place(-(-last // ALIGNMENT) * ALIGNMENT, x.shape, x.dtype))
        return places[-1]

    structure = map_arrays(place, batch)
    size = places[-1].start + arrays[-1].nbytes if places else 0
    if size == 0:
        return Message(batch), None
    file = memory_file()
    for array, place_of in zip(arrays, places, strict=True):
        file.seek(place_of.start)
        file.write(array.reshape(-1).view(np.uint8))
    file.flush()
    return Message(structure, size), file


def memory_file() -> Any:
    """Return a new file without a name, in memory if the platform has such files."""
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("dezero"), "w+b", buffering=0)
    return tempfile.TemporaryFile(buffering=0)


def place_arrays(end: Connection, message: Message) -> Any:
    """Return the batch of a message, with arrays in the shared memory that the worker filled."""
    handle = recv_handle(end)
    try:
        memory = mmap(handle, message.size)
    finally:
        os.close(handle)

    def array(x: Any) -> Any:
        if not isinstance(x, Place):
            return x
        if 0 in x.shape:
            return np.empty(x.shape, x.dtype)
        return np.frombuffer(memory, x.dtype, prod(x.shape), x.start).reshape(x.shape)

    return map_leaves(array, message.batch)


def failure_message(error: Exception) -> Message:
    """Return the message for an exception in a worker."""
    text = "".join(traceback.format_exception(error))
    try:
        content = pickle.dumps(error)
        pickle.loads(content)
    except Exception:
        return Message(None, error=None, traceback=text)
    return Message(None, error=content, traceback=text)


def error_of(message: Message, number: int) -> Exception:
    """Return the exception of a worker, with the worker's traceback as a note."""
    if message.error is None:
        return RuntimeError(f"DataLoader: worker {number} raised an error:\n{message.traceback}")
    error: Exception = pickle.loads(message.error)
    error.add_note(f"DataLoader: raised in worker {number}:\n{message.traceback}")
    return error
