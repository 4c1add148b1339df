"""Check an engine of parallel training: every rank runs the same table of checks.

``mpiexec -n 3 python -m dezero_testing communicator mpi`` checks an engine under its launcher. Each
check first makes all its calls and then compares the results. So if a check fails on one rank, all
ranks have made the same calls.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import partial
from threading import Thread
from typing import Any

import numpy as np

from dezero_core.errors import ArgumentError
from dezero_core.extend import Communicator, get_backend

DTYPES = ("float16", "float32", "float64", "int64")
SIZES = (0, 1, 2, 1000, 300_000)
"""The numbers of elements of the sums; 300,000 exceed 1 MiB in every dtype but float16."""

DELAY = 0.1
"""The time in seconds by which one rank is late on purpose."""


class Engine:
    """A communicator, and functions that move arrays to and from its array library."""

    def __init__(self, communicator: Communicator, backend: str) -> None:
        self.communicator, self.rank, self.size = communicator, communicator.rank, communicator.size
        self.library = get_backend(backend)

    def array(self, values: Any, dtype: str = "float64") -> Any:
        """Return a contiguous array of the engine's library."""
        return self.library.from_numpy(np.array(values, dtype))

    def sum(self, array: Any) -> Any:
        """Sum an array over the ranks; return it as a NumPy array."""
        self.communicator.wait(self.communicator.start(array))
        return self.library.to_numpy(array)


@dataclass(frozen=True)
class CommunicatorCheck:
    """Describe a test that every engine must pass.

    Attributes:
        name: the name of the test.
        run: a function that raises `AssertionError` if the engine fails.
    """

    name: str
    run: Callable[[Engine], None]


@dataclass(frozen=True)
class CommunicatorResult:
    """The result of a check on one rank.

    Attributes:
        name: the name of the check.
        error: what is wrong; empty if the engine passed.
    """

    name: str
    error: str = ""


def ranks(engine: Engine) -> None:
    """Compare the numbers of the ranks."""
    found = engine.communicator.gather((engine.rank, engine.size))
    assert found == [(rank, engine.size) for rank in range(engine.size)], found


def gathers(engine: Engine) -> None:
    """Gather objects of a different length from each rank."""
    mine = {"rank": engine.rank, "data": np.arange(engine.rank), "text": "x" * engine.rank}
    found = engine.communicator.gather(mine)
    assert [len(x["data"]) for x in found] == [*range(engine.size)], found
    assert [x["text"] for x in found] == ["x" * rank for rank in range(engine.size)], found


def broadcasts(engine: Engine) -> None:
    """Broadcast three objects from rank 0."""
    found = [engine.communicator.broadcast((engine.rank, k, None)) for k in range(3)]
    assert found == [(0, k, None) for k in range(3)], found


def large_objects(engine: Engine) -> None:
    """Gather and broadcast objects of 3 MiB."""
    sent = [bytes([rank]) * (3 << 20) for rank in range(engine.size)]
    found = engine.communicator.gather(sent[engine.rank])
    first = engine.communicator.broadcast(sent[engine.rank])
    is_equal = found == sent and first == sent[0]
    assert is_equal, f"an object of {3 << 20} bytes arrived with {[len(x) for x in found]} bytes"


def sums(engine: Engine, dtype: str, size: int) -> None:
    """Sum numbers that are exact in their dtype, but not in a narrower one."""
    large = {"float64": 2.0**40, "int64": 2**40}.get(dtype, 0)  # not exact in float32
    values = np.arange(size) % 13 + large
    of_ranks = [(values + rank).astype(dtype) for rank in range(engine.size)]
    expected = np.sum(of_ranks, axis=0).astype(dtype)
    found = engine.sum(engine.array(values + engine.rank, dtype))
    is_equal = found.dtype == dtype and np.array_equal(found, expected)
    assert is_equal, f"{found} is not {expected}"


def part_of_a_buffer(engine: Engine) -> None:
    """Sum rows of a buffer in place."""
    buffer = engine.array(np.ones((6, 2)))
    engine.communicator.wait(engine.communicator.start(buffer[2:4]))
    found = engine.library.to_numpy(buffer)
    assert found[2:4].tolist() == [[engine.size] * 2] * 2, f"not in place: {found}"
    assert np.all(found[[0, 1, 4, 5]] == 1), f"written beside the array: {found}"


def several_requests(engine: Engine) -> None:
    """Wait for open requests in the reverse order, after another call."""
    arrays = [engine.array(np.full(k + 1, 10.0**k), DTYPES[k % 3 + 1]) for k in range(6)]
    requests = [engine.communicator.start(array) for array in arrays]
    gathered = engine.communicator.gather(engine.rank)
    for request in requests:
        engine.communicator.poll(request)
    for request in reversed(requests):
        engine.communicator.wait(request)
    found = [engine.library.to_numpy(array).tolist() for array in arrays]
    assert gathered == [*range(engine.size)], gathered
    assert found == [[engine.size * 10.0**k] * (k + 1) for k in range(6)], found


def many_sums(engine: Engine) -> None:
    """Sum fifty different numbers, one after the other."""
    found = [float(engine.sum(engine.array([k + engine.rank]))[0]) for k in range(50)]
    added = sum(range(engine.size))
    assert found == [engine.size * k + added for k in range(50)], found


def polls(engine: Engine) -> None:
    """Poll a request that the other ranks have not started."""
    found = []
    for _ in range(5):  # another process may delay this one
        if engine.rank:
            time.sleep(DELAY)
        array = engine.array([1.0])
        request = engine.communicator.start(array)
        start = time.perf_counter()
        engine.communicator.poll(request)
        is_quick = time.perf_counter() - start < DELAY / 2
        engine.communicator.wait(request)
        found.append(engine.library.to_numpy(array).tolist())
        if engine.communicator.broadcast(is_quick):
            break
    assert all(each == [engine.size] for each in found), found
    assert engine.rank or is_quick, "poll waits for the other ranks"


