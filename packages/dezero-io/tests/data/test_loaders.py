"""Test loaders: batches, orders, sequences and devices."""

import copy
import pickle

import numpy as np
import pytest

from dezero_core import Variable, seed
from dezero_core.backends import host
from dezero_core.backends.transfer import transfers
from dezero_core.errors import ArgumentError
from dezero_core.extend import Memory, backend_of, get_backend
from dezero_io import DataLoader, Dataset, SeqDataLoader, SinCurve
from dezero_io.data.deferred import DeferredRows, Positions
from dezero_io.data.transforms import AsType, Compose, Normalize, RandomHorizontalFlip


class Numbers(Dataset):
    def prepare(self) -> None:
        self.data = np.arange(10.0, dtype="float32").reshape(10, 1)
        self.label = np.arange(10)


def test_transforms_apply_to_examples_and_batches() -> None:
    data = Numbers(transform=lambda x: x * 2, target_transform=lambda t: t + 1)
    assert data[3] == (6.0, 4)
    x, t = data.gather(np.array([1, 2]))
    assert x.tolist() == [[2.0], [4.0]]
    assert t.tolist() == [2, 3]
    data.label = None
    assert data[3] == (6.0, None)
    assert data.gather(np.array([1]))[1] is None
    plain = Numbers()
    plain.label = None
    assert plain.gather(np.array([1]))[1] is None


def test_a_loop_yields_every_example_once() -> None:
    loader = DataLoader(Numbers(), 4)
    assert (len(loader), loader.max_iter, loader.data_size) == (3, 3, 10)
    batches = list(loader)
    assert [len(x) for x, _ in batches] == [4, 4, 2]
    labels = np.concatenate([t for _, t in batches])
    assert sorted(labels) == list(range(10))
    assert np.array_equal(np.concatenate([x for x, _ in batches])[:, 0], labels)
    assert batches[0][0].dtype == np.float32


def test_order() -> None:
    assert [t.tolist() for _, t in DataLoader(Numbers(), 5, shuffle=False)] == [
        [0, 1, 2, 3, 4],
        [5, 6, 7, 8, 9],
    ]

    def order(loader: DataLoader) -> list[int]:
        return [int(i) for _, t in loader for i in t]

    first = DataLoader(Numbers(), 4, generator=np.random.default_rng(1))
    second = DataLoader(Numbers(), 4, generator=np.random.default_rng(1))
    assert order(first) == order(second)
    assert order(first) != order(first)
    try:
        seed(5)
        once = order(DataLoader(Numbers(), 4))
        seed(5)
        assert once == order(DataLoader(Numbers(), 4))
    finally:
        host.streams().seeded = None


def test_a_loop_after_an_abandoned_one_starts_anew() -> None:
    loader = DataLoader(Numbers(), 4)
    for _ in loader:
        break
    assert len(list(loader)) == 3
    assert loader.next()[0].shape == (4, 1)
    assert len(list(loader)) == 3


def test_any_sequence_of_pairs_is_a_dataset() -> None:
    pairs = [(np.ones(2) * i, i) for i in range(3)]
    x, t = next(iter(DataLoader(pairs, 3, shuffle=False)))
    assert x.shape == (3, 2)
    assert t.tolist() == [0, 1, 2]
    x, t = next(iter(DataLoader([(1.0, None)], 1)))
    assert t is None


def test_batches_are_copied_to_the_backend(backend: str) -> None:
    loader = DataLoader(Numbers(), 4).to(backend)
    x, t = next(iter(loader))
    assert backend_of(x) is backend_of(t) is get_backend(backend)
    assert backend_of(next(iter(loader.to_gpu()))[0]).name == "cuda"
    assert backend_of(next(iter(loader.to_cpu()))[0]).name == "numpy"
    assert backend_of(next(iter(DataLoader(Numbers(), 4, gpu=True)))[0]).name == "cuda"


def test_batch_size_must_be_positive() -> None:
    with pytest.raises(ArgumentError, match="batch_size 0"):
        DataLoader(Numbers(), 0)


