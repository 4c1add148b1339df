"""Test datasets made of other datasets, and orders drawn by samplers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import dezero_core
from dezero_core.errors import ArgumentError, ShapeError
from dezero_io import (
    ConcatDataset,
    DataLoader,
    Spiral,
    Subset,
    TensorDataset,
    WeightedRandomSampler,
    load_checkpoint,
    random_split,
    save_checkpoint,
)


def test_a_tensor_dataset_pairs_rows() -> None:
    x, t = np.arange(6.0).reshape(3, 2), np.array([4, 5, 6])
    dataset = TensorDataset(x, t)
    assert len(dataset) == 3
    np.testing.assert_array_equal(dataset[1][0], [2, 3])
    xs, ts = next(iter(DataLoader(dataset, 2, shuffle=False)))
    np.testing.assert_array_equal(xs, x[:2])
    np.testing.assert_array_equal(ts, [4, 5])
    with pytest.raises(ShapeError, match=r"shapes \(3, 2\), \(2,\); expected equal lengths"):
        TensorDataset(x, t[:2])
    with pytest.raises(ShapeError, match="expected equal lengths"):
        TensorDataset(np.array(1.0))
    with pytest.raises(ArgumentError, match="no arrays"):
        TensorDataset()


def test_a_subset_selects_examples() -> None:
    subset = Subset(Spiral(), [5, 0, -1])
    assert len(subset) == 3
    xs, ts = next(iter(DataLoader(subset, 3, shuffle=False)))
    np.testing.assert_array_equal(ts, Spiral().label[[5, 0, -1]])
    np.testing.assert_array_equal(xs[0], subset[0][0])
    letters = Subset(["a", "b", "c"], [2, 0])
    assert [x.tolist() for x in DataLoader(letters, 2, False)] == [["c", "a"]]
    assert len(Subset([1, 2], [])) == 0
    for wrong, message in (([3], "index 3, the dataset has 3"), ([0.5], "one axis of integers")):
        with pytest.raises(ArgumentError, match=message):
            Subset([1, 2, 3], wrong)


def test_datasets_are_concatenated() -> None:
    dataset = ConcatDataset([[1, 2], np.array([3]), [4, 5]])
    assert len(dataset) == 5
    assert [dataset[i] for i in range(-5, 5)] == [1, 2, 3, 4, 5] * 2
    assert [x.tolist() for x in DataLoader(dataset, 2, False)] == [[1, 2], [3, 4], [5]]
    with pytest.raises(IndexError, match="index 5 of 5"):
        dataset[5]
    with pytest.raises(ArgumentError, match="no datasets"):
        ConcatDataset([])


@pytest.mark.parametrize(
    ("lengths", "sizes"),
    [
        ([8, 2], [8, 2]),
        ([0.8, 0.2], [8, 2]),
        ([0.5, 0.25, 0.25], [6, 2, 2]),
        ([10, 0], [10, 0]),
        ([1.0], [10]),
        ([0.0, 1.0], [0, 10]),
    ],
)
def test_a_random_split_has_parts_without_common_examples(
    lengths: list[float], sizes: list[int]
) -> None:
    rng = np.random.default_rng(0)
    parts = random_split(list(range(10)), lengths, rng)
    assert [len(part) for part in parts] == sizes
    assert sorted(part[i] for part in parts for i in range(len(part))) == list(range(10))
    again = random_split(list(range(10)), lengths, np.random.default_rng(0))
    assert [list(part.indices) for part in again] == [list(part.indices) for part in parts]


@pytest.mark.parametrize("lengths", [[8, 3], [0.5, 0.6], [-1, 11], [], [0, 1]])
def test_lengths_that_do_not_fit_are_refused(lengths: list[float]) -> None:
    with pytest.raises(ArgumentError, match="random_split: "):
        random_split(list(range(10)), lengths)


def test_a_weighted_sampler_draws_by_weight() -> None:
    dezero_core.seed(0)
    loader = DataLoader([0, 1, 2], 100, sampler=WeightedRandomSampler([1, 0, 3], 1000))
    assert len(loader) == 10
    counts = np.bincount(np.concatenate(list(loader)), minlength=3)
    assert counts[1] == 0
    assert 700 < counts[2] < 800
    once = WeightedRandomSampler([1, 1, 2], replacement=False)
    assert sorted(once) == [0, 1, 2]
    assert set(WeightedRandomSampler([1e308, 0, 1e308], 40)) == {0, 2}
    own = [
        np.concatenate(
            list(DataLoader(range(9), 2, sampler=sampler, generator=np.random.default_rng(3)))
        )
        for sampler in [WeightedRandomSampler(np.ones(9))] * 2
    ]
    np.testing.assert_array_equal(*own)
    for weights in ([1, -1], [0, 0], [np.nan], [[1]]):
        with pytest.raises(ArgumentError, match="expected one axis of finite numbers"):
            WeightedRandomSampler(weights)
    with pytest.raises(ArgumentError, match="only 1 weights are positive"):
        WeightedRandomSampler([1, 0], replacement=False)


def test_a_sampler_determines_the_order() -> None:
    loader = DataLoader([10, 11, 12, 13], 2, sampler=[3, 3, 0])
    assert [x.tolist() for x in loader] == [[13, 13], [10]]
    assert len(loader) == 2
    wrong: list[tuple[Any, str]] = [
        (iter([1]), "sampler is of type list_iterator; expected an object with a length"),
        (3, "sampler is of type int"),
    ]
    for sampler, message in wrong:
        with pytest.raises(ArgumentError, match=message):
            DataLoader([1, 2], 1, sampler=sampler)
    with pytest.raises(ArgumentError, match="DataLoader: the sampler has no indices"):
        DataLoader([1, 2], 1, sampler=[])
    with pytest.raises(ArgumentError, match="drop_last leaves no batch of 1 .* of at most 1"):
        DataLoader([1, 2, 3], 2, sampler=[0], drop_last=True)
    with pytest.raises(ArgumentError, match="shuffle=True and a sampler"):
        DataLoader([1, 2], 1, shuffle=True, sampler=[0])
    for order, message in (([2], "yielded 2, the dataset has 2 ex"), ([0.5], "yielded float64")):
        with pytest.raises(ArgumentError, match=message):
            list(DataLoader([1, 2], 1, sampler=order))


def test_a_checkpoint_stores_the_order_of_a_sampler(tmp_path: Any) -> None:
    loader = DataLoader(range(5), 2, sampler=[4, 4, 0, 2])
    next(loader)
    save_checkpoint(tmp_path / "c.npz", loader=loader)
    other = DataLoader(range(5), 2, sampler=[1, 1, 1, 1])
    load_checkpoint(tmp_path / "c.npz", loader=other)
    assert next(other).tolist() == [0, 2]
