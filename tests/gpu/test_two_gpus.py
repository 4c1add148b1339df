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
from dezero_cuda.capture import capture
engine.find_nccl = lambda: getattr(nccl, "{library}")
"""

SUMS = """
ranks = get_communicator("nccl")
rank, size = ranks.rank, ranks.size
for dtype in ("float16", "float32", "float64", "int64"):
    for length in (0, 1, 1000, 1 << 20):
        host = (np.arange(length) % 7).astype(dtype)
        x = cupy.asarray(host) + rank
        request = ranks.start(x)
        ranks.poll(request)
        ranks.wait(request)
        expected = size * host + size * (size - 1) // 2
        assert x.get().tolist() == expected.tolist(), (dtype, length)
x = np.full(3, rank + 1.0)
ranks.wait(ranks.start(x))
assert x.tolist() == [size * (size + 1) / 2] * 3
assert ranks.gather(rank) == list(range(size)) and ranks.departed() is None
ranks.leave(1)
"""

CAPTURED = """
ranks = get_communicator("nccl")

def run(make):
    total = cupy.zeros(1000, "float32")

    def step(x):
        flat = x * (ranks.rank + 1)
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

TRAINS = """
import dezero, dezero.functions as F
from dezero import DataLoader, Variable
from dezero.layers import Linear
from dezero.models import Sequential
from dezero_parallel import Alone, world
ranks = world(engine="nccl", force=True)
data = list(zip(np.random.default_rng(0).normal(size=(61, 5)), np.arange(61) % 4))

def train(world, make, **settings):
    dezero.seed(0)
    kinds = dict(in_size=5, dtype="float64"), dict(in_size=7, dtype="float64")
    model = Sequential(Linear(7, **kinds[0]), F.sigmoid, Linear(4, **kinds[1])).to_gpu()
    optimizer = world.parallel(dezero.optimizers.Adam().setup(model), **settings)
    loader = world.share(DataLoader(data, 12, generator=np.random.default_rng(0)))

    def step(x, t):
        loss = F.softmax_cross_entropy(model(x), t)
        model.cleargrads()
        loss.backward()
        optimizer.update()
        return loss

    step = make(step)
    for _ in range(6):
        for x, t in loader:
            step(cupy.asarray(x), cupy.asarray(t))
    return np.concatenate([p.data.get().ravel() for p in model.params()])

alone = train(Alone(), lambda step: step)
eager = train(ranks, lambda step: step, bucket_bytes=200)
assert abs(eager - alone).max() < 1e-13
assert np.array_equal(eager, train(ranks, capture, bucket_bytes=200))
assert np.array_equal(eager, train(ranks, capture, bucket_bytes=200, overlap=True))
assert all(np.array_equal(eager, other) for other in ranks.collectives.gather("test", eager))
"""

HANGS = """
ranks = get_communicator("nccl")
x = cupy.ones(1000)
if ranks.rank == 1:
    time.sleep(60)
ranks.wait(ranks.start(x))
time.sleep(1)
ranks.abort()
"""

REFUSED = 'get_communicator("nccl")'


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


@pytest.mark.parametrize("program", [SUMS, CAPTURED, TRAINS], ids=["sums", "captured", "trains"])
@pytest.mark.parametrize("library", ["Nccl4py", "CupyNccl"])
@pytest.mark.gpu2
@needs_two
def test_two_gpus_sum_arrays(program: str, library: str) -> None:
    if library == "Nccl4py":
        pytest.importorskip("nccl", reason="nccl4py is not installed")
    found = run_ranks(program, library)
    assert [status for status, _ in found] == [0, 0], found


@pytest.mark.gpu2
@needs_two
def test_an_abort_ends_a_rank_that_waits_for_a_sum() -> None:
    start = time.monotonic()
    assert [status for status, _ in run_ranks(HANGS)] == [1, 1]
    assert time.monotonic() - start < 50


@pytest.mark.gpu
@pytest.mark.skipif(GPUS < 1, reason="no GPU: `python -m dezero_cuda` says why")
def test_two_ranks_on_one_gpu_are_refused() -> None:
    for status, text in run_ranks(REFUSED, CUDA_VISIBLE_DEVICES="0"):
        assert status == 1 and "ranks 0 and 1 both use GPU" in text
