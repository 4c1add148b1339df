"""Imitate streams, CUDA graphs and memory pools; record a captured call, and run it in replays.

While the current stream captures, a call that would launch kernels does not run: its new arrays
are filled with NaN (arrays of integers with 0), and the graph stores the function, the numbers in
its arguments, and the *addresses* of its arrays. A replay reads and writes these addresses. An
array that was freed, and is not in a memory pool that still exists, makes the replay fail. Calls
that CuPy refuses while it captures raise the exceptions that ``capture.json`` records
(tests/test_cupy_capture.py).
"""

from __future__ import annotations

import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from memory import array_at

READS = {"unique", "nonzero", "bincount", "flatnonzero", "argwhere", "tolist", "item"}
"""Functions and methods that copy to the host."""

CUBLAS = {"matmul", "tensordot", "einsum", "inner", "det", "slogdet", "vecdot", "kron"}
"""Functions that call cuBLAS, for arguments with more than one axis."""

IN_PLACE = {"fill", "sort", "put", "partition", "resize", "copyto", "itemset"}
"""Methods of arrays that write to the array, and functions that write to the first argument."""


class CUDARuntimeError(RuntimeError):
    """Report an error of the CUDA runtime.

    Attributes:
        status: the number of the error: 2 if the device is full, else 1.
    """

    def __init__(self, message: str, status: int = 1) -> None:
        super().__init__(message)
        self.status = status


