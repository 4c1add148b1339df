"""Test what the ranks compare, share, sum, save and load."""

import copy
import os
import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dezero_core import Parameter, Variable, grad_ready
from dezero_core.errors import ArgumentError, CommunicatorError, SaveError
from dezero_core.state import named_params
from dezero_io import Checkpointer, DataLoader, TensorDataset
from dezero_nn import Sequential
from dezero_nn import functions as F
from dezero_nn import layers as L
from dezero_nn.optimizers import LBFGS, SGD, Adam, Muon, Optimizer
from dezero_parallel import Alone, World, world, worlds
from dezero_parallel.shares import Shares
from dezero_parallel.signatures import versions
from dezero_parallel.threads import Job, ThreadCommunicator

sys.path.insert(0, str(Path(__file__).parent))
from parallel_ranks import run_ranks, succeed
from programs import CNN, MLP, distance, made, train, weights

X, T = np.random.default_rng(1).normal(size=(11, 3)), np.arange(11) % 4


def share_another(ranks: World) -> None:
    ranks.share(DataLoader(np.zeros((4 + ranks.rank, 2)), 2))


def lazy_parameter_of_another_value(ranks: World) -> None:
    model = L.Linear(2)
    optimizer = ranks.parallel(SGD().setup(model))
    model(np.zeros((1, 3), "float32"))
    assert model.W is not None
    model.W.data[...] = ranks.rank
    optimizer.update()


def parallel(make: Callable[[int], Any]) -> Callable[[World], Any]:
    return lambda ranks: ranks.parallel(make(ranks.rank))


DIFFERENT: dict[str, tuple[Callable[[World], Any], str]] = {
    "a shape": (
        parallel(lambda rank: SGD().setup(L.Linear(2, in_size=3 + rank))),
        "another model than rank 0 on .*: W: .3, 2. float32 on rank 0, .4, 2. float32 on rank 1",
    ),
    "a dtype": (
        parallel(lambda rank: SGD().setup(L.Linear(2, in_size=3, dtype=f"float{32 << rank}"))),
        "float64 on rank 1",
    ),
    "an order": (
        parallel(
            lambda rank: SGD().setup(
                {key: Parameter(np.zeros(2)) for key in ("ab" if rank else "ba")}
            )
        ),
        "rank 0 has the order b, a; rank 1 a, b",
    ),
    "a model": (
        parallel(lambda rank: SGD().setup([CNN, MLP][rank]())),
        "conv/W: .* missing on rank 1",
    ),
    "a rate": (parallel(lambda rank: SGD(0.1 + rank).setup(MLP())), "lr: 0.1 on rank 0, 1.1 on"),
    "a rule": (parallel(lambda rank: [SGD(), Adam()][rank].setup(MLP())), "optimizer: SGD on rank"),
    "data": (share_another, "another loader .*: examples: 4 on rank 0, 5 on rank 1; "),
    "examples": (
        lambda ranks: ranks.share(DataLoader(np.full((4, 2), ranks.rank), 2)),
        "another loader .*: SHA-256 of some examples: [0-9a-f]{12} on rank 0",
    ),
    "labels of a dataset": (
        lambda ranks: ranks.share(
            DataLoader(TensorDataset(X, np.arange(len(X)) % (2 + ranks.rank)), 2)
        ),
        "another loader .*: SHA-256 of some examples: [0-9a-f]{12} on rank 0",
    ),
    "a first weight": (lazy_parameter_of_another_value, "another SHA-256 of its weights .*: W: "),
}


@pytest.mark.parametrize("name", DIFFERENT)
def test_a_rank_that_differs_is_named_on_all_ranks(name: str) -> None:
    function, message = DIFFERENT[name]
    errors = run_ranks(2, function)
    assert str(errors[0]) == str(errors[1])
    for error in errors:
        assert isinstance(error, CommunicatorError)
        with pytest.raises(CommunicatorError, match=f"^[a-z.]+: rank 1 on .*{message}"):
            raise error


def test_another_version_is_named(monkeypatch: Any) -> None:
    found = iter([versions(), {**versions(), "DeZero": "0.0"}])
    monkeypatch.setattr(worlds, "versions", lambda: next(found))
    for error in run_ranks(2, lambda ranks: None):
        assert isinstance(error, CommunicatorError)
        assert "another set of versions than rank 0" in str(error)
        assert "DeZero: " in str(error)


