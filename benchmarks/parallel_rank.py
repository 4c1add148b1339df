"""Run one side of a row of ``benchmarks/parallel.py``; rank 0 prints the figures as JSON.

    python benchmarks/parallel_rank.py WORKLOAD SIDE
    mpiexec -n 2 python benchmarks/parallel_rank.py WORKLOAD SIDE

All times are in seconds. Each is the minimum over repetitions, because other programs only add
time.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from time import perf_counter
from typing import Any

import numpy as np

STEPS, WARM = 40, 5
SIZES = [1 << power for power in (10, 12, 14, 16, 18, 20, 21, 22)]
"""Sizes in bytes of the all-reduces that a link is fitted to."""

Figures = dict[str, Any]


def examples(workload: str) -> tuple[Any, int]:
    """Return a dataset with random examples for all steps, and the batch size of all ranks."""
    from dezero_io import Dataset

    shape, batch_size = {"mlp": ((784,), 100), "cnn": ((1, 28, 28), 64)}[workload]

    class Examples(Dataset):
        def prepare(self) -> None:
            draw = np.random.default_rng(0)
            self.data = draw.random((batch_size * 10, *shape), dtype=np.float32)
            self.label = draw.integers(0, 10, batch_size * 10)

    return Examples(), batch_size


def network(workload: str) -> Any:
    """Return the model of a workload."""
    from dezero_nn import CNN, MLP

    return CNN(10) if workload == "cnn" else MLP((1000, 10))


def cycled(loader: Any) -> Iterator[Any]:
    """Yield the batches of ``STEPS`` steps."""
    done = 0
    while done < STEPS:
        for batch in loader:
            yield batch
            done += 1


def timed_steps(batches: Iterator[Any], model: Any, optimizer: Any) -> list[float]:
    """Train, and return the seconds of each step, including the time of the loader."""
    from dezero_nn import softmax_cross_entropy

    times, start = [], perf_counter()
    for x, t in batches:
        loss = softmax_cross_entropy(model(x), t)
        model.cleargrads()
        loss.backward()
        optimizer.update()
        now = perf_counter()
        times.append(now - start)
        start = now
    return times[WARM:]


def training(workload: str, connect: Callable[[], Any]) -> Figures:
    """Time training steps on the ranks that ``connect`` returns."""
    from dezero_io import DataLoader
    from dezero_nn import SGD

    world = connect()
    dataset, batch_size = examples(workload)
    model = network(workload)
    loader = world.share(DataLoader(dataset, batch_size))
    optimizer = world.parallel(SGD(0.01).setup(model))
    times = timed_steps(cycled(loader), model, optimizer)
    return {"step": min(times)}


def alone() -> Any:
    from dezero_parallel import Alone

    return Alone()


def launched() -> Any:
    from dezero_parallel import world

    return world()


def forced() -> Any:
    from dezero_parallel import world

    return world(force=True)


def computing(workload: str, ranks: int) -> Figures:
    """Time the parts of a step on a rank's rows, while the other processes compute the same.

    No arrays are exchanged. ``ready`` lists the bytes and the readiness of each gradient, in
    seconds from the start of the backward pass.
    """
    from dezero_core.extend import on_grad_ready
    from dezero_nn import SGD, softmax_cross_entropy

    dataset, batch_size = examples(workload)
    rows = -(-batch_size // ranks)
    model = network(workload)
    optimizer = SGD(0.01).setup(model)
    x, t = dataset.data[:rows], dataset.label[:rows]
    times: list[Any] = []
    ready: list[tuple[int, float]] = []
    start = 0.0

    def note(p: Any) -> None:
        ready.append((p.data.nbytes, perf_counter() - start))

    for _ in range(STEPS):
        moments = [perf_counter()]
        loss = softmax_cross_entropy(model(x), t)
        model.cleargrads()
        start = perf_counter()
        ready.clear()
        with on_grad_ready(note):
            loss.backward()
        moments += [start, perf_counter()]
        optimizer.update()
        moments.append(perf_counter())
        times.append(np.diff(moments))
    steps = np.array(times[WARM:])
    total = steps.sum(axis=1)
    forward, backward, update = steps[total.argmin()]
    return {"forward": forward, "backward": backward, "update": update, "ready": ready}


def seconds_of(run: Callable[[], None], repetitions: int) -> float:
    """Return the minimum time of ``run``."""
    times = []
    for _ in range(repetitions):
        start = perf_counter()
        run()
        times.append(perf_counter() - start)
    return min(times)


def sums(sizes: list[int], side: str) -> Figures:
    """Time all-reduces of float32 arrays, by DeZero's engine or by mpi4py without DeZero."""
    start, wait, wait_for_all = {"engine": engine_calls, "mpi4py": mpi4py_calls}[side]()
    found = []
    for size in sizes:
        array = np.ones(size // 4, np.float32)

        def run(array: Any = array) -> None:
            wait(start(array))

        wait_for_all()
        found.append((size, seconds_of(run, 200 if size < 1 << 18 else 60)))
    return {"sums": found}


def engine_calls() -> tuple[Callable[[Any], Any], Callable[[Any], Any], Callable[[], Any]]:
    """Return the functions of DeZero's engine that start a sum, end it, and wait for all ranks."""
    from dezero_core.extend import get_communicator

    engine = get_communicator()
    assert engine is not None, "parallel_rank.py: start sums with mpiexec"
    return engine.start, engine.wait, lambda: engine.gather(None)


def mpi4py_calls() -> tuple[Callable[[Any], Any], Callable[[Any], Any], Callable[[], Any]]:
    """Return the functions of mpi4py that start a sum, end it, and wait for all ranks."""
    from mpi4py import MPI

    comm = MPI.COMM_WORLD
    return lambda array: comm.Iallreduce(MPI.IN_PLACE, array), MPI.Request.Wait, comm.Barrier


def main(workload: str, side: str) -> None:
    """Measure a side and print its figures on rank 0."""
    if workload == "sum":
        figures = sums([4_718_592], side)
    elif workload == "link":
        figures = sums(SIZES, side)
    elif side.startswith("compute"):
        figures = computing(workload, int(side.split()[1]))
    else:
        figures = training(workload, {"alone": alone, "ranks": launched, "averaging": forced}[side])
    if is_first():
        print(json.dumps(figures))


def is_first() -> bool:
    """Return whether this process is rank 0, or was started without a launcher."""
    from os import environ

    return environ.get("PMI_RANK", environ.get("OMPI_COMM_WORLD_RANK", "0")) == "0"


if __name__ == "__main__":
    main(*sys.argv[1:])
