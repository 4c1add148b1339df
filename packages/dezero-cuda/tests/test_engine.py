"""Test the NCCL engine on the stand-in for CuPy, where ranks are threads with a device each."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import cupy
import numpy as np
import pytest

from dezero_core.errors import ArgumentError, CaptureError, CommunicatorError, MissingPackage
from dezero_core.extend import CommunicatorSpec, get_communicator, hookimpl, plugins
from dezero_cuda import engine, nccl
from dezero_cuda.capture import WARM_UPS, capture
from dezero_cuda.engine import NcclCommunicator

DTYPES = ("float16", "float32", "float64", "int64")


@pytest.fixture(autouse=True)
def devices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_CUDA_DEVICES", "3")


class Control:
    """Connect threads of this process, as an engine for the host does."""

    def __init__(self, size: int) -> None:
        self.barrier, self.values = threading.Barrier(size, timeout=10), [None] * size

    def of(self, rank: int) -> Any:
        def gather(value: Any) -> list[Any]:
            self.values[rank] = value
            self.barrier.wait()
            values = list(self.values)
            self.barrier.wait()
            return values

        return SimpleNamespace(
            rank=rank,
            size=self.barrier.parties,
            gather=gather,
            broadcast=lambda value: gather(value)[0],
            start=lambda array: ("on the host", array),
            poll=lambda request: gather(request),
            wait=lambda request: gather(request),
            leave=gather,
            departed=lambda: (rank, 7),
            abort=lambda: gather("aborted"),
        )


def run_ranks(size: int, function: Callable[[NcclCommunicator], Any]) -> list[Any]:
    """Run a function on ``size`` ranks, which are threads; return the results."""
    control = Control(size)

    def run(rank: int) -> Any:
        with cupy.cuda.Device(0):
            return function(NcclCommunicator(control.of(rank)))

    with ThreadPoolExecutor(size) as pool:
        return [task.result() for task in [pool.submit(run, rank) for rank in range(size)]]


def on_device(x: Any) -> Any:
    return cupy.asarray(np.asarray(x))


def test_arrays_are_summed_on_a_second_stream_in_the_order_of_the_current_stream() -> None:
    def job(ranks: NcclCommunicator) -> Any:
        assert cupy.cuda.Device() == ranks.device
        arrays = [on_device(np.arange(3).astype(dtype)) + ranks.rank for dtype in DTYPES]
        arrays.append(on_device(np.zeros((0, 2))))
        requests = [ranks.start(x) for x in arrays]
        assert np.isnan(arrays[1].get()).all()  # no rank has called wait yet
        for request in requests:
            ranks.poll(request)
            ranks.wait(request)
        return [x.get().tolist() for x in arrays], ranks.device.id

    results = run_ranks(3, job)
    assert [device for _, device in results] == [0, 1, 2]
    assert [sums for sums, _ in results] == [[[3, 6, 9]] * 4 + [[]]] * 3


def test_the_stand_in_finds_a_sum_that_does_not_wait_for_the_kernels_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cupy.cuda.Stream, "wait_event", lambda self, event: None)
    with pytest.raises(AssertionError, match="does not wait for the kernels"):
        run_ranks(2, lambda ranks: ranks.start(on_device([1.0]) * 2))


def test_kernels_that_do_not_finish_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    class Event(cupy.cuda.Event):
        done = False

    def job(ranks: NcclCommunicator) -> None:
        monkeypatch.setattr(engine, "new_event", Event)
        assert ranks.departed() == ranks.departed() == (0, 7)
        monkeypatch.setenv("DEZERO_TIMEOUT", "0.01")
        time.sleep(0.02)
        with pytest.raises(CommunicatorError, match="GPU of rank 0 has not finished its kernels"):
            ranks.departed()
        monkeypatch.setattr(Event, "done", True)
        assert ranks.departed() == (0, 7)

    run_ranks(1, job)


def test_objects_and_arrays_on_the_host_use_the_other_engine() -> None:
    def job(ranks: NcclCommunicator) -> Any:
        host = np.ones(2)
        request = ranks.start(host)
        ranks.poll(request)
        ranks.wait(request)
        found = ranks.gather(ranks.rank), ranks.broadcast(ranks.rank + 5), request[1] is host
        ranks.leave(3)
        return found, ranks.departed()

    assert run_ranks(2, job) == [(([0, 1], 5, True), (rank, 7)) for rank in range(2)]


WRONG: dict[str, Any] = {
    "an object of type list": lambda: [1.0],
    "dtype complex64": lambda: cupy.zeros(2, "complex64"),
    r"strides \(16, 8\)": lambda: cupy.zeros((2, 4), "float32")[:, ::2],
    "an array on <CUDA Device 1>": lambda: on_second(),
}


def on_second() -> Any:
    with cupy.cuda.Device(1):
        return cupy.zeros(2)


@pytest.mark.parametrize("message", WRONG)
def test_what_nccl_cannot_sum_is_refused(message: str) -> None:
    def job(ranks: NcclCommunicator) -> None:
        with pytest.raises(ArgumentError, match=f"start: got {message}.*; expected a contiguous"):
            ranks.start(WRONG[message]())

    run_ranks(1, job)


def test_two_ranks_on_one_gpu_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_CUDA_DEVICES", "2")

    def refused(control: Any) -> None:
        with pytest.raises(CommunicatorError, match=r"ranks 0 and 2 both use GPU 0000:00:00.0 of"):
            NcclCommunicator(control)

    control = Control(3)
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(refused, map(control.of, range(3))))


def test_the_device_is_counted_on_the_own_host_only(monkeypatch: pytest.MonkeyPatch) -> None:
    hosts = ["a", "a", "b", "b"]
    monkeypatch.setattr(engine.socket, "gethostname", lambda: hosts[names.get()])
    names = SimpleNamespace(get=lambda: int(threading.current_thread().name))
    control, found = Control(4), {}

    def run(rank: int) -> None:
        found[rank] = engine.own_device(control.of(rank)).id

    threads = [threading.Thread(target=run, args=(k,), name=str(k)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {0: 0, 1: 1, 2: 0, 3: 1}


def test_an_abort_stops_nccl_and_is_seen_by_the_other_ranks() -> None:
    def job(ranks: NcclCommunicator) -> Any:
        assert ranks.departed() == (ranks.rank, 7)
        ranks.gather("before")
        if ranks.rank == 0:
            ranks._nccl.abort()
        ranks.gather("aborted" if ranks.rank else "")
        if ranks.rank == 1:
            with pytest.raises(CommunicatorError, match="NCCL reports NCCL_ERROR_REMOTE"):
                ranks.departed()
        ranks.abort()

    run_ranks(2, job)


def test_a_captured_step_contains_its_sums() -> None:
    def job(ranks: NcclCommunicator, make: Any) -> Any:
        total = cupy.zeros(2, "float32")

        def step(x: Any) -> Any:
            flat = x * (ranks.rank + 1)
            request = ranks.start(flat)
            square = x * x  # a kernel beside the sum
            ranks.wait(request)
            total[...] = total + flat
            return flat + square

        step, found = make(step), []
        for k in range(WARM_UPS + 3):
            ranks.gather(k)
            found.append(step(on_device(np.full(2, k, "f"))).get().tolist())
        return found, total.get().tolist()

    eager = run_ranks(2, lambda ranks: job(ranks, lambda step: step))
    assert run_ranks(2, lambda ranks: job(ranks, capture)) == eager
    assert eager[0] == eager[1] and eager[0][0][3] == [18.0, 18.0]


def test_a_sum_that_a_captured_step_does_not_wait_for_is_refused() -> None:
    def job(ranks: NcclCommunicator) -> None:
        step = capture(lambda x: [ranks.start(x * 2), x * 3][1])
        x = on_device(np.ones(2, "f"))
        for _ in range(WARM_UPS):
            step(x)
        with pytest.raises(CaptureError, match="wait for the sum in the step"):
            step(x)

    run_ranks(1, job)


def test_nccl4py_is_preferred_and_called_with_its_own_signatures(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls: list[Any] = []

    class Communicator:
        def allreduce(self, sendbuf: Any, recvbuf: Any, op: Any, *, stream: Any) -> None:
            calls.append((sendbuf, recvbuf, op, stream))

        def get_async_error(self) -> Any:
            return SimpleNamespace(name=calls.pop())

        def get_last_error(self) -> str:
            return "a cable"

        def abort(self) -> None: ...

        @staticmethod
        def init(nranks: int, rank: int, unique_id: Any) -> Any:
            calls.append((nranks, rank, unique_id))
            return Communicator()

    core = SimpleNamespace(
        Communicator=Communicator,
        UniqueId=SimpleNamespace(from_bytes=lambda content: f"id {content!r}"),
        get_unique_id=lambda: b"12",
        SUM="sum",
    )
    monkeypatch.setattr(nccl, "find_spec", lambda name: name)
    monkeypatch.setattr(nccl, "import_module", lambda name: core if name == "nccl.core" else 1 / 0)
    library = nccl.find_nccl()
    found = library(2, library.unique_id(), 1)
    array: Any = object()
    found.sum(array, 5)
    assert calls == [(2, 1, "id b'12'"), (array, array, "sum", 5)]
    for name, expected in (
        ("Success", ""),
        ("InProgress", ""),
        ("RemoteError", "RemoteError: a cable"),
    ):
        calls.append(name)
        assert found.error() == expected


def test_missing_nccl_is_reported_with_the_command_to_install_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cupy.cuda.nccl, "available", False)
    with pytest.raises(MissingPackage, match="NCCL is not installed: pip install 'nccl4py"):
        nccl.find_nccl()


def test_the_engine_of_the_launcher_is_used_for_control() -> None:
    control = Control(1).of(0)
    spec = CommunicatorSpec("single", lambda: 1, lambda: control)
    plugin = SimpleNamespace(DEZERO_API=1, dezero_communicators=hookimpl(lambda: [spec]))
    plugins.register(plugin, "single", "the tests")
    try:
        ranks = get_communicator("nccl")
    finally:
        plugins.unregister("single")
    assert isinstance(ranks, NcclCommunicator) and ranks.control is control
