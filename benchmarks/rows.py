"""Define the rows of the benchmark, each for DeZero, PyTorch and perhaps other libraries.

``python benchmarks/rows.py ROW SIDE`` measures one side of a row in this process and prints one
number: the median time of a repetition in microseconds per unit of the row, or its peak memory.
Python's garbage collector is on. Only the side that runs imports its library.
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import files
import loaders
import networks
import numpy as np
import transformers


def median_time(step: Callable[[], Any], units: int, repetitions: int, warm: int) -> float:
    """Return the median time in microseconds per unit, after ``warm`` untimed repetitions."""
    for _ in range(warm):
        step()
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


def repeated(step: Callable[[], None], times: int) -> Callable[[], None]:
    def steps() -> None:
        for _ in range(times):
            step()

    return steps


def import_time(module: str) -> Callable[[], None]:
    return lambda: subprocess.run([sys.executable, "-c", f"import {module}"], check=True)


def peak_memory(step: Callable[[], None]) -> float:
    """Return how far five steps raise the peak resident memory of the process, in MB."""
    page = resource.getpagesize()
    before = int(Path("/proc/self/statm").read_text().split()[1]) * page
    for _ in range(5):
        step()
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before) / 2**20


Make = Callable[[], Any]


@dataclass(frozen=True)
class Row:
    """A measurement: the first side is compared with each of the others.

    Attributes:
        sides: functions that make the step to measure, by the name of the side.
        limits: the highest allowed ratio of the first side to another, one or one per thread count.
        aims: desired ratios to PyTorch, below the limits, one per thread count.
        threaded: measure with one thread and with two.
        units: the number of units, such as ops, in a repetition.
        repetitions, warm: timed and untimed repetitions in a process.
        rounds: the number of processes for each side.
        accelerated: also measure with dezero-onednn.
        memory: measure the peak memory, not the time.
        value: the result is what the step returns.
    """

    sides: dict[str, Make]
    limits: dict[str, float | tuple[float, float]]
    aims: tuple[float, ...] = ()
    threaded: bool = True
    units: int = 1
    repetitions: int = 40
    warm: int = 2
    rounds: int = 7
    unit: str = "us per step"
    accelerated: bool = False
    memory: bool = False
    value: bool = False


def recurrent(name: str) -> dict[str, Make]:
    return {
        "dezero": lambda: networks.dezero_recurrent(name),
        "torch": lambda: networks.torch_recurrent(name),
    }


def inference(batch: int) -> dict[str, Make]:
    return {
        "dezero": lambda: networks.dezero_inference(batch),
        "torch": lambda: networks.torch_inference(batch),
        "torch channels last": lambda: networks.torch_inference(batch, channels_last=True),
    }


def training(dezero: Make, torch: Callable[[bool], Any], must: float, aim: float) -> Row:
    """Return a row of a transformer's step; ``torch`` is called with whether to run eagerly."""
    sides = {
        "dezero": dezero,
        "torch": lambda: torch(False),
        "torch eager": lambda: torch(True),
    }
    return Row(sides, {"torch": must}, (aim,), threaded=False, repetitions=15)


def gpt(sizes: transformers.Sizes, dropout: float, must: float, aim: float) -> Row:
    return training(
        lambda: transformers.dezero_gpt_training(sizes, dropout),
        lambda eager: transformers.torch_gpt_training(sizes, dropout, eager),
        must,
        aim,
    )


def loading_images(workers: int, must: float) -> Row:
    """Return a row of a pass over augmented images with a number of worker processes."""
    sides = {
        "dezero": lambda: loaders.dezero_pass(workers),
        "torchvision": lambda: loaders.torchvision_pass(workers),
    }
    limits: dict[str, float | tuple[float, float]] = {"torchvision": must}
    unit = "us per pass"
    return Row(sides, limits, threaded=False, repetitions=3, warm=1, rounds=5, unit=unit)


def saving(arrays: Callable[[], dict[str, Any]]) -> Row:
    return filing(
        "us per save",
        dezero=lambda: files.dezero_save(arrays()),
        numpy=lambda: files.numpy_save(arrays()),
        safetensors=lambda: files.safetensors_save(arrays()),
    )


