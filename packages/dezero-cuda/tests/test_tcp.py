"""Test the engine that connects ranks by TCP, with ranks that are threads or processes."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from queue import SimpleQueue
from typing import Any

import cupy
import numpy as np
import pytest

from dezero_core.errors import ArgumentError, CommunicatorError
from dezero_cuda import tcp
from dezero_cuda.engine import NcclCommunicator
from dezero_cuda.tcp import TcpCommunicator, announced_ranks, settings

SECRET = b"secret of the job"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def run_ranks(size: int, function: Callable[[TcpCommunicator], Any]) -> list[Any]:
    """Run a function on ``size`` ranks, which are threads; return the results."""
    port = free_port()

    def run(rank: int) -> Any:
        ranks = TcpCommunicator(rank, size, "127.0.0.1", port, SECRET)
        result = function(ranks)
        ranks.leave(rank)
        return result, ranks.departed()

    with ThreadPoolExecutor(size) as pool:
        results = list(pool.map(run, range(size)))
    for rank, (_, left) in enumerate(results):
        assert left is not None and left[0] == left[1] != rank
    return [result for result, _ in results]


def test_objects_and_sums_reach_all_ranks() -> None:
    def job(ranks: TcpCommunicator) -> Any:
        rank = ranks.rank
        found = ranks.gather({"rank": rank}), ranks.broadcast(f"of {rank}")
        arrays = [np.full(3, rank + 1, dtype) for dtype in ("f2", "f4", "f8", "i8")]
        large = np.full(200_000, 0.1 * rank)
        requests = [ranks.start(x) for x in (*arrays, large)]
        for request in requests:
            ranks.poll(request)
            ranks.wait(request)
        with pytest.raises(ArgumentError, match="expected a contiguous NumPy array"):
            ranks.start(np.zeros((2, 4))[:, ::2])
        with pytest.raises(ArgumentError, match="dtype complex64"):
            ranks.start(np.zeros(1, "complex64"))
        return found, [x.tolist() for x in arrays], large.sum()

    results = run_ranks(3, job)
    assert results == [results[0]] * 3
    (gathered, sent), arrays, total = results[0]
    assert gathered == [{"rank": 0}, {"rank": 1}, {"rank": 2}] and sent == "of 0"
    assert arrays == [[6, 6, 6]] * 4 and total == pytest.approx(60_000)


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["tcp", "nccl"])
def test_the_kit_of_engines_passes(engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    kit = pytest.importorskip("dezero_testing.communicators", reason="the kit is dezero-testing's")
    monkeypatch.setenv("FAKE_CUDA_DEVICES", "3")
    port = free_port()

    def run(rank: int) -> Any:
        with cupy.cuda.Device(0):
            ranks: Any = TcpCommunicator(rank, 3, "127.0.0.1", port, SECRET)
            if engine == "tcp":
                return kit.check_communicator(ranks)
            return kit.check_communicator(NcclCommunicator(ranks), "cuda")

    with ThreadPoolExecutor(3) as pool:
        for results in pool.map(run, range(3)):
            assert not [result for result in results if result.error]


def test_nothing_from_a_stranger_is_unpickled_and_the_ranks_connect_all_the_same() -> None:
    port = free_port()

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(TcpCommunicator, 0, 2, "127.0.0.1", port, SECRET)
        connections = []
        while not connections:
            try:
                for _ in range(3):
                    stream = socket.create_connection(("127.0.0.1", port))
                    connections.append(Connection(stream.detach()))
            except ConnectionRefusedError:
                continue
        silent, large, reflecting = connections
        large.send_bytes(b"v" * 10_000)
        hello = reflecting.recv_bytes()
        reflecting.send_bytes(hello)
        reflecting.send_bytes(reflecting.recv_bytes())  # rank 0's own digest proves nothing
        for refused in (large, reflecting):
            with pytest.raises((EOFError, ConnectionResetError)):
                while True:
                    refused.recv_bytes()
        second = TcpCommunicator(1, 2, "127.0.0.1", port, SECRET)
        found = pool.submit(first.result().gather, "a")
        assert second.gather("b") == found.result() == ["a", "b"]
        silent.close()
        leaving = pool.submit(first.result().leave, 0)
        second.leave(0)
        leaving.result()


def test_ranks_that_do_not_come_are_named_and_another_secret_is_refused() -> None:
    with pytest.raises(CommunicatorError, match=r"rank 0 of 3 .* ranks \[1, 2\] did not connect"):
        TcpCommunicator(0, 3, "127.0.0.1", free_port(), SECRET, limit=0.1)
    port = free_port()
    with pytest.raises(CommunicatorError, match=r"rank 1 of 3 .*not all ranks connected"):
        TcpCommunicator(1, 3, "127.0.0.1", port, SECRET, limit=0.1)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(TcpCommunicator, 0, 2, "127.0.0.1", port, SECRET, limit=0.5)
        for size, secret in ((2, b"another"), (3, SECRET)):
            with pytest.raises(CommunicatorError, match="DEZERO_SECRET"):
                TcpCommunicator(1, size, "127.0.0.1", port, secret, limit=5)
        with pytest.raises(CommunicatorError, match=r"ranks \[1\] did not connect"):
            first.result()


TORCHRUN = {"RANK": "1", "WORLD_SIZE": "4", "MASTER_ADDR": "host", "MASTER_PORT": "29500"}
AGENT = {"TORCHELASTIC_USE_AGENT_STORE": "True"}  # recorded from PyTorch 2.13
OWN = {"DEZERO_MASTER": "other:7"}


@pytest.mark.parametrize(
    ("more", "address"),
    [
        ({}, ("host", 29500)),
        (AGENT, ("host", 29501)),
        (OWN, ("other", 7)),
        (OWN | AGENT | {"MASTER_ADDR": ""}, ("other", 7)),
    ],
)
def test_the_variables_of_torchrun_describe_the_job(
    more: Any, address: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (*TORCHRUN, *AGENT, *OWN):
        monkeypatch.delenv(name, raising=False)
    assert announced_ranks() == 0
    environment = TORCHRUN | more
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert announced_ranks() == 4
    with pytest.raises(CommunicatorError, match=r"DEZERO_SECRET not set.*openssl rand"):
        settings(environment)
    assert settings(environment | {"DEZERO_SECRET": "x"}) == (1, 4, *address, b"x")


def test_a_wrong_number_is_named() -> None:
    environment = TORCHRUN | {"DEZERO_SECRET": "x"}
    for name, text in {"RANK": "one", "MASTER_PORT": "", "DEZERO_MASTER": "host"}.items():
        with pytest.raises(CommunicatorError, match=r"MASTER_PORT not set|is '(one|host)'; expect"):
            settings(environment | {name: text})


RANK = """
import sys, time
from dezero_cuda.tcp import TcpCommunicator
rank, port, role = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
ranks = TcpCommunicator(rank, 3, "127.0.0.1", port, b"secret")
ranks.gather(rank)
if rank == 1 and role == "dies":
    import os; os._exit(9)
