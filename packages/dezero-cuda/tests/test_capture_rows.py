"""Test that captured steps gather the batches of a loader inside their graphs, on the stand-in."""

from __future__ import annotations

from typing import Any

import cupy
import numpy as np
import pytest

import dezero_core
from dezero_core import Variable
from dezero_core.errors import ArgumentError, CaptureError
from dezero_core.extend import generator
from dezero_cuda.capture import WARM_UPS, capture

nn = pytest.importorskip("dezero_nn", reason="models and optimizers are dezero-nn's")
io = pytest.importorskip("dezero_io", reason="loaders are dezero-io's")

X, T = np.random.default_rng(1).random((16, 4), "f"), np.arange(16) % 3


def batches(rank: int, size: int, **settings: Any) -> Any:
    data = io.Dataset()
    data.data, data.label = X, T
    loader = io.DataLoader(data, 6, generator=np.random.default_rng(0)).share(rank, size)
    return loader.to_gpu(resident=True, **settings)


class Program:
    """Create a model and a training step; each instance starts from equal values."""

    def __init__(self) -> None:
        dezero_core.seed(0)
        self.model = nn.Sequential(nn.layers.Linear(3, in_size=4)).to("cuda")
        self.optimizer = nn.optimizers.Adam(0.1).setup(self.model)

    def step(self, x: Any, t: Any) -> Any:
        loss = nn.softmax_cross_entropy(self.model(x), t)
        self.model.cleargrads()
        loss.backward()
        self.optimizer.update()
        return loss


def losses(deferred: bool, rank: int, size: int) -> list[float]:
    """Return the losses of five epochs, the second of which is continued from a checkpoint."""
    program = Program()
    step = capture(program.step) if deferred else program.step
    loader = batches(rank, size, deferred=deferred)
    found = [float(step(x, t)) for x, t in [*loader, next(loader)]]
    state = loader.state_dict()
    next(loader)
    loader.load_state_dict(state)
    for _ in range(4):
        found += [float(step(x, t)) for x, t in loader]
    if deferred:
        assert len(step._graphs) == 2  # one graph for the short batches
    return found


@pytest.mark.parametrize(("rank", "size"), [(0, 1), (1, 2)])
def test_losses_equal_those_of_eager_steps_bit_for_bit(rank: int, size: int) -> None:
    found = losses(True, rank, size)
    assert found == losses(False, rank, size)
    assert len(found) == 15 == len(set(found))


def test_a_replay_gathers_in_its_graph_and_copies_only_numbers() -> None:
    step = capture(Program().step)
    loader = batches(0, 1, deferred=True)
    for _ in range(WARM_UPS + 1):
        loader.reset()
        step(*next(loader))
    batch = next(loader)
    cupy._counts.clear()
    step(*batch)
    counts = {name: cupy._counts[name] for name in ("graphs", "to_host", "from_host", "launches")}
    assert counts == {"graphs": 1, "to_host": 0, "from_host": 1, "launches": 0}
    assert all(x.is_deferred for x in batch)


def test_rows_may_be_read_before_in_and_after_a_step() -> None:
    step = capture(lambda x: x * 2)
    seen = []
    loader = batches(0, 1, deferred=True)
    for k in range(3 * (WARM_UPS + 3)):
        x, _ = next(loader) if k % 3 else next(iter(loader))
        if k % 2:
            assert x.data is x.data
        y = step(x).data.tolist()
        assert y == (x.data * 2).tolist()
        seen.append(str(y))
    assert len(set(seen)) > 6