def loading(arrays: Callable[[], dict[str, Any]]) -> Row:
    return filing(
        "us per load",
        dezero=lambda: files.dezero_load(arrays()),
        numpy=lambda: files.numpy_load(arrays()),
        dezero_verify=lambda: files.dezero_load(arrays(), verify=True),
        safetensors=lambda: files.safetensors_load(arrays()),
    )


def filing(unit: str, **sides: Make) -> Row:
    """Return a row that times files, after three slow saves, which wait for free pages."""
    named = {name.replace("_", " "): make for name, make in sides.items()}
    limits: dict[str, float | tuple[float, float]] = {"numpy": 1.15}
    return Row(named, limits, threaded=False, repetitions=5, warm=3, rounds=5, unit=unit)


def allowed(all_of_them: bool) -> Callable[[], Any]:
    return lambda: files.allowed_megabytes(files.random_arrays(), all_of_them)


ROWS = {
    "op": Row(
        {"dezero": lambda: dezero_chain(2000), "torch": lambda: torch_chain(2000)},
        {"torch": 0.7},
        (0.55,),
        threaded=False,
        units=2000,
        repetitions=60,
        unit="us per op",
    ),
    "op create_graph": Row(
        {"dezero": lambda: dezero_chain(2000, True), "torch": lambda: torch_chain(2000, True)},
        {"torch": 1.2},
        (0.9,),
        threaded=False,
        units=2000,
        unit="us per op",
    ),
    "mlp": Row(
        {"dezero": networks.dezero_mlp, "torch": networks.torch_mlp, "book": networks.book_mlp},
        {"torch": (0.9, 1.1), "book": 0.25},
        (0.75, 0.85),
        repetitions=60,
        accelerated=True,
    ),
    "cnn": Row(
        {
            "dezero": networks.dezero_cnn,
            "torch": networks.torch_cnn,
            "torch channels last": lambda: networks.torch_cnn(channels_last=True),
            "book": networks.book_cnn,
        },
        {"torch": (0.9, 0.9), "book": 0.125},
        (0.7, 0.6),
        repetitions=8,
        rounds=5,
        accelerated=True,
    ),
    "cnn batch norm": Row(
        {"dezero": networks.dezero_batch_norm, "torch": networks.torch_batch_norm},
        {},
        repetitions=8,
        rounds=5,
        accelerated=True,
    ),
    "vgg": Row(
        {
            "dezero": networks.dezero_vgg,
            "torch": networks.torch_vgg,
            "torch channels last": lambda: networks.torch_vgg(channels_last=True),
        },
        {"torch": 1.1},
        (0.8, 0.8),
        repetitions=5,
        rounds=5,
        accelerated=True,
    ),
    "resnet": Row(
        {
            "dezero": networks.dezero_resnet,
            "torch": networks.torch_resnet,
            "torch channels last": lambda: networks.torch_resnet(channels_last=True),
        },
        {"torch": 0.95},
        (0.85,),
        threaded=False,
        repetitions=8,
        rounds=5,
        accelerated=True,
    ),
    "inference 1": Row(
        inference(1), {"torch": 1.0}, (0.6, 0.6), repetitions=1000, warm=100, accelerated=True
    ),
    "inference 256": Row(
        inference(256), {"torch": 1.0}, (0.6, 0.6), repetitions=8, rounds=5, accelerated=True
    ),
    "lstm": Row(
        recurrent("LSTM"), {"torch": 1.2}, (0.9, 0.9), repetitions=8, rounds=5, accelerated=True
    ),
    "gru": Row(recurrent("GRU"), {"torch": 1.1}, (0.85, 0.85), repetitions=8, rounds=5),
    "gpt": gpt(transformers.SMALL, 0.0, 1.05, 0.92),
    "gpt dropout": gpt(transformers.SMALL, 0.1, 1.0, 0.88),
    "gpt large": gpt(transformers.LARGE, 0.0, 1.0, 0.92),
    "gpt large dropout": gpt(transformers.LARGE, 0.1, 0.95, 0.85),
    "vit": training(
        lambda: transformers.dezero_vit_training(transformers.VIT),
        lambda eager: transformers.torch_vit_training(transformers.VIT, eager),
        1.05,
        0.9,
    ),
    "sampling": Row(
        {
            "dezero": lambda: transformers.dezero_sampling(transformers.SMALL),
            "torch": lambda: transformers.torch_sampling(transformers.SMALL),
            "torch eager": lambda: transformers.torch_sampling(transformers.SMALL, eager=True),
            "torch uncached": lambda: transformers.torch_uncached_sampling(transformers.SMALL),
        },
        {"torch": 0.7},
        (0.5,),
        threaded=False,
        units=transformers.NEW_TOKENS,
        repetitions=20,
        unit="us per token",
    ),
    "loader": loading_images(1, 0.5),
    "loader 2 workers": loading_images(2, 0.5),
    "loader heavy": Row(
        {
            "dezero": lambda: loaders.dezero_pass(2, heavy=True),
            "dezero one worker": lambda: loaders.dezero_pass(1, heavy=True),
        },
        {"dezero one worker": 0.6},
        threaded=False,
        repetitions=3,
        warm=1,
        rounds=5,
        unit="us per pass",
    ),
    "cnn memory": Row(
        {"dezero": networks.dezero_cnn, "torch": networks.torch_cnn},
        {"torch": 1.2},
        (1.0,),
        threaded=False,
        rounds=5,
        unit="MB at the peak",
        memory=True,
    ),
    "mnist epoch": Row(
        {
            "dezero": networks.dezero_epoch,
            "torch": networks.torch_epoch,
            "book": networks.book_epoch,
        },
        {"torch": 0.45},
        (0.2, 0.2),
        repetitions=1,
        warm=1,
        rounds=3,
        unit="us per epoch",
        accelerated=True,
    ),
    "long chain": Row(
        {
            "dezero": lambda: dezero_chain(100_000),
            "dezero short": lambda: repeated(dezero_chain(2000), 50),
            "torch": lambda: torch_chain(100_000),
        },
        {"dezero short": 3.0},
        threaded=False,
        units=100_000,
        repetitions=5,
        unit="us per op",
    ),
    "save": saving(files.random_arrays),
    "load": loading(files.random_arrays),
    "save vgg16": saving(files.vgg16),
    "load vgg16": loading(files.vgg16),
    "save compressed": Row(
        {
            "dezero": lambda: files.dezero_save(files.random_arrays(), compress=True),
            "numpy": lambda: files.numpy_save(files.random_arrays(), compress=True),
        },
        {"numpy": 0.25},
        threaded=False,
        repetitions=1,
        warm=0,
        rounds=3,
        unit="us per save",
    ),
    "compressed size": Row(
        {
            "dezero": lambda: lambda: files.compressed_megabytes("dezero"),
            "numpy": lambda: lambda: files.compressed_megabytes("numpy"),
        },
        {"numpy": 1.05},
        threaded=False,
        rounds=1,
        unit="MB",
        value=True,
    ),
    "save memory": Row(
        {"dezero": lambda: files.dezero_save(files.random_arrays()), "allowed": allowed(False)},
        {"allowed": 1.0},
        threaded=False,
        rounds=1,
        unit="MB at the peak",
        memory=True,
    ),
    "load memory": Row(
        {"dezero": lambda: files.dezero_load(files.random_arrays()), "allowed": allowed(True)},
        {"allowed": 1.0},
        threaded=False,
        rounds=1,
        unit="MB at the peak",
        memory=True,
    ),
    "import": Row(
        {
            "dezero": lambda: import_time("dezero_core"),
            "numpy": lambda: import_time("numpy"),
            "torch": lambda: import_time("torch"),
        },
        {"torch": 0.2},
        (0.12,),
        threaded=False,
        repetitions=7,
    ),
}


if __name__ == "__main__":
    row, side = ROWS[sys.argv[1]], sys.argv[2]
    step = row.sides[side]()
    if not callable(step):  # this side is a number
        print(step)
    elif row.value:
        print(step())
    elif row.memory:
        print(peak_memory(step))
    else:
        print(median_time(step, row.units, row.repetitions, row.warm))
