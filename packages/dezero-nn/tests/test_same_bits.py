"""A repeated call returns equal bits, whatever other threads of the program compute."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from threading import Event, Thread
from time import perf_counter
from typing import Any

import numpy as np
import pytest

from dezero_core import Parameter, no_grad
from dezero_core.functions import matmul
from dezero_nn import (
    average_pooling,
    batch_norm,
    blas,
    conv2d,
    deconv2d,
    gru,
    linear,
    lstm,
    parallel,
    pooling,
    set_num_threads,
)

Call = Callable[[], list[bytes]]


def normalized(x: Any, gamma: Any, beta: Any) -> Any:
    size = x.shape[1]
    return batch_norm(x, gamma, beta, np.zeros(size, x.dtype), np.ones(size, x.dtype))


OPS: dict[str, tuple[Callable[..., Any], tuple[tuple[int, ...], ...]]] = {
    "linear": (linear, ((60, 130), (130, 70), (70,))),
    "linear of sequences": (linear, ((4, 20, 100), (100, 70), (70,))),
    "matmul of a stack": (matmul, ((2, 3, 50, 40), (2, 3, 40, 60))),
    "matmul of a matrix and a vector": (matmul, ((33, 20000), (20000,))),
    "dot": (matmul, ((20000,), (20000,))),
    "lstm": (lstm, ((3, 20, 40), (256, 40), (256, 64), (256,), (20, 64), (20, 64))),
    "gru": (gru, ((3, 20, 40), (192, 40), (192, 64), (192,), (192,), (20, 64))),
    "conv2d, Winograd": (lambda x, W: conv2d(x, W, pad=1), ((6, 16, 20, 20), (24, 16, 3, 3))),
    "conv2d, columns": (lambda x, W: conv2d(x, W, stride=2), ((6, 8, 20, 20), (12, 8, 5, 5))),
    "conv2d of one image": (lambda x, W: conv2d(x, W, pad=1), ((1, 16, 30, 30), (24, 16, 3, 3))),
    "conv2d of groups": (lambda x, W: conv2d(x, W, groups=4), ((5, 8, 16, 16), (12, 2, 3, 3))),
    "deconv2d": (lambda x, W: deconv2d(x, W, stride=2), ((5, 12, 9, 9), (12, 8, 3, 3))),
    "pooling": (lambda x: pooling(x, 3, 2, 1), ((6, 8, 20, 20),)),
    "average_pooling": (lambda x: average_pooling(x, 3, 2, 1), ((6, 8, 20, 20),)),
    "batch_norm": (normalized, ((6, 16, 20, 20), (16,), (16,))),
    "batch_norm of one channel": (normalized, ((1, 1, 130, 130), (1,), (1,))),
}


def call_of(op: Callable[..., Any], shapes: tuple[tuple[int, ...], ...], dtype: str) -> Call:
    """Return a function that runs forward and backward once and returns the bits of everything."""
    draw = np.random.default_rng(0)
    arrays = [draw.standard_normal(shape).astype(dtype) for shape in shapes]

    def call() -> list[bytes]:
        inputs = [Parameter(x) for x in arrays]
        outputs = op(*inputs)
        outputs = outputs if isinstance(outputs, tuple) else (outputs,)
        sum(((y * y).sum() for y in outputs), start=0.0).backward()
        return [x.tobytes() for x in (*(y.data for y in outputs), *(p.grad.data for p in inputs))]

    return call


@contextmanager
def others_convolve(count: int) -> Iterator[None]:
    """Run convolutions in other threads until the block ends; they must have started before it."""
    draw, stop = np.random.default_rng(1), Event()
    x, W = draw.standard_normal((4, 8, 30, 30)).astype("f"), draw.standard_normal((8, 8, 3, 3))
    started = [Event() for _ in range(count)]

    def convolve(begun: Event) -> None:
        with no_grad():
            while not stop.is_set():
                conv2d(x, W.astype("f"), pad=1)
                begun.set()

    crowd = [Thread(target=convolve, args=(begun,)) for begun in started]
    for thread in crowd:
        thread.start()
    try:
        assert all(begun.wait(30) for begun in started)
        yield
    finally:
        stop.set()
        for thread in crowd:
            thread.join()


@pytest.fixture(autouse=True)
def two_threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """BLAS and DeZero have two threads, small arrays are split, and no worker has started."""
    monkeypatch.setattr(parallel, "MIN_PART_WORK", 1e5)
    monkeypatch.setattr(parallel, "_workers", [])
    functions = blas.thread_functions()
    before = functions[0]() if functions else 1
    if functions:
        functions[1](2)
    set_num_threads(2)
    yield
    parallel._chosen = None
    if functions:
        functions[1](before)


def in_a_thread(job: Callable[[], set[str]]) -> set[str]:
    """Return what a job returns that runs in a thread which has not split work before."""
    found: list[set[str]] = []
    thread = Thread(target=lambda: found.append(job()))
    thread.start()
    thread.join()
    (names,) = found
    return names


def different(calls: dict[str, Call], first: dict[str, list[bytes]], seconds: float) -> set[str]:
    """Return the names of the calls whose bits differ from the first ones, at least once."""
    found, end, rounds = set(), perf_counter() + seconds, 0
    while perf_counter() < end or rounds < 3:
        found |= {name for name, call in calls.items() if call() != first[name]}
        rounds += 1
    return found


def benchmark_shapes() -> list[Any]:
    """Return the shapes of benchmarks/convolutions.py."""
    path = Path(__file__).parents[3] / "benchmarks" / "convolutions.py"
    spec = spec_from_file_location("convolutions", path)
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return list(module.GRID)


@pytest.mark.parametrize("shape", benchmark_shapes(), ids=str)
def test_a_convolution_has_the_same_bits_with_and_without_a_graph(shape: Any) -> None:
    draw, (N, C, H, W, OC, K, *settings) = np.random.default_rng(0).standard_normal, shape
    x, weight, b = (
        draw(size, "f") for size in ((N, C, H, W), (OC, C // shape.groups, K, K), (OC,))
    )
    expected = conv2d(Parameter(x), Parameter(weight), Parameter(b), *settings).data
    for _ in range(2):  # the second call finds transformed filters in the cache
        with no_grad():
            assert np.array_equal(conv2d(x, weight, b, *settings).data, expected)


MATMULS = "linear", "linear of sequences", "matmul of a stack", "dot", "lstm", "gru"


@pytest.mark.parametrize("dtype", ["float32", pytest.param("float64", marks=pytest.mark.slow)])
@pytest.mark.parametrize("names", [MATMULS, OPS], ids=["matmuls only", "all"])
def test_bits_are_the_same_while_other_threads_convolve(names: Any, dtype: str) -> None:
    calls = {name: call_of(*OPS[name], dtype) for name in names}

    def job() -> set[str]:
        for call in calls.values():  # the first calls decide whether this thread splits work
            call()
        first = {name: call() for name, call in calls.items()}  # no other thread computes
        with others_convolve(2):
            return different(calls, first, 0.3)

    assert in_a_thread(job) == set()


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_bits_are_the_same_again_and_again(dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the sizes from which work is split, and without."""
    for part_work in (1e5, 1e7):
        monkeypatch.setattr(parallel, "MIN_PART_WORK", part_work)
        calls = {name: call_of(op, shapes, dtype) for name, (op, shapes) in OPS.items()}
        for call in calls.values():
            call()
        first = {name: call() for name, call in calls.items()}
        with others_convolve(3):
            assert different(calls, first, 20) == set()
