"""Test the gradients that optimizers get on several ranks."""

import copy
import gc
import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from weakref import ref

import numpy as np
import pytest

from dezero_core import Buffer, Parameter, grad_ready
from dezero_core.errors import CommunicatorError, GraphError
from dezero_core.extend import unwrap
from dezero_core.functions import concat
from dezero_core.grad_ready import grad_ready_callbacks
from dezero_core.state import named_params
from dezero_io import DataLoader, load_weights, save_weights
from dezero_nn import Layer, Model
from dezero_nn import functions as F
from dezero_nn import layers as L
from dezero_nn.optimizers import SGD, Adam, ClipGrad, WeightDecay, clip_grad_norm
from dezero_parallel import Alone
from dezero_parallel.averaging import Averaging
from dezero_parallel.buckets import Flat

sys.path.insert(0, str(Path(__file__).parent))
from parallel_ranks import run_ranks, succeed
from programs import MLP, distance, made, weights

X = np.random.default_rng(1).normal(size=(14, 36))
T = np.arange(14) % 4


class TwoHeads(Model):
    """Use one layer for positive inputs, another for the other inputs, and never the third."""

    def __init__(self) -> None:
        super().__init__()
        self.positive, self.other, self.unused = (
            L.Linear(4, in_size=36, dtype="float64") for _ in range(3)
        )

    def forward(self, x: Any) -> Any:
        parts = [(self.positive if row[0] > 0 else self.other)(row[None]) for row in x]
        return concat(parts)


def program(
    world: Any, model: Model, steps: int = 2, batch_size: int = 5, **settings: Any
) -> dict[str, Any]:
    """Train with clipping and decay; return weights, and the steps counted by Adam."""
    loader = world.share(DataLoader(list(zip(X, T, strict=True)), batch_size, shuffle=False))
    optimizer = world.parallel(Adam(lr=0.01).setup(model), **settings)
    optimizer.add_group(lambda p: p.ndim < 2, lr=0.1)
    clip = ClipGrad(0.1)
    optimizer.add_hook(WeightDecay(0.01))
    optimizer.add_hook(clip)
    for _ in range(steps):
        for x, t in loader:
            model.cleargrads()
            F.softmax_cross_entropy(model(x), t).backward()
            optimizer.update()
    counts = {key: state["t"] for key, state in optimizer.state_dict()["parameters"].items()}
    return {**weights(model), "norm": np.array(clip.norm), "updated": np.array(sorted(counts))}


LARGE = {"bucket_bytes": 200}  # several gradients are larger
CUT = {**LARGE, "overlap": True}


@pytest.mark.parametrize("settings", [{}, LARGE, CUT], ids=["small", "large", "cut"])
@pytest.mark.parametrize("kind", [MLP, TwoHeads])
def test_branches_hooks_and_groups_see_the_mean(
    kind: Callable[[], Model], settings: dict[str, Any]
) -> None:
    models = [made(kind, number) for number in range(3)]
    alone = program(Alone(), made(kind))
    ranks = succeed(3, lambda world: program(world, models[world.rank], **settings))
    assert (alone.pop("updated") == ranks[0].pop("updated")).all()
    ranks[0].pop("unused", None)
    assert distance(ranks[0], alone) < 1e-14


def accumulating(world: Any, model: Model, guarded: bool = True, **settings: Any) -> dict[str, Any]:
    """Add up the gradients of batches of 12 and 2 rows before each update."""
    loader = world.share(DataLoader(list(zip(X, T, strict=True)), 12, shuffle=False))
    optimizer = world.parallel(SGD(0.1).setup(model), **settings)
    for _ in range(3):
        model.cleargrads()
        batches = iter(loader)
        x, t = next(batches)
        if guarded:
            with optimizer.accumulate():
                F.softmax_cross_entropy(model(x), t).backward()
        else:
            F.softmax_cross_entropy(model(x), t).backward()
        x, t = next(batches)
        F.softmax_cross_entropy(model(x), t).backward()
        optimizer.update()
    return weights(model)


@pytest.mark.parametrize("settings", [{}, LARGE], ids=["small", "large"])
def test_gradients_of_batches_of_different_sizes_add_up(settings: dict[str, Any]) -> None:
    models = [made(MLP) for _ in range(3)]
    alone = accumulating(Alone(), made(MLP))
    for found in succeed(3, lambda world: accumulating(world, models[world.rank], **settings)):
        assert distance(found, alone) < 1e-15


