"""Test data parallel training on several devices, by NCCL, on the stand-in for CuPy."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dezero_core import Variable, seed
from dezero_core.errors import CaptureError, CommunicatorError
from dezero_core.state import step_keys
from dezero_cuda.capture import WARM_UPS, capture

sys.path.insert(0, str(Path(__file__).parent))
from test_engine import run_ranks

io = pytest.importorskip("dezero_io", reason="loaders are dezero-io's")
nn = pytest.importorskip("dezero_nn", reason="models are dezero-nn's")
worlds = pytest.importorskip("dezero_parallel.worlds", reason="World is dezero-parallel's")

SIZE, EPOCHS = 2, 4
"""The number of ranks; and of loops over the data, of which the last replays all graphs."""

X, T = np.random.default_rng(0).normal(size=(28, 5)), np.arange(28) % 4


@pytest.fixture(autouse=True)
def devices(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("FAKE_CUDA_DEVICES", str(SIZE))
    yield
    step_keys.clear()


def new_model(normalizes: bool) -> Any:
    seed(0)
    layers = nn.layers
    middle = [layers.BatchNorm()] if normalizes else []
    model = nn.Sequential(layers.Linear(6), *middle, nn.sigmoid, layers.Linear(4))
    model.materialize(X)
    for p in model.params():
        p.data = p.data.astype("float64")
    return model


def train(
    world: Any,
    model: Any,
    examples: int,
    make: Callable[[Any], Any],
    rule: Callable[[], Any],
    before: Callable[[], Any],
    **settings: Any,
) -> tuple[list[float], list[Any], Any]:
    """Train for some epochs; return the losses, the parameters and statistics, and the step."""
    optimizer = world.parallel(rule().setup(model), **settings)
    world.synchronize(model)
    data = list(zip(X[:examples], T[:examples], strict=True))
    order = np.random.default_rng(world.rank)  # rank 0's order counts
    loader = world.share(io.DataLoader(data, 12, generator=order))

    def step(x: Any, t: Any) -> Any:
        loss = nn.softmax_cross_entropy(model(x), t)
        model.cleargrads()
        loss.backward()
        optimizer.update()
        return loss

    step, losses = make(step), []
    for _ in range(EPOCHS):
        for x, t in loader:
            on_gpu = [Variable(a).to("cuda").data for a in (x, t)]
            before()
            losses.append(world.mean(step(*on_gpu)))
    assert world.collectives.step == len(losses)  # replays are counted too
    return losses, [p.data.get().tolist() for p in model.named_params().values()], step


def on_ranks(
    examples: int, make: Callable[[Any], Any], rule: Callable[[], Any], **settings: Any
) -> list[Any]:
    """Train on ranks that are threads, with batch normalisation if all ranks have rows."""
    step_keys.clear()
    barrier = threading.Barrier(SIZE)
    models = [new_model(normalizes=examples == 28) for _ in range(SIZE)]

    def job(ranks: Any) -> Any:
        world = worlds.World(ranks, 600, watches=False)  # threads share the process
        step_keys.append(world.step_key)
        model = models[ranks.rank].to("cuda")
        return train(world, model, examples, make, rule, barrier.wait, **settings)

    return run_ranks(SIZE, job)


RULES = {"SGD": lambda: nn.optimizers.SGD(0.1), "Adam": lambda: nn.optimizers.Adam(0.01)}
slow = pytest.mark.slow


OVERLAP = {"overlap": True, "bucket_bytes": 100}
LARGE = {"bucket_bytes": 100}  # gradients are summed in their own arrays
SETTINGS = [OVERLAP, *[pytest.param(x, marks=slow) for x in ({}, LARGE, {"shard": True})]]


@pytest.mark.parametrize("settings", SETTINGS, ids=lambda settings: " ".join(settings))
@pytest.mark.parametrize("rule", [pytest.param("SGD", marks=slow), "Adam"])
@pytest.mark.parametrize("examples", [28, pytest.param(25, marks=slow)])
def test_captured_steps_of_two_ranks_equal_eager_steps_bit_for_bit(
    examples: int, rule: str, settings: dict[str, Any]
) -> None:
    """Train with a last batch of 4 rows, or of one row, so that one rank has no row."""
    eager = on_ranks(examples, lambda step: step, RULES[rule], **settings)
    captured = on_ranks(examples, capture, RULES[rule], **settings)
    losses, weights, _ = eager[0]
    for found in (*eager, *captured):
        assert found[:2] == (losses, weights)
    assert [len(step._graphs) for _, _, step in captured] == [2] * SIZE
    assert len(set(losses)) == len(losses) == 3 * EPOCHS


def test_a_meeting_in_a_captured_step_is_refused() -> None:
    def job(ranks: Any) -> None:
        world = worlds.World(ranks, 600, watches=False)
        step = capture(lambda x: x * world.sum(2))
        x = Variable(np.ones(2)).to("cuda").data
        for _ in range(WARM_UPS):
            step(x)
        with pytest.raises(CaptureError, match=r"world.sum .*: call it outside of the step"):
            step(x)

    run_ranks(1, job)


def test_the_watcher_reports_an_error_of_nccl_while_the_rank_computes() -> None:
    def job(ranks: Any) -> None:
        watcher = worlds.World(ranks, 600, watches=False).watcher
        watcher.check_ranks()
        ranks._nccl._communicator._group.is_aborted = True
        with pytest.raises(CommunicatorError, match="NCCL reports NCCL_ERROR_REMOTE"):
            watcher.check_ranks()

    run_ranks(1, job)
