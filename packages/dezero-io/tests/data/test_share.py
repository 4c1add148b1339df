"""Test loaders that are shared by several ranks, here one after the other in one process."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from dezero_core.errors import ArgumentError, WeightsError
from dezero_core.extend import generator
from dezero_io import DataLoader, Dataset, SeqDataLoader, WeightedRandomSampler

ROWS = np.arange(11)


class Broadcast:
    """Return on later ranks what rank 0, which runs first, has passed."""

    def __init__(self) -> None:
        self.passed: list[Any] = []

    def of_rank(self, rank: int) -> Callable[[Any], Any]:
        def rank_0(value: Any) -> Any:
            self.passed.append(value)
            return value

        passed = iter(self.passed)
        return (lambda _: next(passed)) if rank else rank_0


def loops(make: Callable[[], DataLoader], size: int, count: int = 2) -> list[list[Any]]:
    """Return for each rank the pairs (batch, weight) of some loops."""
    broadcast = Broadcast()
    ranks = []
    for rank in range(size):
        loader = make().share(rank, size, broadcast.of_rank(rank))
        batches = [(x, loader.weight) for _ in range(count) for x in loader]
        assert len(batches) == count * len(loader)
        ranks.append(batches)
    assert len(broadcast.passed) == count
    return ranks


def seeded(**settings: Any) -> DataLoader:
    return DataLoader(ROWS, 4, generator=np.random.default_rng(0), **settings)


class Noisy(Dataset):
    """Add a random number, drawn for each example, to rows of zeros."""

    def prepare(self) -> None:
        self.data = np.zeros((11, 1))
        self.transform = lambda x: x + generator().random()


LOADERS: dict[str, Callable[[], DataLoader]] = {
    "shuffled": seeded,
    "in order": lambda: DataLoader(ROWS, 4, shuffle=False),
    "a weighted sampler": lambda: seeded(sampler=WeightedRandomSampler(np.arange(11))),
    "a list as sampler": lambda: DataLoader(ROWS, 4, sampler=[3, 3, 8, 1, 0]),
    "drop_last": lambda: seeded(drop_last=True),
    "workers": lambda: seeded(num_workers=2),
    "a collate_fn": lambda: seeded(collate_fn=np.array),
    "batches of one row": lambda: DataLoader(ROWS[:5], 1, generator=np.random.default_rng(1)),
    "sequences": lambda: SeqDataLoader(ROWS, 4),
    "one sequence": lambda: SeqDataLoader(ROWS[:4], 1),
}


@pytest.mark.parametrize("size", [1, 2, 3, 5])
@pytest.mark.parametrize("make", LOADERS.values(), ids=LOADERS)
def test_the_rows_of_all_ranks_are_the_batches_of_one_process(make: Any, size: int) -> None:
    if size > 2 and make().num_workers:
        return
    whole = make()
    for step in zip(*loops(make, size), [x for _ in range(2) for x in whole], strict=True):
        *parts, batch = step
        own = [x for x, weight in parts if weight]
        np.testing.assert_array_equal(np.concatenate(own), batch)
        assert [weight * len(batch) for _, weight in parts if weight] == list(map(len, own))
        assert all(x.tolist() == batch[:1].tolist() for x, weight in parts if not weight)
        mean = sum(weight * x.mean() for x, weight in parts)
        np.testing.assert_allclose(mean, batch.mean(), rtol=1e-15)
    assert whole.weight == 1.0


def test_ranks_follow_the_order_of_rank_0_whatever_they_draw() -> None:
    seeds = iter(range(3))
    ranks = loops(lambda: DataLoader(ROWS, 4, generator=np.random.default_rng(next(seeds))), 3)
    expected = DataLoader(ROWS, 4, generator=np.random.default_rng(0))
    for parts, batch in zip(zip(*ranks, strict=True), list(expected) + list(expected), strict=True):
        np.testing.assert_array_equal(np.concatenate([x for x, _ in parts]), batch)


def test_transforms_draw_other_numbers_on_each_rank_for_any_number_of_workers() -> None:
    def drawn(size: int, **settings: Any) -> list[Any]:
        def make() -> DataLoader:
            return DataLoader(Noisy(), 4, generator=np.random.default_rng(0), **settings)

        return [np.concatenate([x for (x, _), _ in rank]) for rank in loops(make, size)]

    alone, ranks = drawn(1), drawn(2)
    assert len(np.unique(np.concatenate(ranks))) == 22
    np.testing.assert_array_equal(ranks[0][:2], alone[0][:2])
    for with_workers, without in zip(drawn(2, num_workers=2), ranks, strict=True):
        np.testing.assert_array_equal(with_workers, without)


@pytest.mark.parametrize(
    ("saved_by", "size", "settings"),
    [(1, 1, {}), (1, 3, {"num_workers": 1}), (2, 1, {}), (2, 3, {"collate_fn": np.array})],
)
def test_a_pass_is_continued_by_any_number_of_ranks(
    saved_by: int, size: int, settings: dict[str, Any]
) -> None:
    loader = seeded().share(0, saved_by)
    next(loader)
    state = loader.state_dict()
    whole = seeded()
    rest = (list(whole) + list(whole))[1:]
    broadcast = Broadcast()
    parts = []
    for rank in range(size):
        resumed = seeded(**settings).share(rank, size, broadcast.of_rank(rank))
        if rank < 2:  # the position of rank 0 reaches the third rank
            resumed.load_state_dict(state)
        parts.append([x for _ in range(2) for x in resumed])
    for step, batch in zip(zip(*parts, strict=True), rest, strict=True):
        np.testing.assert_array_equal(np.concatenate(step), batch)
    iterator = iter(seeded().share(0, 2))
    iterator.load_state_dict(state)
    np.testing.assert_array_equal(next(iterator), rest[0][:2])


@pytest.mark.parametrize("size", [1, 2, 3, 13])
@pytest.mark.parametrize(
    "settings",
    [{}, {"shuffle": False}, {"sampler": list(range(11))[::-1]}, {"collate_fn": np.array}],
)
def test_in_evaluation_every_example_occurs_once(size: int, settings: dict[str, Any]) -> None:
    rows: list[int] = []
    for rank in range(size):
        loader = DataLoader(ROWS, 4, **settings).share(rank, size, training=False)
        batches = list(loader)
        assert len(batches) == len(loader)
        assert all(len(x) <= -(-4 // size) for x in batches)
        assert loader.weight == 1.0
        rows += [i for x in batches for i in x.tolist()]
    assert sorted(rows) == ROWS.tolist()


def test_workers_load_the_parts_of_an_evaluation() -> None:
    loaders = [DataLoader(ROWS, 4, num_workers=r).share(r, 2, training=False) for r in range(2)]
    rows = [i for loader in loaders for x in loader for i in x.tolist()]
    assert sorted(rows) == ROWS.tolist()


def test_an_evaluation_continues_on_the_same_ranks_only() -> None:
    def share(rank: int, size: int) -> DataLoader:
        return DataLoader(ROWS, 4).share(rank, size, training=False)

    loader = share(1, 2)
    first = next(loader).tolist()
    again = share(1, 2)
    again.load_state_dict(loader.state_dict())
    assert sorted(first + np.concatenate(list(again)).tolist()) == [5, 6, 7, 8, 9, 10]
    for rank, size in ((0, 2), (1, 3), (0, 1)):
        with pytest.raises(WeightsError, match="damaged|inside a pass"):
            share(rank, size).load_state_dict(loader.state_dict())


def test_sequences_are_split_in_evaluation_too() -> None:
    loaders = [SeqDataLoader(ROWS, 4).share(rank, 3, training=False) for rank in range(3)]
    for *parts, batch in zip(*loaders, SeqDataLoader(ROWS, 4), strict=True):
        np.testing.assert_array_equal(np.concatenate(parts), batch)
    with pytest.raises(ArgumentError, match="each rank needs a sequence to evaluate"):
        SeqDataLoader(ROWS, 4).share(0, 5, training=False)


def in_a_loop() -> DataLoader:
    loader = seeded()
    next(loader)
    return loader


def restored() -> DataLoader:
    loader = seeded()
    loader.load_state_dict(in_a_loop().state_dict())
    return loader


WRONG: list[tuple[Callable[[], object], str]] = [
    (lambda: seeded().share(2, 2), "rank is 2; expected a number below size, 2"),
    (lambda: seeded().share(-1, 2), "rank -1 is below 0"),
    (lambda: seeded().share(0, 0), "size 0 is below 1"),
    (lambda: seeded().share(0, 2, 3), "broadcast is 3; expected a function"),  # type: ignore[arg-type]
    (lambda: seeded().share(0, 2).share(1, 2), "shared already, as rank 0 of 2; make a new"),
    (lambda: in_a_loop().share(0, 2), "a loop over the loader is in progress"),
    (lambda: seeded().share(0, 2, training=2), "training is 2"),  # type: ignore[arg-type]
    (lambda: seeded().share(0, 2, lambda x: x, training=False), "leave broadcast out"),
    (lambda: restored().share(0, 2, training=False), "restored inside a pass over the whole"),
    (lambda: seeded(drop_last=True).share(0, 2, training=False), "leave drop_last out"),
    (
        lambda: seeded(sampler=WeightedRandomSampler([1])).share(0, 2, training=False),
        "of type WeightedRandomSampler may draw different indices on each rank",
    ),
]


@pytest.mark.parametrize(("share", "message"), WRONG)
def test_wrong_shares_are_refused(share: Callable[[], object], message: str) -> None:
    with pytest.raises(ArgumentError, match=re.escape(message)):
        share()


@pytest.mark.parametrize("other", [DataLoader(ROWS[:9], 4), DataLoader(ROWS, 5)])
def test_ranks_with_other_data_or_settings_are_refused(other: DataLoader) -> None:
    broadcast = Broadcast()
    next(seeded().share(0, 2, broadcast.of_rank(0)))
    with pytest.raises(
        ArgumentError, match="rank 1 has .* rank 0 has 11 examples, batch_size 4, 3"
    ):
        next(other.share(1, 2, broadcast.of_rank(1)))


def test_a_shared_loader_says_so() -> None:
    assert repr(seeded().share(1, 2)).endswith("rank 1 of 2)")
