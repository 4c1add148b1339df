"""Worker processes load the same batches as the calling thread, and never outlive a loop."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import namedtuple
from collections.abc import Iterator
from multiprocessing import active_children
from typing import Any

import numpy as np
import pytest

import dezero_core
from dezero_core.errors import ArgumentError, ShapeError
from dezero_core.extend import generator
from dezero_io import DataLoader, Dataset, SeqDataLoader, load_checkpoint, save_checkpoint
from dezero_io.data.transforms import Compose, RandomCrop, RandomHorizontalFlip

Pair = namedtuple("Pair", "x t")


@pytest.fixture(autouse=True)
def no_process_remains() -> Iterator[None]:
    yield
    assert active_children() == []


class Images(Dataset):
    """Seventeen small images, with transforms that draw random numbers."""

    def prepare(self) -> None:
        self.data = np.random.default_rng(0).normal(size=(17, 3, 6, 5)).astype("float32")
        self.label = np.arange(17)


def augmented() -> Images:
    return Images(transform=Compose([RandomCrop((5, 6), padding=1), RandomHorizontalFlip()]))


def batches_of(workers: int, passes: int = 2, **settings: Any) -> list[Any]:
    dezero_core.seed(7)
    loader = DataLoader(augmented(), 4, num_workers=workers, **settings)
    return [batch for _ in range(passes) for batch in loader]


def assert_equal(some: list[Any], others: list[Any]) -> None:
    assert len(some) == len(others)
    for one, other in zip(some, others, strict=True):
        for x, y in zip(one, other, strict=True):
            np.testing.assert_array_equal(x, y)
            assert x.dtype == y.dtype


@pytest.mark.parametrize("settings", [{}, {"drop_last": True}, {"shuffle": False}])
def test_order_and_random_numbers_do_not_depend_on_the_number_of_workers(
    settings: dict[str, Any],
) -> None:
    expected = batches_of(0, **settings)
    assert not np.array_equal(expected[0][0], expected[len(expected) // 2][0])  # a second pass
    for workers in (1, 3):
        assert_equal(batches_of(workers, **settings), expected)


def test_random_numbers_of_other_code_do_not_change() -> None:
    """Loading draws nothing from the generator of the program but the order."""
    after = []
    for workers in (0, 2):
        batches_of(workers)
        after.append(generator().random())
    assert after[0] == after[1]


def test_batches_of_all_types_arrive() -> None:
    class Mixed:
        def __len__(self) -> int:
            return 3

        def __getitem__(self, i: int) -> Any:
            return Pair({"x": np.full((2, 0), i), "name": f"no {i}"}, [np.float16(i), None])

    for workers in (0, 2):
        batches = list(DataLoader(Mixed(), 2, shuffle=False, num_workers=workers))
        x, t = batches[1]
        assert type(batches[1]) is Pair
        assert x["x"].shape == (1, 2, 0)
        assert x["name"].tolist() == ["no 2"]
        assert t[0].dtype == np.float16
        assert t[1] is None


def test_arrays_may_be_changed_and_outlive_the_loop() -> None:
    arrays = [x for x in DataLoader(np.arange(12.0).reshape(6, 2), 2, num_workers=2, shuffle=False)]
    arrays[0] += 1
    np.testing.assert_array_equal(np.concatenate(arrays)[:, 0], [1, 3, 4, 6, 8, 10])


def test_global_generators_differ_between_workers_and_passes() -> None:
    class Drawn:
        def __len__(self) -> int:
            return 8

        def __getitem__(self, i: int) -> Any:
            return np.random.rand(), random.random()  # noqa: NPY002

    def drawn(workers: int) -> list[float]:
        dezero_core.seed(0)
        loader = DataLoader(Drawn(), 2, num_workers=workers)
        return [x for _ in range(2) for pair in loader for part in pair for x in part]

    numbers = drawn(2)
    assert len(set(numbers)) == len(numbers)
    assert drawn(4) == numbers


def test_collate_fn_and_sequences_run_in_workers() -> None:
    loader = DataLoader([1, 2, 3], 2, False, collate_fn=lambda xs: (os.getpid(), xs), num_workers=1)
    (process, first), (_, second) = loader
    assert process != os.getpid()
    assert [first, second] == [[1, 2], [3]]
    assert_equal(
        list(SeqDataLoader([(1, 2), (3, 4), (5, 6)], 2, num_workers=2)),
        list(SeqDataLoader([(1, 2), (3, 4), (5, 6)], 2)),
    )


def test_a_checkpoint_continues_with_the_same_batches(tmp_path: Any) -> None:
    expected = batches_of(0, passes=3)
    dezero_core.seed(7)
    loader = DataLoader(augmented(), 4, num_workers=2)
    batches = iter(loader)
    taken = [next(batches) for _ in range(2)]
    save_checkpoint(tmp_path / "c.npz", loader=loader)
    del batches
    other = DataLoader(augmented(), 4, num_workers=3)
    load_checkpoint(tmp_path / "c.npz", loader=other)
    assert_equal([*taken, *other, *other], expected[:10])


def test_an_error_in_a_worker_names_the_example_and_shows_the_traceback() -> None:
    def fail_at_5(x: Any) -> Any:
        if x == 5:
            raise ValueError("no such image")
        return x

    class Failing(Dataset):
        def prepare(self) -> None:
            self.data = list(range(8))

    loader = DataLoader(Failing(transform=fail_at_5), 2, shuffle=False, num_workers=2)
    seen = []
    with pytest.raises(ValueError, match="no such image") as caught:
        for x, _ in loader:
            seen += x.tolist()
    assert seen == [0, 1, 2, 3]
    notes = "\n".join(caught.value.__notes__)
    assert "example 5 of the dataset" in notes
    assert "raised in worker 0" in notes
    assert "in fail_at_5" in notes


def test_errors_that_cannot_be_pickled_arrive_as_text() -> None:
    class Local(Exception):
        pass

    def fail(xs: list[Any]) -> Any:
        raise Local("only here")

    with pytest.raises(RuntimeError, match=r"worker 0 raised an error(.|\n)*only here"):
        next(iter(DataLoader([1, 2], 1, collate_fn=fail, num_workers=1)))
    with pytest.raises(ShapeError, match="example 1 is an array of shape"):
        list(DataLoader([np.ones(2), np.ones(3)], 2, shuffle=False, num_workers=1))
    with pytest.raises(Exception, match="pickle"):
        list(DataLoader([1, 2], 2, collate_fn=lambda xs: lambda: xs, num_workers=1))


def test_a_killed_worker_ends_the_loop_with_a_sentence() -> None:
    def kill(xs: list[int]) -> Any:
        if 2 in xs:
            os.kill(os.getpid(), signal.SIGKILL)
        return xs

    loader = DataLoader([0, 1, 2, 3], 1, shuffle=False, collate_fn=kill, num_workers=2)
    batches = iter(loader)
    assert [next(batches), next(batches)] == [[0], [1]]
    with pytest.raises(RuntimeError, match=r"worker 0 of 2 was killed by SIGKILL .* batch 2"):
        next(batches)
    assert next(batches) == [3]  # a new process loads it


def test_an_abandoned_loop_ends_its_processes() -> None:
    loader = DataLoader(list(range(100)), 1, num_workers=2)
    for _ in loader:
        assert len(active_children()) == 2
        break
    assert active_children() == []
    batches = iter(loader)
    next(batches)
    del batches
    assert active_children() == []


PROGRAM = """
import os, signal, time
from dezero_io import DataLoader

