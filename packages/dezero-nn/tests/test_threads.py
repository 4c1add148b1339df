"""Threads of kernels: what they compute, what they leave as it was, and who may be there too."""

import multiprocessing
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from dezero_core import Parameter
from dezero_core.errors import ArgumentError
from dezero_nn import conv2d, get_num_threads, set_num_threads, threads

DRAW = np.random.default_rng(0)
X = DRAW.standard_normal((6, 16, 20, 20), np.float32)
W = DRAW.standard_normal((24, 16, 3, 3), np.float32)


@pytest.fixture(autouse=True)
def as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(threads, "ALONE", 0)
    monkeypatch.setattr(threads, "LEAST_WORK", 0)
    yield
    threads._chosen = None


def results() -> list[Any]:
    x, w = Parameter(X), Parameter(W)
    y = conv2d(x, w, pad=1)
    (y * y).sum().backward()
    assert x.grad is not None and w.grad is not None
    return [y.data, x.grad.data, w.grad.data]


@pytest.mark.parametrize("count", [2, 3, 8])
def test_any_number_of_threads_computes_the_same(count: int) -> None:
    set_num_threads(1)
    alone = results()
    set_num_threads(count)
    assert get_num_threads() == count
    shared, again = results(), results()
    for a, b, c in zip(alone, shared, again, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-3)
        assert b.tobytes() == c.tobytes(), "results for one number of threads are the same"


def test_blas_is_told_one_thread_meanwhile_and_what_it_had_afterwards() -> None:
    functions = threads.blas()
    if functions is None:
        pytest.skip("NumPy's BLAS is not OpenBLAS")
    get, tell = functions
    before = get()
    set_num_threads(2)
    try:
        tell(2)
        assert threads.in_parts(4, 1e9, lambda part: get()) == [1, 1]
        assert get() == 2
        with pytest.raises(ZeroDivisionError):
            threads.in_parts(4, 1e9, lambda part: 1 // part.start)
        assert get() == 2, "also after an error"
        set_num_threads(1)
        assert threads.in_parts(4, 1e9, lambda part: get()) == [2], "left alone"
    finally:
        tell(before)


def test_all_parts_are_done_when_one_fails() -> None:
    set_num_threads(3)
    done = []

    def job(part: slice) -> None:
        if part.start == 0:
            raise ValueError("the first")
        done.append(part.start)

    with pytest.raises(ValueError, match="the first"):
        threads.in_parts(3, 1e9, job)
    assert sorted(done) == [1, 2]


def test_programs_with_threads_of_their_own() -> None:
    set_num_threads(2)
    alone = results()
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(lambda _: results(), range(12)):
            for a, b in zip(alone, found, strict=True):
                np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-3)


def in_a_child(queue: Any) -> None:
    queue.put(float(results()[0].sum()))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_programs_that_fork() -> None:
    set_num_threads(2)
    alone = float(results()[0].sum())
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=in_a_child, args=(queue,))
    child.start()
    assert abs(queue.get(timeout=60) - alone) < 1e-2 * abs(alone)
    child.join(60)
    assert child.exitcode == 0


def test_bad_numbers_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ArgumentError, match="set_num_threads: 0 is less than 1"):
        set_num_threads(0)
    monkeypatch.setenv("DEZERO_NUM_THREADS", "many")
    with pytest.raises(ArgumentError, match="DEZERO_NUM_THREADS is 'many', not a number from 1"):
        get_num_threads()


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({}, "True"),
        ({"DEZERO_KEEP_MEMORY": "0"}, "False"),
        ({"MALLOC_TRIM_THRESHOLD_": "1000"}, "False"),
    ],
)
def test_the_allocator_is_told_unless_somebody_else_decides(
    given: dict[str, str], kept: str
) -> None:
    if "glibc" not in str(os.confstr("CS_GNU_LIBC_VERSION") if hasattr(os, "confstr") else ""):
        pytest.skip("the C library is not glibc")
    code = "from dezero_nn.kernels.memory import keep_freed_memory as k; print(k())"
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **given}, capture_output=True, text=True
    )
    assert done.stdout.strip() == kept, done.stderr


def test_workers_know_the_settings_of_the_caller() -> None:
    set_num_threads(2)

    def handling(part: slice) -> str:
        return np.geterr()["invalid"]

    with np.errstate(invalid="ignore"):
        assert threads.in_parts(2, 1e9, handling) == ["ignore", "ignore"]
    with np.errstate(invalid="raise"):
        assert threads.in_parts(2, 1e9, handling) == ["raise", "raise"]
