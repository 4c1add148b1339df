"""Test `parallel_for`, the thread count of BLAS, and programs with threads or forks."""

import multiprocessing
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter, sleep
from typing import Any

import numpy as np
import pytest

from dezero_core import Parameter
from dezero_core.backends import registry
from dezero_core.errors import ArgumentError, MissingPackage
from dezero_core.extend import ArrayBackend, BackendSpec, backend_of, get_backend, plugins
from dezero_core.state import named_params
from dezero_nn import (
    Linear,
    blas,
    conv2d,
    get_num_threads,
    parallel,
    set_blas_threads,
    set_num_threads,
    sigmoid,
)
from dezero_nn.kernels import filters

DRAW = np.random.default_rng(0)
X = DRAW.standard_normal((6, 16, 20, 20), np.float32)
W = DRAW.standard_normal((24, 16, 3, 3), np.float32)


@pytest.fixture(autouse=True)
def as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(parallel, "MIN_PARALLEL_WORK", 0)
    monkeypatch.setattr(parallel, "MIN_PART_WORK", 1)
    yield
    parallel._chosen = None


def results() -> list[Any]:
    x, w = Parameter(X), Parameter(W)
    y = conv2d(x, w, pad=1)
    (y * y).sum().backward()
    assert x.grad is not None and w.grad is not None
    return [y.data, x.grad.data, w.grad.data]


@pytest.mark.parametrize("count", [2, 3, 8])
def test_the_thread_count_does_not_change_results(count: int) -> None:
    set_num_threads(1)
    alone = results()
    set_num_threads(count)
    assert get_num_threads() == count
    shared, again = results(), results()
    for a, b, c in zip(alone, shared, again, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-3)
        assert b.tobytes() == c.tobytes(), "results for one number of threads are the same"


def test_blas_has_one_thread_meanwhile_and_its_own_count_afterwards() -> None:
    functions = blas.thread_functions()
    if functions is None:
        pytest.skip("NumPy's BLAS is not OpenBLAS")
    get, tell = functions
    before = get()
    set_num_threads(2)
    try:
        tell(2)
        assert parallel.parallel_for(4, 1e9, lambda part: get()) == [1, 1]
        assert get() == 2
        with pytest.raises(ZeroDivisionError):
            parallel.parallel_for(4, 1e9, lambda part: 1 // part.start)
        assert get() == 2, "also after an error"
        set_num_threads(1)
        assert parallel.parallel_for(4, 1e9, lambda part: get()) == [2], "left alone"
    finally:
        tell(before)


def test_all_parts_finish_when_one_fails() -> None:
    set_num_threads(3)
    done = []

    def job(part: slice) -> None:
        if part.start == 0:
            raise ValueError("the first")
        done.append(part.start)

    with pytest.raises(ValueError, match="the first"):
        parallel.parallel_for(3, 1e9, job)
    assert sorted(done) == [1, 2]


def test_convolutions_in_threads_of_the_program() -> None:
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
def test_convolutions_in_a_forked_child() -> None:
    set_num_threads(2)
    alone = float(results()[0].sum())
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=in_a_child, args=(queue,))
    child.start()
    assert abs(queue.get(timeout=60) - alone) < 1e-2 * abs(alone)
    child.join(60)
    assert child.exitcode == 0


AFTER_A_FORK = """
import os, numpy as np
from threading import Thread
from dezero_core import Variable
from dezero_nn import parallel
parallel.set_num_threads(2)
job = lambda part: (part.start, part.stop)
wanted = parallel.parallel_for(4, 1e9, job)
go_on = True

def write():  # gradients, under the engine's lock
    while go_on:
        x = Variable(np.ones(2)); (x * 2).backward()

writers = [Thread(target=write) for _ in range(3)]
[thread.start() for thread in writers]
ended = []
for _ in range(20):
    if (child := os.fork()) == 0:
        x = Variable(np.ones(2)); (x * 3).backward()
        os._exit(bool(parallel._workers) or parallel.parallel_for(4, 1e9, job) != wanted)
    ended.append(os.waitpid(child, 0)[1])
go_on = False
print(any(ended), parallel.parallel_for(4, 1e9, job) == wanted)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_child_makes_its_own_threads_and_locks() -> None:
    command = [sys.executable, "-W", "ignore", "-c", AFTER_A_FORK]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20)
    assert done.stdout == "False True\n", done.stderr


IN_A_CALL = """
import os, numpy as np
from dezero_nn import blas, lstm, parallel
before = parallel.get_num_threads()
shapes = (2, 3, 4), (8, 4), (8, 2), (8,), (3, 2), (3, 2)
with blas.BLAS_THREADS.using(single=True):
    if (child := os.fork()) == 0:
        lstm(*[np.ones(shape, "f") for shape in shapes])
        same = parallel.get_num_threads() == before == blas.thread_functions()[0]()
        os._exit(0 if same and parallel.parallel_for(4, 1e9, lambda part: 1) else 1)
    print(parallel.get_num_threads() == before, os.waitpid(child, 0)[1])
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_child_does_not_wait_for_calls_of_its_parent() -> None:
    command = [sys.executable, "-W", "ignore", "-c", IN_A_CALL]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.stdout == "True 0\n", done.stderr