signal.signal(signal.SIGINT, signal.default_int_handler)  # shells ignore it for programs with &

def load(xs):
    time.sleep(0.05)
    return os.getpid()

loader = DataLoader(list(range(1000)), 1, collate_fn=load, num_workers=2)
for i, process in enumerate(loader):
    print(process, flush=True)
"""


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_signals_to_the_program_leave_no_process(sent: signal.Signals) -> None:
    program = subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    assert program.stdout is not None
    workers = {int(program.stdout.readline()) for _ in range(4)}
    if sent is signal.SIGINT:  # the terminal sends Ctrl-C to all processes
        os.killpg(program.pid, sent)
    else:
        program.send_signal(sent)
    program.communicate(timeout=20)
    deadline = time.monotonic() + 10
    while any(is_running(worker) for worker in workers) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert [worker for worker in workers if is_running(worker)] == []


def is_running(process: int) -> bool:
    try:
        with open(f"/proc/{process}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_arguments_of_workers() -> None:
    for wrong in (-1, 1.5, "2", True):
        with pytest.raises(ArgumentError, match="num_workers .* (below 0|not an integer)"):
            DataLoader([1], 1, num_workers=wrong)  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="generator.* has no length"):
        DataLoader((i for i in range(3)), 1, num_workers=1)


def test_platforms_without_fork_are_told_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("os.fork")
    with pytest.raises(ArgumentError, match="num_workers=2 needs a platform .*; use num_workers=0"):
        DataLoader([1], 1, num_workers=2)