def test_sums_of_different_numbers_of_values_are_refused() -> None:
    for error in run_ranks(2, lambda ranks: ranks.sum(*range(1 + ranks.rank))):
        with pytest.raises(CommunicatorError, match=r"the ranks pass \[1, 2\] numbers"):
            raise error


def test_ranks_at_different_places_are_named() -> None:
    errors = run_ranks(2, lambda ranks: ranks.mean(1.0) if ranks.rank else ranks.sum(1.0))
    assert "rank 0 waits at: world.sum; expected the same calls" in str(errors[1])
    assert "rank 1 waits at: world.mean; expected the same calls" in str(errors[0])


@pytest.mark.parametrize("size", [1, 2, 3, 20])
def test_an_evaluation_counts_every_example_once(size: int) -> None:
    def evaluate(ranks: Any) -> list[float]:
        loader = ranks.share(DataLoader(X, 4, shuffle=False), training=False)
        total, count = 0.0, 0
        for x in loader:
            total, count = total + x.sum(), count + len(x)
        return list(ranks.sum(total, count))

    for total, count in succeed(size, evaluate):
        assert count == 11
        assert total == pytest.approx(X.sum(), abs=1e-14)


def test_the_mean_counts_rows_and_loaders_of_other_batches_are_refused() -> None:
    def run(ranks: World) -> float:
        loader = ranks.share(DataLoader(X, 11, shuffle=False))
        (x,) = loader
        mean = ranks.mean(Variable(x[:, 0]).mean())
        other = ranks.share(DataLoader(X, 10, shuffle=False))
        next(iter(loader)), next(iter(other))
        with pytest.raises(CommunicatorError, match="the batches of 2 loaders give this rank"):
            ranks.mean(0.0)
        next(iter(loader))
        assert ranks.weight == loader.weight
        return mean

    assert succeed(2, run) == [pytest.approx(X[:, 0].mean(), abs=1e-15)] * 2


def test_more_ranks_than_rows_are_refused_in_training() -> None:
    loaders = [DataLoader(X[:2], batch_size=3) for _ in range(6)]
    for error in run_ranks(3, lambda ranks: ranks.share(loaders[ranks.rank])):
        with pytest.raises(ArgumentError, match="3 ranks, and 2 rows in the largest batch"):
            raise error
    succeed(3, lambda ranks: ranks.share(loaders[3 + ranks.rank], training=False) and None)


def test_a_loader_whose_loop_has_ended_has_no_weight_in_the_loop_over_another() -> None:
    def run(ranks: World) -> list[float]:
        loaders = [ranks.share(DataLoader(X[:rows], 4)) for rows in (7, 8)]
        return [ranks.mean(len(x)) for loader in loaders for x in loader]

    assert succeed(2, run) == [[2, pytest.approx(5 / 3), 2, 2]] * 2


def test_an_order_is_sent_only_if_the_ranks_have_drawn_different_orders() -> None:
    def run(ranks: World) -> list[int]:
        engine, sent = ranks.collectives.communicator, list[Any]()
        broadcast, counts = engine.broadcast, []
        for seed in (0, ranks.rank):
            generator = np.random.default_rng(seed)
            loader = ranks.share(DataLoader(X, 6, generator=generator))
            engine.broadcast = lambda value: [sent.append(value), broadcast(value)][1]
            rows = [row.tolist() for batch in loader for row in batch]
            engine.broadcast = broadcast
            every = [row for part in engine.gather(rows) for row in part]
            assert sorted(every) == sorted(X.tolist())
            counts.append(len(sent))
        return counts

    assert succeed(2, run) == [[0, 1]] * 2


def test_a_loader_that_is_not_shared_is_named() -> None:
    def run(ranks: World) -> None:
        Shares(ranks.collectives).require_shared("optimizer.update")

    loader = DataLoader(X, batch_size=3)
    batches = iter(loader)
    next(batches)
    for error in run_ranks(2, run):
        with pytest.raises(CommunicatorError, match="which is not shared, so each rank computes"):
            raise error  # type: ignore[misc]
    loader.reset()
    succeed(2, run)