def test_set_blas_threads_waits_for_running_calls_and_sets_both_counts() -> None:
    functions = blas.thread_functions()
    if functions is None:
        pytest.skip("NumPy's BLAS is not OpenBLAS")
    before = functions[0]()
    try:
        with ThreadPoolExecutor() as pool, blas.BLAS_THREADS.using(single=True):
            setting = pool.submit(set_blas_threads, 3)
            with pytest.raises(TimeoutError):
                setting.result(timeout=0.01)
            assert functions[0]() == 1, "the running call has one thread"
        setting.result()
        assert functions[0]() == get_num_threads() == 3
        for wrong, reason in ((0, "below 1"), (2.0, "integer"), (10**6, "at most .* threads")):
            with pytest.raises(ArgumentError, match=f"set_blas_threads: n .*{reason}"):
                set_blas_threads(wrong)
        assert functions[0]() == 3, "after an error"
    finally:
        functions[1](before)


def test_set_blas_threads_names_a_blas_that_it_cannot_set(monkeypatch: Any) -> None:
    monkeypatch.setattr(blas, "thread_functions", lambda: None)
    with pytest.raises(MissingPackage, match="this NumPy uses the BLAS '.+', whose thread count"):
        set_blas_threads(1)


def test_concurrent_calls_agree_on_the_thread_count() -> None:
    """Calls that need one BLAS thread never overlap with those that need more, and all finish."""
    functions = blas.thread_functions()
    if functions is None:
        pytest.skip("NumPy's BLAS is not OpenBLAS")
    get, tell = functions
    before, seen = get(), {True: set(), False: set()}
    tell(2)
    set_num_threads(2)

    def call(single: bool) -> None:
        with blas.BLAS_THREADS.using(single):
            seen[single].add(get())
            sleep(1e-4)
            seen[single].add(get())
            assert get_num_threads() == 2

    try:
        run_together(*[lambda: call(True)] * 3, *[lambda: call(False)] * 2, seconds=0.2)
        assert seen == {True: {1}, False: {2}}
        assert get() == 2
    finally:
        tell(before)


@pytest.fixture
def switching() -> Iterator[None]:
    """Make Python switch threads as often as possible."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def run_together(*jobs: Any, seconds: float = 0.4) -> None:
    """Run each job at least once in a thread of its own, then repeatedly; raise the first error."""
    end = perf_counter() + seconds

    def repeat(job: Any) -> None:
        job()  # on a busy machine the thread may start late
        while perf_counter() < end:
            job()

    with ThreadPoolExecutor(len(jobs)) as pool:
        for done in [pool.submit(repeat, job) for job in jobs]:
            done.result()


@pytest.mark.usefixtures("switching")
def test_the_filter_cache_is_safe_in_several_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each thread gets the filters that it asked for, while others add and remove some."""
    monkeypatch.setattr(filters, "MAX_BYTES", 300)
    weights = [np.full((2, 3, 3, 3), n, "f") for n in range(30)]

    def look() -> None:
        for n, W in enumerate(weights):
            assert filters.cached_transform(W, 2, lambda W, m: W.reshape(-1)[:5].copy())[0] == n

    run_together(*[look] * 4)
    assert sum(U.nbytes for _, U in filters._cache.values()) <= 300 + 4 * 20


@pytest.mark.usefixtures("switching")
def test_kernel_caches_can_be_cleared_while_threads_read_them() -> None:
    """Registering a plugin empties the caches of backends and kernels."""
    x = np.ones((2, 3), "f")
    kernels = type("plugin", (), {"DEZERO_API": 1})

    def change() -> None:
        plugins.register(kernels, "passing", "the tests")
        plugins.unregister("passing")

    def compute() -> None:
        assert backend_of(x) is backend_of(x[:1])
        get_backend("numpy")
        sigmoid(x)

    def walk() -> None:
        layer = Linear(2)
        pair = [layer, Linear(2)]
        with ThreadPoolExecutor(1) as pool:
            done = pool.submit(lambda: [layer(x), setattr(layer, "late", 1)])
            while not done.done():
                named_params(pair)

    run_together(change, compute, compute, walk)


def test_two_threads_get_one_backend() -> None:
    """Threads get the same backend of a library that is slow to start."""

    def start() -> ArrayBackend:
        sleep(0.02)
        return ArrayBackend(np)

    spec = BackendSpec("slow", ("nowhere:Array",), start)
    with ThreadPoolExecutor(2) as pool:
        a, b = pool.map(registry._create_backend, [spec, spec])
    del registry._made[spec]
    assert a is b


def test_invalid_thread_counts_raise(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ArgumentError, match="set_num_threads: 0 is less than 1"):
        set_num_threads(0)
    monkeypatch.setenv("DEZERO_NUM_THREADS", "many")
    with pytest.raises(ArgumentError, match="DEZERO_NUM_THREADS is 'many', not a number from 1"):
        get_num_threads()


def test_workers_inherit_the_settings_of_the_caller() -> None:
    set_num_threads(2)

    def handling(part: slice) -> str:
        return np.geterr()["invalid"]

    with np.errstate(invalid="ignore"):
        assert parallel.parallel_for(2, 1e9, handling) == ["ignore", "ignore"]
    with np.errstate(invalid="raise"):
        assert parallel.parallel_for(2, 1e9, handling) == ["raise", "raise"]


def test_filters_that_change_during_their_transform_are_not_cached() -> None:
    W = np.zeros((2, 2, 3, 3), np.float32)

    def mapped(seen: Any, m: int) -> Any:
        W[...] = 1  # another thread may update W now
        return seen.copy()

    assert not filters.cached_transform(W, 4, mapped).any()
    W[...] = 0
    assert not filters.cached_transform(W, 4, mapped).any(), "those of zeros"