class Held:
    """The address of an array in a recorded call; the array itself may be freed."""

    def __init__(self, x: Any) -> None:
        root = x
        while isinstance(root.base, np.ndarray):
            root = root.base
        self._root = weakref.ref(root)
        self._layout = x.ctypes.data, x.shape, x.strides, x.dtype

    def array(self) -> Any:
        if self._root() is None:
            raise CUDARuntimeError(
                "cudaErrorIllegalAddress: a replayed kernel uses an array that was freed"
            )
        address, shape, strides, dtype = self._layout
        return array_at(address, shape, [s // dtype.itemsize for s in strides], dtype)


def held(value: Any) -> Any:
    """Replace arrays by their addresses, also in lists and tuples."""
    if isinstance(value, np.ndarray):
        return Held(value)
    return type(value)(map(held, value)) if isinstance(value, list | tuple) else value


def arrays_of(value: Any) -> Any:
    """Replace addresses by arrays; the inverse of `held`."""
    if isinstance(value, Held):
        return value.array()
    return type(value)(map(arrays_of, value)) if isinstance(value, list | tuple) else value


class Graph:
    """A recorded sequence of calls."""

    def __init__(self) -> None:
        self._calls: list[tuple[Callable[..., Any], Any, dict[str, Any]]] = []

    def record(self, body: Callable[..., Any], values: Any, keywords: dict[str, Any]) -> None:
        held_keywords = {name: held(value) for name, value in keywords.items()}
        self._calls.append((body, [held(value) for value in values], held_keywords))

    def launch(self, stream: Any = None) -> None:
        from .array import _counts

        if recording() is not None:
            raise CUDARuntimeError("cudaErrorStreamCaptureUnsupported: a graph inside a graph")
        _counts["graphs"] += 1
        for body, values, keywords in self._calls:
            body(
                *[arrays_of(value) for value in values],
                **{name: arrays_of(value) for name, value in keywords.items()},
            )


class Stack(threading.local):
    """Hold the values of nested blocks per thread; ``first()`` is outside of all blocks."""

    def __init__(self, first: Callable[[], Any]) -> None:
        self.values = [first()]

    @property
    def top(self) -> Any:
        return self.values[-1]

    @contextmanager
    def pushed(self, value: Any) -> Iterator[None]:
        self.values.append(value)
        try:
            yield
        finally:
            self.values.pop()


class Stream:
    """Imitate a stream; ``ptr`` is its address, 0 for the default stream.

    Kernels run when they are launched. What `enqueue` adds, such as a sum over several devices,
    runs when another stream or the host waits for it. So a program that does not wait reads wrong
    values. Like a real stream, a stream that waits for an event of a stream that captures becomes
    part of the capture.

    Attributes:
        issued: the number of launches and enqueued calls.
        seen: the number of calls of each other stream that this stream waits for.
    """

    null: Stream

    def __init__(self, *, null: bool = False, non_blocking: bool = False) -> None:
        self.ptr = 0 if null else id(self)
        self._graph: Graph | None = None
        self._is_valid = True
        self._queue: list[Callable[[], None]] = []
        self._origin: Stream | None = None  # the stream whose capture this stream has joined
        self._forks: dict[Stream, int] = {}  # streams that joined, with the calls waited for
        self.issued, self.seen = 0, weakref.WeakKeyDictionary[Stream, int]()
        _streams[self.ptr] = self

    def __enter__(self) -> Stream:
        _current.values.append(self)
        return self

    def __exit__(self, *details: Any) -> None:
        _current.values.pop()

    def begin_capture(self, mode: Any = None) -> None:
        if self.ptr == 0 or self._graph is not None:
            raise CUDARuntimeError("cudaErrorStreamCaptureUnsupported: operation not permitted")
        self._graph, self._is_valid = Graph(), True

    def end_capture(self) -> Graph:
        graph, self._graph = self._graph, None
        if graph is None:
            raise CUDARuntimeError("cudaErrorIllegalState: the stream is not capturing")
        forks, self._forks = self._forks, {}
        for fork in forks:
            fork._graph = fork._origin = None
        if any(fork.issued > waited for fork, waited in forks.items()):
            raise CUDARuntimeError("cudaErrorStreamCaptureUnjoined: work of another stream")
        if not self._is_valid:
            raise CUDARuntimeError(
                "cudaErrorStreamCaptureInvalidated: operation failed due to a previous error "
                "during capture"
            )
        return graph

    def is_capturing(self) -> bool:
        return self._graph is not None

    def enqueue(self, body: Callable[[], None]) -> None:
        self.issued += 1
        self._queue.append(body)

    def run(self) -> None:
        """Run what is enqueued."""
        while self._queue:
            self._queue.pop(0)()

    def record(self, event: Event | None = None) -> Event:
        event = event or Event()
        event.record(self)
        return event

    def wait_event(self, event: Event) -> None:
        stream = event._stream
        if event._graph is not None and event._graph is not self._graph:
            if self._graph is not None:
                raise CUDARuntimeError("cudaErrorStreamCaptureIsolation: an uncaptured dependency")
            self._graph, self._origin = event._graph, stream._origin or stream
            self._origin._forks[self] = self.issued
        elif event._graph is not None:
            if stream in self._forks:
                self._forks[stream] = max(self._forks[stream], event._issued)
        else:
            stream.run()
        self.seen[stream] = max(self.seen.get(stream, 0), event._issued)

    def synchronize(self) -> None:
        if self._graph is not None:
            (self._origin or self)._is_valid = False
            raise CUDARuntimeError(
                "cudaErrorStreamCaptureUnsupported: operation not permitted when stream is "
                "capturing"
            )
        self.run()


class Event:
    """Mark a point in the work of a stream, which is done when all calls before it have run."""

    def __init__(self, block: bool = False, disable_timing: bool = False) -> None:
        self.record()

    def record(self, stream: Stream | None = None) -> None:
        self._stream = stream or get_current_stream()
        self._issued, self._graph = self._stream.issued, self._stream._graph

    @property
    def done(self) -> bool:
        self._require_uncaptured()
        return not self._stream._queue

    def synchronize(self) -> None:
        self._require_uncaptured()
        self._stream.run()

    def _require_uncaptured(self) -> None:
        if self._graph is not None:
            raise CUDARuntimeError("cudaErrorCapturedEvent: the event was recorded in a capture")


_streams: weakref.WeakValueDictionary[int, Stream] = weakref.WeakValueDictionary()
_current = Stack(lambda: Stream(null=True))  # as if each thread had a device of its own
Stream.null = _current.top


def get_current_stream() -> Stream:
    return _current.top


def stream_at(ptr: int) -> Stream:
    """Return the stream with an address."""
    return _streams[ptr]


def recording() -> Graph | None:
    """Return the graph that the current stream records, if it does."""
    return _current.top._graph


def launch(body: Callable[..., Any], *values: Any) -> None:
    """Run a function that only writes to its arguments, or record it."""
    graph = recording()
    _current.top.issued += 1
    if graph is None:
        body(*values)
    else:
        graph.record(body, values, {})


def compute(name: str, body: Callable[..., Any], values: Any, keywords: dict[str, Any]) -> Any:
    """Return ``body(*values, **keywords)``; while the stream captures, record the call."""
    graph = recording()
    _current.top.issued += 1
    if graph is None:
        result = body(*values, **keywords)
        allocated(result, values)
        return result
    require_capturable(name, values)
    if name in IN_PLACE or keywords.get("out") is not None:
        graph.record(body, values, keywords)
        return keywords.get("out")
    with np.errstate(all="ignore"):
        result = as_arrays(body(*values, **keywords))  # only the shapes are used
    new = allocated(result, values)
    if new:

        def refill(targets: list[Any], *values: Any, **keywords: Any) -> None:
            parts = leaves(as_arrays(body(*values, **keywords)))
            for number, target in zip(places, targets, strict=True):
                target[...] = parts[number]

        parts = leaves(result)
        places = [k for k, part in enumerate(parts) if any(part is x for x in new)]
        graph.record(refill, [[parts[k] for k in places], *values], keywords)
        for part in new:
            fill_with_nan(part)
    return result


def fill_with_nan(x: Any) -> None:
    """Fill an array that has no values yet with NaN, or with 0 if its dtype has no NaN."""
    x[...] = np.nan if x.dtype.kind in "fc" else 0


def as_arrays(value: Any) -> Any:
    """Convert NumPy's scalars to arrays, also in lists and tuples."""
    if isinstance(value, list | tuple):
        return (
            type(value)(map(as_arrays, value))
            if type(value) in (list, tuple)
            else (tuple(map(as_arrays, value)))
        )
    return np.asarray(value) if isinstance(value, np.generic) else value


def leaves(value: Any) -> list[Any]:
    """Return the arrays in nested lists and tuples."""
    if isinstance(value, list | tuple):
        return [leaf for part in value for leaf in leaves(part)]
    return [value] if isinstance(value, np.ndarray) else []


def allocated(result: Any, values: Any) -> list[Any]:
    """Return the arrays of a result that are new, and keep them in the current memory pool."""
    inputs = leaves(list(values))
    new = [x for x in leaves(result) if not any(np.may_share_memory(x, other) for other in inputs)]
    for x in new:
        keep(x)
    return new


def require_capturable(name: str, values: Any) -> None:
    """Raise what CuPy raises for functions that cannot be captured."""
    if name in READS:
        refuse_copy("D2H")
    axes = [x.ndim for x in leaves(list(values))]
    if name in CUBLAS and max(axes, default=0) > 1 and (name != "einsum" or len(axes) > 1):
        refuse_library("cuBLAS")


def refuse_copy(direction: str) -> None:
    """Refuse a copy from or to the host (``"H2D"`` or ``"D2H"``) while the stream captures."""
    if recording() is not None:
        raise RuntimeError(
            f"the current stream is capturing, so {direction} transfers are disallowed"
        )


def refuse_library(name: str) -> None:
    """Refuse a library of CUDA that CuPy does not call while the stream captures."""
    if recording() is not None:
        raise NotImplementedError(
            f"calling {name} API during stream capture is currently unsupported"
        )


class DeviceMemory:
    """Record which memory of the pretended device is in use; only pools allocate memory.

    Attributes:
        blocks: a list of arrays for each pool. A pool that is deleted does not free its blocks.
        limit: the size of the memory in bytes.
    """

    def __init__(self) -> None:
        self.blocks: list[list[Any]] = []
        self.limit = 1 << 62

    def used(self) -> int:
        return sum(x.nbytes for blocks in self.blocks for x in blocks)


memory = DeviceMemory()


class Memory:
    """Check that the device has memory; the arrays of the stand-in hold the memory itself."""

    def __init__(self, size: int) -> None:
        if memory.used() + size > memory.limit:
            raise CUDARuntimeError("cudaErrorMemoryAllocation: out of memory", status=2)


class MemoryPointer:
    """Hold the address of a part of the memory of the device, ``ptr``."""

    def __init__(self, mem: Any, offset: int) -> None:
        self.mem, self.ptr = mem, mem.ctypes.data if isinstance(mem, np.ndarray) else 0


class MemoryPool:
    """Keep all memory that was allocated from the pool, until its blocks are freed.

    As in CuPy, a pool frees its blocks if its allocator raises the error of a full device, and
    a pool that is deleted does not free them.
    """

    def __init__(self, allocator: Callable[[int], Any] = Memory) -> None:
        self._allocator, self._kept = allocator, list[Any]()
        memory.blocks.append(self._kept)

    def set_limit(self, size: int | None = None, fraction: float | None = None) -> None: ...

    def malloc(self, size: int) -> MemoryPointer:
        block = np.empty(size, np.uint8)
        self.keep(block)
        return MemoryPointer(block, 0)

    def keep(self, x: Any) -> None:
        try:
            self._allocator(x.nbytes)
        except CUDARuntimeError as error:
            if error.status != 2:
                raise
            self.free_all_blocks()
            try:
                self._allocator(x.nbytes)
            except CUDARuntimeError as full:
                raise MemoryError(f"Out of memory allocating {x.nbytes:,} bytes") from full
        self._kept.append(x)

    def used_bytes(self) -> int:
        return self.total_bytes()

    def total_bytes(self) -> int:
        return sum(x.nbytes for x in self._kept)

    def free_bytes(self) -> int:
        return 0

    def free_all_blocks(self) -> None:
        # the references of the list, the loop and the call, which depend on the version of Python
        (unused,) = [sys.getrefcount(x) for x in [object()]]
        self._kept[:] = [x for x in self._kept if sys.getrefcount(x) > unused]


_allocators = Stack(lambda: None)


def using_allocator(allocator: Any = None) -> Any:
    """Allocate from a pool inside the block; ``allocator`` is the method malloc of the pool."""
    return _allocators.pushed(allocator)


def keep(x: Any) -> None:
    """Let the current memory pool own the memory of a new array."""
    pool = getattr(_allocators.top, "__self__", None)
    if isinstance(pool, MemoryPool):
        while isinstance(x.base, np.ndarray):
            x = x.base
        pool.keep(x)