if rank == 1 and role == "aborts":
    ranks.abort()
if rank == 2:
    ranks.gather("waits for rank 1")
time.sleep(90)
"""


def test_a_lost_connection_ends_the_process(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    ended: SimpleQueue[int] = SimpleQueue()

    def end(status: int) -> None:
        ended.put(status)
        threading.Event().wait()  # forever, because the process should have ended

    monkeypatch.setattr(tcp.os, "_exit", end)
    port = free_port()
    with ThreadPoolExecutor(2) as pool:
        ranks = list(pool.map(lambda k: TcpCommunicator(k, 2, "127.0.0.1", port, SECRET), (0, 1)))
    with socket.socket(fileno=os.dup(ranks[1]._others[0].fileno())) as stream:
        stream.shutdown(socket.SHUT_RDWR)
    assert [ended.get(timeout=10) for _ in ranks] == [1, 1]
    said = capfd.readouterr().err
    assert "[rank 0 of 2] lost the connection to rank 1; ends all ranks\n" in said


@pytest.mark.slow
@pytest.mark.parametrize("role", ["dies", "aborts"])
def test_a_rank_that_dies_or_aborts_ends_all_ranks(role: str) -> None:
    port = str(free_port())
    started = [
        subprocess.Popen(
            [sys.executable, "-c", RANK, str(rank), port, role], stderr=subprocess.PIPE, text=True
        )
        for rank in range(3)
    ]
    errors = [process.communicate(timeout=60)[1] for process in started]
    assert [process.returncode for process in started] == [1, 9 if role == "dies" else 1, 1]
    assert role == "aborts" or "[rank 0 of 3] lost the connection to rank 1" in errors[0]
    assert "[rank 2 of 3] ends, because rank 1 has ended all ranks" in errors[2]
