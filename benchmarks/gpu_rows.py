"""Time one side of one row of ``gpu.py`` in this process, and print a line of JSON.

``python gpu_rows.py SIDE WORKLOAD PRECISION [--quick]``. The sides are ``dezero``, ``dezero
captured``, ``dezero cpu`` (MNIST only), ``torch`` and ``torch graph``; both sides of PyTorch may
end in ``channels last``. ``--dry-run`` times two steps, to try the program on the tests' stand-ins.
The side ``compiler`` compiles all kernels instead, and ``profile`` profiles eager steps.
"""

from __future__ import annotations

import cProfile
import json
import pstats
import statistics
import sys
import traceback
from collections.abc import Callable
from functools import partial
from importlib import import_module
from time import perf_counter
from typing import Any

import numpy as np
import transformers

Step = Callable[..., Any]

IMAGES = {
    "mlp": (100, 784),
    "cnn64": (64, 1, 28, 28),
    "cnn1024": (1024, 1, 28, 28),
    "six convolutions": (256, 3, 32, 32),
    "vgg16": (32, 3, 224, 224),
    "resnet50": (32, 3, 224, 224),
}
"""The shapes of the inputs of the image classifiers."""

GPTS = {
    "gpt 128": transformers.SMALL,
    "gpt 256": transformers.LARGE,
    "gpt 768": transformers.Sizes(8, 256, 768, 12, 6, 16000),
}
SEQUENCES = (50, 32, 256)
STEPS = {"mlp": 200, "cnn64": 100, "cnn1024": 20, "six convolutions": 10, "lstm": 10}
"""The number of steps that are timed together; 3 for all other workloads."""


def inputs(workload: str) -> tuple[Any, Any]:
    """Return the host arrays that one step trains on."""
    random = np.random.default_rng(0)
    if workload in GPTS:
        return transformers.tokens(GPTS[workload])
    if workload == "lstm":
        return random.random(SEQUENCES, dtype=np.float32), np.zeros(1, np.int64)
    x = random.random(IMAGES[workload], dtype=np.float32)
    return x, random.integers(0, 10, len(x))


# DeZero


def load_plugins() -> None:
    """Register DeZero's plugins if the packages are on the path but are not installed."""
    from dezero_core.errors import OUR_PLUGINS
    from dezero_core.extend import backend_names, plugins

    backend_names()  # loads the plugins that are installed
    known = {status.name for status in plugins.statuses()}
    for name in ("nn", "io", "cuda"):
        if name not in known:
            plugins.register(import_module(OUR_PLUGINS[name]), name, "this checkout")


def dezero_model(workload: str) -> Any:
    """Return the network of a workload."""
    import networks

    import dezero.layers as L
    from dezero import models

    if workload == "mlp":
        return models.MLP((1000, 10))
    if workload.startswith("cnn"):
        return models.CNN(10)
    if workload == "vgg16":
        return models.VGG16()
    if workload == "resnet50":
        return models.ResNet50()
    if workload == "lstm":
        return L.LSTM(256)
    if workload in GPTS:
        return transformers.dezero_gpt(GPTS[workload], 0.0)
    return networks.dezero_vgg_model()


def dezero_loss(workload: str, model: Any) -> Step:
    """Return a function that computes the loss of a batch."""
    import dezero.functions as F

    def gpt(ids: Any, t: Any) -> Any:
        y = model(ids)
        return F.softmax_cross_entropy(F.reshape(y, (-1, y.shape[-1])), t.reshape(-1))

    def lstm(x: Any, t: Any) -> Any:
        model.reset_state()
        return F.mean(model(x))

    if workload in GPTS:
        return gpt
    if workload == "lstm":
        return lstm
    return lambda x, t: F.softmax_cross_entropy(model(x), t)


