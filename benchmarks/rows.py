"""What is timed: each row by DeZero and by PyTorch, in a process of its own.

``python benchmarks/rows.py ROW LIBRARY`` prints one number: the median time of a repetition,
per unit of the row, in microseconds. Collector on, nothing frozen, one thread.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np


def median_time(step: Callable[[], Any], units: int, repetitions: int) -> float:
    """Median microseconds per unit, after two repetitions that do not count."""
    step(), step()
    times = []
    for _ in range(repetitions):
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    return statistics.median(times) / units * 1e6


def dezero_chain(ops: int, create_graph: bool = False) -> Callable[[], None]:
    from dezero_core import Variable

    x = Variable(np.ones(4, np.float32))

    def step() -> None:
        y = x
        for _ in range(ops // 2):
            y = y * x + x
        y.backward(create_graph=create_graph)
        x.cleargrad()

    return step


def torch_chain(ops: int, create_graph: bool = False) -> Callable[[], None]:
    import torch

    torch.set_num_threads(1)
    x = torch.ones(4, requires_grad=True)
    seed = torch.ones(4)

    def step() -> None:
        y = x
        for _ in range(ops // 2):
            y = y * x + x
        if create_graph:  # torch warns about backward(create_graph=True) and leaks
            torch.autograd.grad(y, x, seed, create_graph=True)
        else:
            y.backward(seed)
            x.grad = None

    return step


BATCH = np.random.default_rng(0).random((100, 784), dtype=np.float32)
LABELS = np.random.default_rng(1).integers(0, 10, 100)


def dezero_mlp() -> Callable[[], None]:
    from dezero_nn import MLP, SGD, softmax_cross_entropy

    model = MLP((1000, 10))
    optimizer = SGD(0.01).setup(model)

    def step() -> None:
        loss = softmax_cross_entropy(model(BATCH), LABELS)
        model.cleargrads()
        loss.backward()
        optimizer.update()

    return step


def torch_mlp() -> Callable[[], None]:
    import torch

    torch.set_num_threads(1)
    layers = torch.nn.Linear(784, 1000), torch.nn.Sigmoid(), torch.nn.Linear(1000, 10)
    model = torch.nn.Sequential(*layers)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    x, t = torch.from_numpy(BATCH), torch.from_numpy(LABELS)

    def step() -> None:
        loss = torch.nn.functional.cross_entropy(model(x), t)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step


def import_time(module: str) -> Callable[[], None]:
    return lambda: subprocess.run([sys.executable, "-c", f"import {module}"], check=True)


# name: (units in one repetition, repetitions, what each side runs)
ROWS: dict[str, tuple[int, int, dict[str, Callable[[], Callable[[], None]]]]] = {
    "op": (2000, 60, {"dezero": lambda: dezero_chain(2000), "torch": lambda: torch_chain(2000)}),
    "op create_graph": (
        2000,
        40,
        {"dezero": lambda: dezero_chain(2000, True), "torch": lambda: torch_chain(2000, True)},
    ),
    "mlp": (1, 60, {"dezero": dezero_mlp, "torch": torch_mlp}),
    "long chain": (
        100_000,
        5,
        {"dezero": lambda: dezero_chain(100_000), "torch": lambda: torch_chain(100_000)},
    ),
    "import": (
        1,
        7,
        {"dezero": lambda: import_time("dezero_core"), "numpy": lambda: import_time("numpy")},
    ),
}


if __name__ == "__main__":
    units, repetitions, sides = ROWS[sys.argv[1]]
    print(median_time(sides[sys.argv[2]](), units, repetitions))
