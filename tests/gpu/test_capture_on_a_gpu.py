"""Test captured steps on a real GPU; run this file like test_on_a_gpu.py."""

from __future__ import annotations

import gc
from typing import Any

import numpy as np
import pytest

import dezero
import dezero.functions as F
from dezero import Parameter, cuda, optimizers
from dezero.models import MLP
from dezero_core.errors import CaptureError, OutOfMemory
from dezero_core.extend import get_backend

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not cuda.is_available(), reason="no GPU: `python -m dezero_cuda` says why"),
]

RULES = {
    "SGD": lambda: optimizers.SGD(0.1),
    "momentum": lambda: optimizers.MomentumSGD(0.1),
    "Adam": lambda: optimizers.Adam(),
    "AdamW": lambda: optimizers.AdamW(weight_decay=0.1),
}


def on_device(x: Any) -> Any:
    return get_backend("cuda").from_numpy(x)


class Program:
    """Create a network with dropout, clipping and a schedule, always from equal values."""

    def __init__(self, rule: Any = RULES["SGD"]) -> None:
        dezero.seed(0)
        self.model = MLP((64, 10)).to_gpu()
        self.optimizer = rule().setup(self.model)
        self.optimizer.add_hook(optimizers.ClipGrad(1.0))
        self.schedule = optimizers.CosineDecay(self.optimizer, 60)
        random = np.random.default_rng(0)
        sizes = (32, 32, 20)  # the last batch is short
        self.batches = [
            (on_device(random.random((n, 16), "f")), on_device(np.arange(n) % 10)) for n in sizes
        ]

    def step(self, x: Any, t: Any) -> Any:
        loss = F.softmax_cross_entropy(F.dropout(self.model(x), 0.2), t)
        self.model.cleargrads()
        loss.backward()
        self.optimizer.update()
        return loss

    def run(self, step: Any, steps: int) -> list[float]:
        losses = []
        for k in range(steps):
            losses.append(float(step(*self.batches[k % 3])))
            self.schedule.step()
        return losses

    def params(self) -> list[Any]:
        return [cuda.as_numpy(p.data) for p in self.model.params()]


def same(one: list[Any], other: list[Any]) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("name", RULES)
def test_fifty_captured_steps_equal_eager_steps_bit_for_bit(name: str) -> None:
    eager, captured = Program(RULES[name]), None
    losses, params = eager.run(eager.step, 50), eager.params()
    captured = Program(RULES[name])
    assert captured.run(cuda.capture(captured.step), 50) == losses
    assert same(captured.params(), params)


def test_a_graph_gathers_deferred_batches() -> None:
    data = dezero.Dataset()
    data.data, data.label = np.random.default_rng(0).random((84, 16), "f"), np.arange(84) % 10
    found = []
    for deferred in (False, True):
        program = Program()
        batches = dezero.DataLoader(data, 32, generator=np.random.default_rng(1))
        batches.to_gpu(resident=True, deferred=deferred)
        step = cuda.capture(program.step) if deferred else program.step
        found.append([float(step(x, t)) for _ in range(8) for x, t in batches])
    assert found[0] == found[1] and len(set(found[0])) == 24


def test_memory_does_not_grow_over_a_thousand_replays() -> None:
    program = Program()
    step = cuda.capture(program.step)
    for _ in range(10):
        step(*program.batches[0])
    gc.collect()
    cuda.synchronize()
    before = cuda.memory()
    for _ in range(1000):
        step(*program.batches[0])
    cuda.synchronize()
    after = cuda.memory()
    assert (after.used, after.free) == (before.used, before.free)


def test_the_memory_of_a_deleted_graph_returns_to_the_device() -> None:
    x = on_device(np.zeros(1 << 26, "f"))  # 256 MiB, as each array of the graph
    cuda.empty_cache()
    before = cuda.memory().free
    step = cuda.capture(lambda x: F.sum(F.exp(x) * 2.0))
    for _ in range(4):
        step(x)
    del step
    gc.collect()
    cuda.empty_cache()
    assert cuda.memory().free > before - (128 << 20)  # less than one array


@pytest.mark.parametrize("what", ["read", "error", "Ctrl-C", "full device"])
def test_a_step_that_fails_changes_nothing(what: str) -> None:
    program, calls = Program(), [0]

    @cuda.capture
    def step(x: Any, t: Any) -> Any:
        loss = program.step(x, t)
        calls[0] += 1
        if what == "read":
            float(loss)
        elif calls[0] == 3 and what == "error":
            raise ValueError
        elif calls[0] == 3 and what == "Ctrl-C":
            raise KeyboardInterrupt
        elif calls[0] == 3:
            F.broadcast_to(loss, (cuda.memory().total,)) * 2.0
        return loss

    errors = {
        "read": CaptureError, "error": ValueError, "Ctrl-C": KeyboardInterrupt,
        "full device": OutOfMemory,
    }  # fmt: skip
    for _ in range(2):
        step(*program.batches[0])
    before = program.params()
    with pytest.raises(errors[what]):
        step(*program.batches[0])
    assert same(program.params(), before)
    program.step(*program.batches[0])
    assert not same(program.params(), before)


def test_a_step_is_captured_again_for_a_replaced_parameter_or_another_dtype() -> None:
    w = Parameter(on_device(np.ones(3, "f")))
    step = cuda.capture(lambda x: x * w)
    for dtype in ("float32", "float64") * 4:
        assert step(on_device(np.full(3, 2, dtype))).dtype == dtype
    w.data = on_device(np.full(3, 5, "f"))
    for _ in range(4):
        assert cuda.as_numpy(step(on_device(np.full(3, 2, "f"))).data).tolist() == [10.0] * 3


def test_many_small_arrays_are_joined_in_a_captured_step() -> None:
    step = cuda.capture(lambda x: F.stack([x * float(k) for k in range(20)]))
    x = on_device(np.ones(3, "f"))
    found = [cuda.as_numpy(step(x).data).tolist() for _ in range(4)]
    assert found == [[[float(k)] * 3 for k in range(20)]] * 4


def test_nested_captures_and_steps_without_results_can_be_captured() -> None:
    seen = on_device(np.zeros(3, "f"))

    def add(x: Any) -> None:
        seen[...] += x

    inner = cuda.capture(add)
    outer = cuda.capture(lambda x: inner(x))
    for _ in range(6):
        assert outer(on_device(np.ones(3, "f"))) is None
    assert cuda.capture(outer) is outer
    assert cuda.as_numpy(seen).tolist() == [6.0] * 3