def test_a_second_backward_without_accumulate_is_an_error() -> None:
    models = [made(MLP) for _ in range(2)]
    for error in run_ranks(2, lambda world: accumulating(world, models[world.rank], False)):
        assert isinstance(error, GraphError)
        assert "SGD: backward ran twice before update()" in str(error)


def test_gradients_that_are_cleared_between_two_passes_do_not_count() -> None:
    def run(world: Any, model: Model) -> dict[str, Any]:
        optimizer = world.parallel(SGD(0.1).setup(model))
        for step in range(2):
            with optimizer.accumulate() if step else nullcontext():
                model(X).sum().backward()
            model.cleargrads()
            F.softmax_cross_entropy(model(X), T).backward()
            optimizer.update()
            model.cleargrads()
        return weights(model)

    models = [made(MLP) for _ in range(2)]
    found = succeed(2, lambda world: run(world, models[world.rank]))
    assert distance(found[0], run(Alone(), made(MLP))) < 1e-15


def test_a_gradient_that_the_program_clips_before_the_update_is_an_error() -> None:
    def run(world: Any) -> None:
        model = models[world.rank]
        optimizer = world.parallel(SGD().setup(model))
        F.softmax_cross_entropy(model(X), T).backward()
        clip_grad_norm(model, 1e-3)
        optimizer.update()

    models = [made(MLP) for _ in range(2)]
    for error in run_ranks(2, run):
        assert isinstance(error, GraphError)
        assert "pass the change to optimizer.add_hook" in str(error)


def test_two_models_with_two_optimizers() -> None:
    def run(world: Any, one: Model, other: Model) -> dict[str, Any]:
        loader = world.share(DataLoader(X, 6, shuffle=False))
        optimizers = [world.parallel(Adam().setup(model)) for model in (one, other)]
        for x in loader:
            for model, factor in ((one, 1.0), (other, -1.0)):
                one.cleargrads()
                other.cleargrads()
                (factor * ((one(x) - other(x)) ** 2).mean()).backward()
                optimizers[model is other].update()
        return {**weights(one), **{f"other/{key}": x for key, x in weights(other).items()}}

    pairs = [(made(MLP, 1), made(MLP, 2)) for _ in range(3)]
    alone = run(Alone(), made(MLP, 1), made(MLP, 2))
    for found in succeed(3, lambda world: run(world, *pairs[world.rank])):
        assert distance(found, alone) < 1e-14


class Mixed(Layer):
    """Hold parameters of two dtypes, a statistic and a counter."""

    def __init__(self) -> None:
        super().__init__()
        self.half = Parameter(np.ones(3, "float16"))
        self.double = Parameter(np.ones((2, 0, 3)))
        self.mean = Buffer(np.zeros(2), reduce="mean")
        self.count = Buffer(np.zeros(2))


def test_dtypes_are_kept_and_only_statistics_are_averaged() -> None:
    def run(world: Any) -> dict[str, Any]:
        layer = Mixed()
        optimizer = world.parallel(SGD(1.0).setup(layer))
        layer.mean.data = layer.count.data = np.full(2, float(world.rank))
        layer.half.grad = np.full(3, world.rank, "float16")
        optimizer.update()
        return {key: x.data for key, x in named_params(layer).items()}

    for rank, found in enumerate(succeed(3, run)):
        assert found["half"].dtype == np.float16
        assert found["half"].tolist() == [0, 0, 0]
        assert found["mean"].tolist() == [1, 1]
        assert found["count"].tolist() == [rank, rank]


def test_parameters_may_be_loaded_and_added_between_updates(tmp_path: Path) -> None:
    save_weights(made(MLP, 5), tmp_path / "other.npz")

    def run(world: Any, model: Any) -> dict[str, Any]:
        optimizer = world.parallel(SGD(0.1).setup(model), **LARGE)
        for step in range(3):
            model.cleargrads()
            F.softmax_cross_entropy(model(X), T).backward()
            optimizer.update()
            if step == 0:
                load_weights(model, tmp_path / "other.npz")
                model.l1 = L.Linear(5, in_size=7, dtype="float64")
                for x in model.l1.params():
                    x.data[...] = 0.5
        return weights(model)

    models = [made(MLP) for _ in range(2)]
    for found in succeed(2, lambda world: run(world, models[world.rank])):
        assert distance(found, run(Alone(), made(MLP))) < 1e-15