def dezero_step(workload: str, captured: bool) -> tuple[Step, dict[str, float]]:
    """Return a training step on the GPU, and the seconds of its first calls if it is captured."""
    import dezero
    from dezero import optimizers

    dezero.seed(0)
    model, (x, t) = dezero_model(workload), map(dezero.cuda.as_cupy, inputs(workload))
    model.to_gpu()
    loss_of = dezero_loss(workload, model)
    with dezero.no_grad(), dezero.test_mode():
        loss_of(x, t)  # creates the parameters of layers that wait for their input
    optimizer: Any = optimizers.AdamW(3e-4) if workload in GPTS else optimizers.SGD(0.01)
    optimizer.setup(model)
    if workload in GPTS:
        optimizer.add_hook(optimizers.ClipGrad(1.0))

    def step(x: Any, t: Any) -> Any:
        loss = loss_of(x, t)
        model.cleargrads()
        loss.backward()
        optimizer.update()
        return loss

    if not captured:
        return partial(step, x, t), {}
    step = dezero.cuda.capture(step)
    start = perf_counter()
    for _ in range(4):
        step(x, t)
    dezero.cuda.synchronize()
    return partial(step, x, t), {"first_call_s": perf_counter() - start}


def dezero_mnist(side: str, quick: bool) -> dict[str, float]:
    """Return the seconds of an epoch of the book's MNIST program (step 52)."""
    import dezero
    import dezero.functions as F
    from dezero import DataLoader, datasets, optimizers
    from dezero.models import MLP

    batches, model = DataLoader(datasets.MNIST(train=True), 100), MLP((1000, 10))
    optimizer = optimizers.SGD().setup(model)
    if side != "dezero cpu":
        batches.to_gpu(deferred=side == "dezero captured")
        model.to_gpu()

    def step(x: Any, t: Any) -> Any:
        loss = F.softmax_cross_entropy(model(x), t)
        model.cleargrads()
        loss.backward()
        optimizer.update()
        return loss

    train = dezero.cuda.capture(step) if side == "dezero captured" else step

    def epoch() -> None:
        total = 0.0
        for x, t in batches:
            total += float(train(x, t).data) * len(t)

    epoch()
    times = []
    for _ in range(1 if quick else 3):
        start = perf_counter()
        epoch()
        times.append(perf_counter() - start)
    return {"us": statistics.median(times) * 1e6}


# PyTorch


def torch_model(workload: str) -> Any:
    """Return the network of a workload."""
    import networks
    from torch import nn

    if workload == "mlp":
        return networks.torch_mlp_model()
    if workload.startswith("cnn"):
        return networks.torch_cnn_model()
    if workload in ("vgg16", "resnet50"):
        return getattr(import_module("torchvision").models, workload)(num_classes=1000)
    if workload == "lstm":
        return nn.LSTM(256, 256)
    if workload in GPTS:
        return transformers.torch_gpt(GPTS[workload], 0.0, False)
    return networks.torch_vgg_model()


def torch_step(workload: str, precision: str, side: str) -> Step:
    """Return a training step on the GPU, in eager mode or as a replayed graph."""
    import torch

    torch.set_default_device("cuda")
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
    x, t = (torch.as_tensor(a, device="cuda") for a in inputs(workload))
    model = torch_model(workload)
    if side.endswith("channels last"):
        model, x = (thing.to(memory_format=torch.channels_last) for thing in (model, x))
    graphed = "graph" in side
    if workload in GPTS:
        optimizer: Any = torch.optim.AdamW(model.parameters(), 3e-4, capturable=graphed)
    else:
        optimizer = torch.optim.SGD(model.parameters(), 0.01)

    def loss_of() -> Any:
        y = model(x)
        if workload == "lstm":
            return y[0].mean()
        return torch.nn.functional.cross_entropy(y.reshape(-1, y.shape[-1]), t.reshape(-1))

    def step() -> None:
        with torch.autocast("cuda", torch.bfloat16, enabled=precision == "bf16"):
            loss = loss_of()
        optimizer.zero_grad()
        loss.backward()
        if workload in GPTS:
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()

    return whole_graph(step) if graphed else step


def whole_graph(step: Step) -> Step:
    """Capture a step as PyTorch's documentation describes; return a function that replays it."""
    import torch

    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(4):
            step()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    return graph.replay


# Timing