def test_arguments_of_different_batches_are_gathered_from_their_own_orders() -> None:
    step = capture(lambda x, y: x - y)
    one, other = batches(0, 1, deferred=True), batches(0, 1, deferred=True)
    for k in range(10):
        x, z, y = next(iter(one))[0], next(iter(one))[0], next(iter(other))[0]
        second = (x, y, z)[k % 2 + k // 9]
        assert step(x, second).data.tolist() == (x.data - second.data).tolist()
    assert len(step._graphs) == 2


def test_a_new_dataset_is_gathered_from_its_own_copy() -> None:
    loader = batches(0, 1, deferred=True)
    step = capture(lambda x: x + 1)
    for k in range(8):
        if k == 5:
            loader.dataset.data = X + 1
        x, _ = next(iter(loader))
        assert step(x).data.tolist() == (x.data + 1).tolist()


def test_a_weight_that_a_graph_would_contain_is_refused() -> None:
    loader = batches(0, 2)
    step = capture(lambda x, weight=None: x * (weight or loader.weight))
    for _ in range(WARM_UPS):
        step(next(loader)[0])
        loader.reset()
    batch, _ = next(loader)
    with pytest.raises(CaptureError, match="reading DataLoader.weight .*pass it as an argument"):
        step(batch)
    for _ in range(WARM_UPS + 2):
        assert step(batch, loader.weight).tolist() == (batch * 0.5).tolist()


def noisy(x: Any) -> Any:
    return x + generator().random(x.shape, "f")


SETTINGS: list[dict[str, Any]] = [
    {"num_workers": 1},
    {"collate_fn": lambda examples: [np.array([x for x, _ in examples])]},
    {"drop_last": True},
    {"sampler": [3, 3, 8, 1, 0]},
]


@pytest.mark.parametrize("settings", SETTINGS, ids=lambda settings: next(iter(settings)))
def test_captured_steps_take_the_batches_of_any_loader(settings: dict[str, Any]) -> None:
    found = []
    for make in (lambda f: f, capture):
        data = io.Dataset(transform=noisy)
        data.data = X
        loader = io.DataLoader(data, 3, generator=np.random.default_rng(0), **settings)
        step = make(lambda x: x * 2)
        loader.to_gpu()
        found.append([step(x).tolist() for _ in range(WARM_UPS + 2) for x, *_ in loader])
    assert found[0] == found[1] and len(step._graphs) == 2 - ("drop_last" in settings)


def test_an_evaluation_on_several_ranks_is_captured() -> None:
    step, found = capture(lambda x: x * 2), []
    for rank in range(2):
        data = io.Dataset()
        data.data, data.label = X, T
        loader = io.DataLoader(data, 6, shuffle=False).share(rank, 2, training=False)
        loader.to_gpu(deferred=True)
        for _ in range(2):
            results = [row for x, _ in loader for row in step(x).data.tolist()]
        found += results
    assert found == (X * 2).tolist()
    assert len(step._graphs) == 2


def test_deferred_batches_are_variables_like_any_other() -> None:
    x, t = next(iter(batches(0, 1, deferred=True)))
    assert isinstance(x, Variable) and x.shape == (6, 4) and len(t) == 6
    assert not x.requires_grad and x.is_deferred
    assert x.dtype == "float32" and not x.is_deferred
    plain = next(iter(batches(0, 1)))
    assert type(plain[0]) is cupy.ndarray
    assert plain[0].tolist() == x.data.tolist() and plain[1].tolist() == t.data.tolist()
    with pytest.raises(CaptureError, match="NumPy arrays and arrays on a GPU"):
        capture(lambda x, y: x)(next(iter(batches(0, 1, deferred=True)))[0], np.ones(2))


def test_rows_that_are_not_resident_cannot_be_deferred() -> None:
    loader = batches(0, 1)
    with pytest.raises(ArgumentError, match="resident is False, but rows are gathered"):
        loader.to_gpu(resident=False, deferred=True)
    assert loader.resident is not None
    pairs = io.DataLoader([(1.0, 2)], 1)
    with pytest.raises(ArgumentError, match=r"to_gpu\(deferred=True\): examples must be the same"):
        pairs.to_gpu(deferred=True)
    assert not pairs.gpu