def test_a_freed_optimizer_listens_no_longer() -> None:
    def run(world: Any) -> Any:
        (hook,) = world.parallel(SGD().setup(made(MLP))).first_hooks
        return ref(hook)

    hooks = succeed(2, run)
    before = len(grad_ready_callbacks())
    gc.collect()
    assert [hook() for hook in hooks] == [None, None]
    assert len(grad_ready_callbacks()) <= before - 2


def test_a_parameter_that_only_one_rank_adds_is_an_error_on_all() -> None:
    def run(world: Any) -> None:
        model: Any = models[world.rank]
        optimizer = world.parallel(SGD().setup(model))
        for step in range(2):
            model.cleargrads()
            F.softmax_cross_entropy(model(X), T).backward()
            optimizer.update()
            if step == 0 and world.rank == 1:
                model.l2 = L.Linear(2, in_size=3)

    models = [made(MLP) for _ in range(3)]
    for error in run_ranks(3, run):
        assert isinstance(error, CommunicatorError)
        assert "rank 1 on" in str(error)
        assert "l2/W: missing on rank 0, (3, 2) float32 on rank 1" in str(error)


def test_a_gradient_that_the_program_still_holds_does_not_change() -> None:
    def run(world: Any) -> bool:
        model: Any = models[world.rank]
        optimizer = world.parallel(SGD().setup(model))
        held = []
        for step in range(3):
            model.cleargrads()
            (model(X) * float(step + 1)).sum().backward()
            optimizer.update()
            grad = next(iter(model.params())).grad
            assert grad is not None
            held.append((grad.data[:1], grad.data[:1].copy()))
            if step == 1:
                model.added = Parameter(np.ones(2))
        return all((view == values).all() for view, values in held)

    models = [made(MLP) for _ in range(2)]
    assert succeed(2, run) == [True, True]


def variable_of(x: Any) -> Any:
    """Return the gradient of ``x``, a Variable."""
    return x.grad


@pytest.mark.parametrize(
    "hold",
    [variable_of, lambda x: x.grad.data, lambda x: x.grad.data[:1], id],
    ids=["variable", "array", "view", "nothing"],
)
def test_a_large_gradient_is_summed_in_place_if_the_program_does_not_hold_it(hold: Any) -> None:
    def run(world: Any) -> tuple[bool, bool, Any]:
        model: Any = models[world.rank]
        optimizer = world.parallel(SGD().setup(model), **LARGE)
        (model(X) * (1.0 + world.rank)).sum().backward()
        number, mine = id(model.l0.W.grad.data), model.l0.W.grad.data.copy()
        held = hold(model.l0.W)
        optimizer.update()
        mean = model.l0.W.grad.data
        is_kept = hold is id or np.array_equal(unwrap(held)[:1], mine[:1])
        return is_kept, id(mean) == number, (mine, mean)

    models = [made(MLP) for _ in range(2)]
    found = succeed(2, run)
    assert [result[:2] for result in found] == [(True, hold is id)] * 2
    mean = (found[0][2][0] + found[1][2][0]) / 2
    for _, _, (_, summed) in found:
        np.testing.assert_allclose(summed, mean, rtol=1e-15)


def test_a_large_parameter_is_cut_and_small_ones_share_a_bucket() -> None:
    xs = [Parameter(np.zeros(size)) for size in (3, 4, 25, 2, 9)]
    flat = Flat(list(xs), 80, cut_large=True)  # 10 numbers
    sizes = [bucket.stop - bucket.start for bucket in flat.buckets]
    assert sizes == [7 + 2, 10, 10, 5 + 2 + 2, 9 + 1 + 2]  # a slot has a flag in its last bucket
    assert [len(slot.buckets) for slot in flat.slots] == [1, 1, 3, 1, 1]
    assert [slot.stop - slot.start for slot in flat.slots] == [3, 4, 25, 2, 9]
    flat = Flat(list(xs), 80, cut_large=False)
    sizes = [bucket.stop - bucket.start for bucket in flat.buckets]
    assert sizes == [9 + 4, 9 + 1 + 2]  # the large parameter has only a flag


def test_a_parallel_optimizer_cannot_be_copied() -> None:
    def run(world: Any) -> None:
        copy.deepcopy(world.parallel(SGD().setup(made(MLP))))

    (error,) = run_ranks(1, run)
    assert isinstance(error, CommunicatorError)
    assert "cannot be copied or pickled" in str(error)