def timed(step: Step, wait: Callable[[], None], count: int, rounds: int) -> dict[str, float]:
    """Return two medians in us: the time of a step, and the time until Python continues."""
    for _ in range(5):
        step()
    wait()
    whole, host = [], []
    for _ in range(rounds):
        start = perf_counter()
        for _ in range(count):
            step()
        host.append((perf_counter() - start) / count * 1e6)
        wait()
        whole.append((perf_counter() - start) / count * 1e6)
    return {"us": statistics.median(whole), "host_us": statistics.median(host)}


def measure(side: str, workload: str, precision: str, quick: bool) -> dict[str, Any]:
    """Time a side; ``used_mb`` is the device memory that this process allocated.

    The memory is read from the driver, so it contains caches, workspaces and loaded code.
    """
    if side.startswith("torch"):
        import torch

        torch.zeros(1, device="cuda")
        memory, wait = torch.cuda.mem_get_info, torch.cuda.synchronize
    else:
        load_plugins()
        import cupy

        from dezero import Config

        cupy.zeros(1)
        memory, wait = cupy.cuda.runtime.memGetInfo, cupy.cuda.Device().synchronize
        Config.float32_precision = precision
    free = memory()[0]
    more: dict[str, Any] = {}
    if workload == "mnist":
        return dezero_mnist(side, quick)
    if side.startswith("torch"):
        step = torch_step(workload, precision, side)
    else:
        step, more = dezero_step(workload, side == "dezero captured")
    if "--dry-run" in sys.argv:
        found = timed(step, wait, 1, 2)
    else:
        found = timed(step, wait, STEPS.get(workload, 3), 3 if quick else 7)
    more["used_mb"] = (free - memory()[0]) / 2**20
    if side.startswith("dezero"):
        more["declined"] = declined(step)
    return {**found, **more}


def declined(step: Any) -> list[str]:
    """Return which kernels of NVIDIA's libraries declined a call of an eager step, and why."""
    from dezero_core.extend import kernel_log

    step = partial(getattr(step.func, "step", step.func), *step.args)  # eager, also if captured
    with kernel_log() as ran:
        step()
    reasons = {f"{kernel}: {reason}" for run in ran for kernel, reason in run.declined}
    libraries = ("cuda:products", "cuda:convolutions", "cuda:attention_")
    return sorted(text[:300] for text in reasons if text.startswith(libraries))


def compile_kernels() -> dict[str, float]:
    """Compile and load all kernels; return their number and the time in seconds."""
    load_plugins()
    from dezero_cuda.kernels import module, sources

    start, names = perf_counter(), sources.families()
    for name in names:
        for letter in sources.C_TYPES:
            module.function(name, letter)
    return {"kernels": len(names) * len(sources.C_TYPES), "compiled in s": perf_counter() - start}


def profile(workload: str, precision: str) -> None:
    """Print which Python functions take the time of an eager step, and Python's share."""
    load_plugins()
    from dezero import Config, cuda

    Config.float32_precision = precision
    step, _ = dezero_step(workload, False)
    found = timed(step, cuda.synchronize, STEPS.get(workload, 3), 3)
    whole, host = found["us"], found["host_us"]
    print(f"{workload}, {precision}: a step takes {whole:.0f} us, Python {host:.0f} us of it.")
    print("Where Python's time goes, with a profiler, which slows Python down:")
    watched = cProfile.Profile()
    watched.enable()
    for _ in range(STEPS.get(workload, 3)):
        step()
    watched.disable()
    cuda.synchronize()
    pstats.Stats(watched).sort_stats("tottime").print_stats(25)


def main() -> None:
    """Run what the command line asks for."""
    side, workload, precision = sys.argv[1:4]
    if side == "profile":
        profile(workload, precision)
        return
    try:
        if side == "compiler":
            result: dict[str, Any] = dict(compile_kernels())
        else:
            result = measure(side, workload, precision, "--quick" in sys.argv)
    except Exception as error:  # the report shows the error in the cell of this side
        traceback.print_exc()
        result = {"error": f"{type(error).__name__}: {str(error)[:300]}"}
    print("RESULT " + json.dumps(result))


if __name__ == "__main__":
    main()