def test_rows_of_a_seq_data_loader_are_parallel_sequences() -> None:
    loader = SeqDataLoader(Numbers(), 3)
    labels = [t.tolist() for _, t in loader]
    assert labels == [[0, 3, 6], [1, 4, 7], [2, 5, 8], [3, 6, 9]]
    assert [t.tolist() for _, t in loader] == labels
    shapes = [x.shape for x, _ in SeqDataLoader(SinCurve(), 30)]
    assert shapes == [(30, 1)] * 34
    wraps = [t.tolist() for _, t in SeqDataLoader(Numbers(), 6)]
    assert wraps == [[0, 1, 2, 3, 4, 5], [1, 2, 3, 4, 5, 6]]
    with pytest.raises(ArgumentError, match="batch_size 11 for 10 examples"):
        SeqDataLoader(Numbers(), 11)
    x, _ = next(iter(SeqDataLoader(Numbers(), 2, gpu=True)))
    assert backend_of(x).name == "cuda"


class Arrays(Dataset):
    def prepare(self) -> None:
        self.data = np.arange(20.0, dtype="float32").reshape(10, 2)
        self.label = np.arange(10)


def moved(action) -> int:
    """Return the number of arrays that an action copies to the device."""
    before = transfers["from_host"]
    action()
    return transfers["from_host"] - before


def test_a_dataset_that_fits_is_stored_on_the_device() -> None:
    half = Compose([AsType("float32"), Normalize(0, 2)])
    loader = DataLoader(Arrays(transform=half), 4, shuffle=False)
    assert moved(loader.to_gpu) == 2, "examples and labels, once"
    batches = []
    assert moved(lambda: batches.extend(loader)) == 1, "the order"
    host = get_backend("cuda").to_numpy
    assert np.array_equal(np.concatenate([host(x) for x, _ in batches]), Arrays().data / 2)
    assert np.array_equal(np.concatenate([host(t) for _, t in batches]), np.arange(10))
    assert loader.to_cpu().resident is None


def test_batches_are_copied_if_the_dataset_may_change(monkeypatch) -> None:
    changing = Arrays(transform=RandomHorizontalFlip())
    for dataset in (changing, Arrays(transform=lambda x: x), [(np.ones(2), 1)] * 10):
        loader = DataLoader(dataset, 5)
        assert moved(loader.to_gpu) == 0
        assert moved(lambda loader=loader: list(loader)) == 4
        with pytest.raises(ArgumentError, match="examples must be the same each time"):
            loader.to_gpu(resident=True)
    loader = DataLoader(Arrays(), 5)
    assert moved(lambda: loader.to_gpu(resident=False)) == 0
    backend = get_backend("cuda")
    monkeypatch.setattr(type(backend), "memory", lambda self: Memory(0, 0, 100, 200), raising=False)
    assert moved(loader.to_gpu) == 0, "more than half of what is free"
    assert moved(lambda: loader.to_gpu(resident=True)) == 2


def test_copies_of_deferred_rows_are_variables_and_new_data_has_its_own_shape() -> None:
    def rows() -> DeferredRows:
        return DeferredRows(np.arange(8.0).reshape(4, 2), Positions(np.array([3, 0, 1]), 1, 3))

    for copied in (copy.copy(rows()), copy.deepcopy(rows()), pickle.loads(pickle.dumps(rows()))):
        assert type(copied) is Variable and copied.data.tolist() == [[0, 1], [2, 3]]
    x = rows()
    assert x.shape == (2, 2) and x.is_deferred
    x.data = np.zeros((5, 1))
    assert x.shape == (5, 1) and len(x) == 5 and not x.is_deferred


@pytest.mark.parametrize("rank", [0, 3])
def test_an_order_is_the_same_on_host_and_device(rank: int) -> None:
    labels = []
    for move in (lambda loader: loader, lambda loader: loader.to_gpu(resident=True)):
        loader = move(DataLoader(Arrays(), 3, generator=np.random.default_rng(5)))
        loader.share(rank, rank + 1)
        labels.append([as_host(t) for _, t in loader])
    assert str(labels[0]) == str(labels[1])


def as_host(x):
    return x if isinstance(x, np.ndarray) else get_backend("cuda").to_numpy(x)