def test_a_meeting_while_gradients_are_sent_is_an_error() -> None:
    def run(world: Any) -> None:
        model = models[world.rank]
        optimizer = world.parallel(SGD().setup(model), overlap=True)
        for _ in range(2):
            model.cleargrads()
            model(X).sum().backward()
            world.mean(0.0)
            optimizer.update()

    models = [made(MLP) for _ in range(2)]
    for error in run_ranks(2, run):
        assert isinstance(error, CommunicatorError)
        assert str(error).startswith("world.mean: called between backward() and update()")


@pytest.mark.parametrize("retain_graph", [False, True])
def test_backward_sends_gradients_after_the_last_sum_of_a_graph(
    monkeypatch: pytest.MonkeyPatch, retain_graph: bool
) -> None:
    """A retained graph may compute its sums again, so its gradients are sent by the update."""
    monkeypatch.setattr(grad_ready, "GROUP_SIZE", 1)

    def run(world: Any) -> list[int]:
        model: Any = models[world.rank]
        optimizer = world.parallel(SGD().setup(model), bucket_bytes=100, overlap=True)
        engine, sizes = world.collectives.communicator, list[int]()
        start = engine.start
        for _ in range(2):  # the first pass shows the order
            y = model.l1(world.all_sum(model.l0(X)))
            model.cleargrads()
            engine.start = lambda array: [sizes.append(array.size), start(array)][1]
            sizes.clear()
            y.sum().backward(retain_graph=retain_graph)
            engine.start = start
            optimizer.update()
        return sizes

    models = [made(MLP) for _ in range(2)]
    first, *others = succeed(2, run)[0]
    assert first == 14 * 7
    assert bool(others) is not retain_graph


def test_frozen_parameters_are_not_sent_until_they_thaw() -> None:
    def run(world: Any, model: Any) -> tuple[dict[str, Any], list[int]]:
        optimizer = world.parallel(SGD(0.1).setup(model))
        sizes = []
        for step in range(4):
            for x in model.l0.params():
                x.requires_grad = step in (1, 2)
            model.cleargrads()
            F.softmax_cross_entropy(model(X), T).backward()
            optimizer.update()
            sizes += [flat.size for hook in optimizer.first_hooks for flat in hook.flats]
        return weights(model), sizes

    models = [made(MLP) for _ in range(2)]
    alone, _ = run(Alone(), made(MLP))
    for found, sizes in succeed(2, lambda world: run(world, models[world.rank])):
        assert distance(found, alone) < 1e-15
        assert sizes == [36, 297, 297, 36]  # 32 weights and 2 flags, or 291 and 4, and 2 numbers


def checksums(size: int, lr: float) -> list[int]:
    """Return the checksums of a learning rate in the first 8 steps of a job of ``size`` ranks."""
    stub: Any = SimpleNamespace(optimizer=SGD(), _values=[], _settings=lambda: {"lr": lr})
    found = []
    for step in range(8):
        stub.world = SimpleNamespace(size=size, collectives=SimpleNamespace(step=step))
        found.append(Averaging._settings_checksum(stub))
    return found


@pytest.mark.parametrize("size", [1, 128, 129, 136, 137, 1000, 3000])
def test_sums_of_checksums_are_exact_in_float16(size: int) -> None:
    found = checksums(size, 0.1)
    assert max(found) * size <= 2048
    assert len(set(found)) > 1 or size == 3000


def test_checksums_of_different_settings_differ_within_8_steps() -> None:
    expected = checksums(136, 0.1)
    same = [k for k in range(2000) if checksums(136, float(f"0.{k}")) == expected]
    assert {float(f"0.{k}") for k in same} == {0.1}


def test_a_learning_rate_that_differs_is_named_on_all_ranks() -> None:
    def run(world: Any) -> None:
        model = models[world.rank]
        optimizer = world.parallel(SGD(0.1).setup(model))
        for step in range(9):
            model.cleargrads()
            model(X).sum().backward()
            optimizer.update()
            if step == 1:  # a schedule that takes each rank's own loss
                optimizer.lr = 0.1 / (1 + world.rank)

    models = [made(MLP) for _ in range(3)]
    for error in run_ranks(3, run):
        assert isinstance(error, CommunicatorError)
        assert "lr: 0.1 on rank 0, 0.05 on rank 1; set the same on all ranks" in str(error)
