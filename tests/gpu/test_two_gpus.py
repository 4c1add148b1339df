"""Test the NCCL engine on real GPUs: `python -m pytest -m "gpu or gpu2" --noconftest tests/gpu`.

Each rank is a process. The tests with the marker gpu2 need two GPUs.
"""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
import time

import pytest

from dezero import cuda

GPUS = cuda.device_count() if cuda.is_available() else 0

needs_two = pytest.mark.skipif(GPUS < 2, reason=f"needs two GPUs, found {GPUS}")

START = """
import time
import cupy, numpy as np
from dezero_core.extend import get_communicator
from dezero_cuda import engine, nccl
engine.find_nccl = lambda: getattr(nccl, "{library}")
ranks = get_communicator("nccl")
rank = ranks.rank
"""

SUMS = """
for dtype in ("float16", "float32", "float64", "int64"):
    for size in (0, 1, 1000, 1 << 20):
        x = cupy.arange(size).astype(dtype) % 7 + rank
        request = ranks.start(x)
        ranks.poll(request)
        ranks.wait(request)
        expected = 2 * (np.arange(size).astype(dtype) % 7) + 1
        assert x.get().tolist() == expected.tolist(), (dtype, size)
x = np.full(3, rank + 1.0)
ranks.wait(ranks.start(x))
assert x.tolist() == [3, 3, 3] and ranks.gather(rank) == [0, 1] and ranks.left() is None
ranks.leave(1)
"""

CAPTURED = """
from dezero_cuda.capture import capture

def run(make):
    total = cupy.zeros(1000, "float32")

    def step(x):
        flat = x * (rank + 1)
        request = ranks.start(flat)
        square = x * x
        ranks.wait(request)
        total[...] = total + flat
        return flat + square

    step = make(step)
    found = [step(cupy.full(1000, k, "float32")).get() for k in range(20)]
    return np.stack([*found, total.get()])

assert np.array_equal(run(lambda step: step), run(capture))
ranks.leave(1)
"""

HANGS = """
x = cupy.ones(1000)
if rank == 1:
    time.sleep(60)
ranks.wait(ranks.start(x))
time.sleep(1)
ranks.abort()
"""


def run_ranks(program: str, library: str = "CupyNccl", **variables: str) -> list[tuple[int, str]]:
    """Run a program in two processes; return the exit status and the errors of each."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
    job = {
        "WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": port,
        "DEZERO_SECRET": secrets.token_hex(16),
    }
    started = [
        subprocess.Popen(
            [sys.executable, "-c", START.format(library=library) + program],
            env=os.environ | job | variables | {"RANK": str(rank)},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    try:
        errors = [process.communicate(timeout=120)[1] for process in started]
    finally:
        for process in started:
            process.kill()
    return [(process.returncode, text) for process, text in zip(started, errors, strict=True)]


@pytest.mark.parametrize("program", [SUMS, CAPTURED], ids=["sums", "captured"])
@pytest.mark.parametrize("library", ["Nccl4py", "CupyNccl"])
@pytest.mark.gpu2
@needs_two
def test_two_gpus_sum_arrays(program: str, library: str) -> None:
    if library == "Nccl4py":
        pytest.importorskip("nccl", reason="nccl4py is not installed")
    assert run_ranks(program, library) == [(0, ""), (0, "")]


@pytest.mark.gpu2
@needs_two
def test_an_abort_ends_a_rank_that_waits_for_a_sum() -> None:
    start = time.monotonic()
    assert [status for status, _ in run_ranks(HANGS)] == [1, 1]
    assert time.monotonic() - start < 50


@pytest.mark.gpu
@pytest.mark.skipif(GPUS < 1, reason="no GPU: `python -m dezero_cuda` says why")
def test_two_ranks_on_one_gpu_are_refused() -> None:
    for status, text in run_ranks("", CUDA_VISIBLE_DEVICES="0"):
        assert status == 1 and "ranks 0 and 1 both use GPU" in text