REFUSED: dict[str, tuple[Callable[[], Optimizer], dict[str, Any]]] = {
    "a rule that cannot be sharded": (Muon, {"shard": True}),
    "a rule that needs losses": (LBFGS, {}),
    "a size": (SGD, {"bucket_bytes": 0}),
}


@pytest.mark.parametrize("name", REFUSED)
def test_settings_that_do_not_fit_are_refused(name: str) -> None:
    rule, settings = REFUSED[name]
    (error,) = run_ranks(1, lambda ranks: ranks.parallel(rule().setup(MLP()), **settings))
    assert isinstance(error, ArgumentError)
    assert str(error).startswith("world.parallel: ")


def test_a_second_call_of_parallel_is_refused() -> None:
    def run(ranks: World) -> None:
        ranks.parallel(ranks.parallel(SGD().setup(MLP())))

    (error,) = run_ranks(1, run)
    assert "is parallel already" in str(error)


def test_each_rank_holds_its_part_of_the_state_and_any_number_of_ranks_loads_it(
    tmp_path: Path,
) -> None:
    def held(optimizer: Any) -> int:
        states = [*optimizer.param_states.values()]
        return sum(x.nbytes for state in states for x in state.values() if hasattr(x, "nbytes"))

    def first(ranks: Any, model: Any, shard: bool) -> int:
        optimizer = Adam()
        train(ranks, model, optimizer, 3, shard=shard)
        ranks.save(Checkpointer(tmp_path), 3, model=model, optimizer=optimizer)
        return held(optimizer)

    def rest(ranks: Any, model: Any, shard: bool) -> dict[str, Any]:
        optimizer = ranks.parallel(Adam().setup(model), shard=shard)
        last = ranks.load(Checkpointer(tmp_path), model=model, optimizer=optimizer)
        assert last.step == 3
        for _ in range(2):
            model.cleargrads()
            F.softmax_cross_entropy(model(np.ones((4, 36))), np.arange(4)).backward()
            optimizer.update()
        return weights(model)

    def with_models(function: Callable[..., Any], shard: bool) -> Callable[[World], Any]:
        models = [made(MLP) for _ in range(3)]
        return lambda ranks: function(ranks, models[ranks.rank], shard)

    whole = first(Alone(), made(MLP), False)
    expected = rest(Alone(), made(MLP), False)
    assert distance(succeed(3, with_models(rest, True))[2], expected) < 1e-14
    parts = succeed(2, with_models(first, True))
    assert sum(parts) == whole
    assert max(parts) <= whole / 2 + 16 * 2  # one element of each of Adam's two arrays
    assert distance(succeed(3, with_models(rest, True))[0], expected) < 1e-14
    assert distance(rest(Alone(), made(MLP), False), expected) < 1e-14


def test_an_error_while_rank_0_saves_is_raised_on_all_ranks(tmp_path: Path) -> None:
    def run(ranks: World) -> None:
        ranks.save(Checkpointer(tmp_path), 1, part=Broken())

    class Broken:
        def state_dict(self) -> dict[str, Any]:
            return {"a": object()}

        def load_state_dict(self, state: object) -> None:
            pass

    for error in run_ranks(2, run):
        assert isinstance(error, SaveError)
        assert "world.save: rank 0 on " in str(error)


def test_a_folder_that_is_not_shared_is_named(tmp_path: Path) -> None:
    def run(ranks: World) -> None:
        ranks.load(Checkpointer(tmp_path / str(ranks.rank)))

    for error in run_ranks(2, run):
        assert isinstance(error, CommunicatorError)
        assert "does not see the files of rank 0" in str(error)


def synchronized(ranks: Any, model: Any, rows: Any, **settings: Any) -> dict[str, Any]:
    """Train a model with two batch normalisations on four batches."""
    data = list(zip(rows, np.arange(len(rows)) % 4, strict=True))
    loader = ranks.share(DataLoader(data, 5, shuffle=False))
    optimizer = ranks.parallel(SGD(0.1).setup(model), **settings)
    ranks.synchronize(model)
    for _ in range(2):
        for x, t in loader:
            model.cleargrads()
            F.softmax_cross_entropy(model(x), t).backward()
            optimizer.update()
    return {key: x.data for key, x in named_params(model).items()}