def special_values(engine: Engine) -> None:
    """Sum NaN and infinity."""
    for dtype in DTYPES[:3]:
        special = [np.nan, np.inf, -np.inf, np.inf, 1.0]
        mine = special if engine.rank == 0 else [1.0, 1.0, 1.0, -np.inf, 1.0]
        found = engine.sum(engine.array(mine, dtype))
        last = np.inf if engine.size == 1 else np.nan
        expected = [np.nan, np.inf, -np.inf, last, engine.size]
        assert np.array_equal(found, expected, equal_nan=True), found


def equal_bits(engine: Engine) -> None:
    """Sum numbers whose rounded sum depends on the order of the ranks."""
    values = np.random.default_rng(engine.rank).normal(size=1000)
    found = engine.communicator.gather(engine.sum(engine.array(values, "float32")).tobytes())
    is_equal = all(each == found[0] for each in found)
    assert is_equal, "the ranks got different bits"


def refused(engine: Engine) -> None:
    """Pass arrays that `start` must refuse, then sum another array."""
    wrong = {
        "strides": engine.array(np.ones((4, 4)))[:, ::2],
        "booleans": engine.library.from_numpy(np.array([True, False])),
        "a list": [1.0, 2.0],
    }
    accepted = []
    for name, array in wrong.items():
        try:
            engine.communicator.wait(engine.communicator.start(array))
        except ArgumentError:
            continue
        accepted.append(name)
    found = float(engine.sum(engine.array([1.0]))[0])
    assert not accepted, f"start raised no ArgumentError for {', '.join(accepted)}"
    assert found == engine.size, f"the sum after a refused one is {found}"


def departed_beside_a_call(engine: Engine) -> None:
    """Call `departed` in another thread while this rank waits."""
    found: list[Any] = []
    thread = Thread(target=lambda: found.append(engine.communicator.departed()))
    if engine.rank == 0:
        time.sleep(DELAY)
    else:
        thread.start()
    engine.communicator.gather(None)
    if engine.rank:
        thread.join()
    engine.communicator.gather(None)  # no rank leaves before all have called `departed`
    assert found == [None] * (engine.rank > 0), f"departed() is {found} before any rank has left"


def leaves(engine: Engine) -> None:
    """Leave the job; no other check can run afterwards."""
    start = time.perf_counter()
    engine.communicator.gather(None)  # so that rank 0 sleeps after every rank has read the clock
    if engine.rank == 0:
        time.sleep(DELAY)
    engine.communicator.leave(10 + engine.rank)
    seconds = time.perf_counter() - start
    found = [engine.communicator.departed() for _ in range(2)]
    others: list[Any] = [(rank, 10 + rank) for rank in range(engine.size) if rank != engine.rank]
    assert all(each in (others or [None]) for each in found), f"departed() is {found}"
    assert engine.size == 1 or seconds > DELAY / 2, "leave does not wait for the other ranks"


def communicator_checks() -> Iterator[CommunicatorCheck]:
    """Yield the checks of engines, in the order in which they run."""
    yield CommunicatorCheck("rank and size", ranks)
    yield CommunicatorCheck("gather", gathers)
    yield CommunicatorCheck("broadcast", broadcasts)
    yield CommunicatorCheck("objects of 3 MiB", large_objects)
    for dtype in DTYPES:
        for size in SIZES:
            yield CommunicatorCheck(f"sum of {size} {dtype}", partial(sums, dtype=dtype, size=size))
    yield CommunicatorCheck("sum of a part of a buffer", part_of_a_buffer)
    yield CommunicatorCheck("several requests", several_requests)
    yield CommunicatorCheck("many sums", many_sums)
    yield CommunicatorCheck("poll", polls)
    yield CommunicatorCheck("NaN and infinity", special_values)
    yield CommunicatorCheck("equal bits on all ranks", equal_bits)
    yield CommunicatorCheck("refused arrays", refused)
    yield CommunicatorCheck("departed before any leave", departed_beside_a_call)
    yield CommunicatorCheck("leave and departed", leaves)


def check_communicator(
    communicator: Communicator, backend: str = "numpy", names: Collection[str] = ()
) -> list[CommunicatorResult]:
    """Run the checks on this rank, and leave the job; all ranks call this function together.

    Any exception but `AssertionError` ends the checks, because the ranks may then be out of step.

    Args:
        communicator: the engine.
        backend: the name of the backend whose arrays the engine sums (default ``"numpy"``).
        names: the names of the checks to run (default all).

    Returns:
        the results of this rank, which may differ from those of other ranks.
    """
    engine, results = Engine(communicator, backend), list[CommunicatorResult]()
    for check in communicator_checks():
        if names and check.name not in names:
            continue
        try:
            check.run(engine)
        except AssertionError as error:
            results.append(CommunicatorResult(check.name, str(error) or "the check failed"))
        except Exception as error:
            results.append(CommunicatorResult(check.name, f"{type(error).__name__}: {error}"))
            break
        else:
            results.append(CommunicatorResult(check.name))
    return results


def report(results: list[CommunicatorResult], rank: int, size: int) -> str:
    """Return the report of one rank: on rank 0 a line for each check, elsewhere the failures."""
    shown = [x for x in results if x.error or rank == 0]
    lines = [f"[rank {rank} of {size}] {x.name}: {x.error or 'passed'}" for x in shown]
    return "".join(f"{line}\n" for line in lines)