def normalizing() -> Any:
    return Sequential(
        L.Linear(6, in_size=3, dtype="float64"),
        L.BatchNorm(6, dtype="float64"),
        F.sigmoid,
        L.Linear(4, in_size=6, dtype="float64"),
        L.BatchNorm(4, dtype="float64"),
    )


@pytest.mark.parametrize("settings", [{}, {"overlap": True, "bucket_bytes": 100}])
@pytest.mark.parametrize("group_size", [1, 1 << 17])
def test_a_synchronized_batch_normalisation_is_that_of_one_process(
    monkeypatch: Any, group_size: int, settings: dict[str, Any]
) -> None:
    """With groups of one element, the leaves are reported one by one, as in a large model."""
    monkeypatch.setattr(grad_ready, "GROUP_SIZE", group_size)
    rows = X[:7]  # the second batch has two rows for three ranks
    models = [made(normalizing) for _ in range(3)]
    alone = synchronized(Alone(), made(normalizing), rows)
    for found in succeed(
        3, lambda ranks: synchronized(ranks, models[ranks.rank], rows, **settings)
    ):
        assert distance(found, alone) < 1e-13


def test_a_synchronized_model_is_copied_but_not_pickled() -> None:
    def run(ranks: World) -> None:
        model = normalizing()
        ranks.synchronize(model)
        assert copy.deepcopy(model).l1.all_sum is model.l1.all_sum
        with pytest.raises(CommunicatorError, match="after world.synchronize cannot be pickled"):
            pickle.dumps(model)

    succeed(2, run)


def test_gradients_flow_through_a_sum_over_ranks() -> None:
    def run(ranks: World) -> tuple[Any, Any]:
        (rows,) = ranks.share(DataLoader(X, 11, shuffle=False))
        x = Variable(rows)
        weights = rows.shape[0] / 11
        loss = ranks.all_sum((x**2).sum(axis=0)).prod() * float(ranks.rank + 1)
        loss.backward(create_graph=True)
        assert x.grad is not None
        return x.grad.data * weights, weights * (ranks.rank + 1)

    found = succeed(2, run)
    x = Variable(X)
    ((x**2).sum(axis=0).prod() * sum(factor for _, factor in found)).backward()
    assert x.grad is not None
    np.testing.assert_allclose(np.concatenate([g for g, _ in found]), x.grad.data, rtol=1e-13)


def test_a_sum_over_ranks_does_not_depend_on_the_memory_order(monkeypatch: Any) -> None:
    def run(ranks: World) -> Any:
        x = X if ranks.rank else np.asfortranarray(X)
        return ranks.all_sum(Variable(x)).data

    start, orders = ThreadCommunicator.start, list[bool]()

    def start_and_note(self: Any, array: Any) -> Any:
        orders.append(array.flags.c_contiguous)
        return start(self, array)

    monkeypatch.setattr(ThreadCommunicator, "start", start_and_note)
    for total in run_ranks(2, run):
        assert (total == 2 * X).all()
    assert orders == [True, True]


def test_one_process_sums_nothing() -> None:
    x = Variable(X)
    (Alone().all_sum(x) ** 2).sum().backward()
    assert x.grad is not None
    assert (x.grad.data == 2 * X).all()


def test_world_returns_one_object_and_names_a_forked_process(monkeypatch: Any) -> None:
    rank = ThreadCommunicator(Job(1), 0)
    monkeypatch.setattr(worlds, "_found", [])
    monkeypatch.setattr(worlds, "get_communicator", lambda engine: rank)
    monkeypatch.setattr(worlds.Watcher, "start", lambda self: None)
    monkeypatch.setenv("DEZERO_TIMEOUT", "600")
    found = world(force=True)
    assert isinstance(found, World)
    assert world(timeout=3) is found
    assert found.watcher.timeout == 3 and os.environ["DEZERO_TIMEOUT"] == "3.0"
    with pytest.raises(ArgumentError, match="timeout is 0; expected seconds above 0"):
        world(timeout=0)
    monkeypatch.setattr(os, "getpid", lambda: -1)
    with pytest.raises(CommunicatorError, match="was forked from rank 0 of 1 on .*, step 0"):
        world()
    with pytest.raises(CommunicatorError, match="world.sum: called in process -1, which"):
        found.sum(1.0)
