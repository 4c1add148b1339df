"""Test loops over a loader: they are independent, and a checkpoint stores one of them."""

import copy
import pickle
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from dezero_core.errors import ArgumentError, CallError, WeightsError
from dezero_core.extend import backend_of
from dezero_io import DataLoader, Dataset, SeqDataLoader, Spiral


def loader(size: int = 10, batch_size: int = 3, **settings: Any) -> DataLoader:
    return DataLoader(list(range(size)), batch_size, generator=np.random.default_rng(0), **settings)


def labels(batches: Any) -> list[list[int]]:
    return [batch.tolist() for batch in batches]


LOADERS = {"shuffled": loader, "in order": lambda: SeqDataLoader(list(range(10)), 3)}


@pytest.mark.parametrize("make", LOADERS.values(), ids=LOADERS)
def test_loops_do_not_disturb_each_other(make: Any) -> None:
    batches = make()
    assert sum(1 for _ in batches for _ in batches) == 16
    assert len(list(zip(batches, batches, strict=True))) == 4
    seen = 0
    for _ in batches:
        next(iter(batches))
        next(batches)
        seen += 1
    assert seen == 4
    first, second = iter(batches), iter(batches)
    next(first), next(first)
    del second
    assert (len(first), len(list(first)), list(first), len(batches)) == (4, 2, [], 4)


def test_orders_are_drawn_when_loops_begin() -> None:
    batches, draw = loader(), np.random.default_rng(0)
    first, second = iter(batches), iter(batches)
    orders = [draw.permutation(10).tolist() for _ in range(2)]
    assert [np.concatenate(list(it)).tolist() for it in (second, first)] == orders[::-1]


def test_threads_may_loop_over_one_loader() -> None:
    batches, found = loader(), []

    def loop() -> None:
        found.append(sorted(int(i) for _ in range(20) for batch in batches for i in batch))

    threads = [threading.Thread(target=loop) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [sorted(list(range(10)) * 20)] * 3


def test_next_uses_one_pass_of_the_loader() -> None:
    batches = DataLoader(list(range(5)), 2, shuffle=False)
    assert [next(batches).tolist(), batches.next().tolist()] == [[0, 1], [2, 3]]
    assert next(batches).tolist() == [4]
    with pytest.raises(StopIteration):
        next(batches)
    assert next(batches).tolist() == [0, 1]
    batches.reset()
    assert next(batches).tolist() == [0, 1]
    assert len(list(batches)) == 3 and next(batches).tolist() == [0, 1]


def peek(batches: DataLoader) -> None:
    next(iter(batches))


def evaluate(batches: DataLoader) -> None:
    assert len(list(batches)) == 4


def look_and_leave(batches: DataLoader) -> None:
    for _ in batches:
        break


ASIDE = {"nothing": lambda batches: None, "peek": peek, "evaluate": evaluate,
         "leave": look_and_leave}  # fmt: skip


@pytest.mark.parametrize("make", LOADERS.values(), ids=LOADERS)
@pytest.mark.parametrize("aside", ASIDE.values(), ids=ASIDE)
def test_a_checkpoint_stores_the_loop_in_use(aside: Any, make: Any) -> None:
    def run(batches: DataLoader, steps: int) -> Iterator[list[int]]:
        while True:
            for batch in batches:
                aside(batches)
                steps -= 1
                yield batch.tolist()
                if not steps:
                    return

    for step in range(1, 10):
        batches, resumed = make(), make()
        going = run(batches, 10)
        for _ in range(step):
            next(going)
        resumed.load_state_dict(copy.deepcopy(batches.state_dict()))
        assert list(run(resumed, 10 - step)) == list(going), step


def test_the_position_of_an_abandoned_loop_is_saved() -> None:
    batches = loader()
    for step, _ in enumerate(batches):
        if step == 1:
            break
    assert batches.iteration == batches.state_dict()["iteration"] == 2
    resumed = loader()
    resumed.load_state_dict(batches.state_dict())
    assert (resumed.iteration, len(list(resumed)), resumed.iteration) == (2, 2, 0)
    assert len(list(resumed)) == len(list(batches)) == 4
    assert batches.state_dict()["index"] is None, "between two passes"
    for step, _ in enumerate(batches):
        if step == 3:
            break
    assert batches.iteration == 0, "left after its last batch"


def test_an_iterator_is_a_part_of_a_checkpoint() -> None:
    batches = loader()
    saved, other = iter(batches), iter(batches)
    next(saved), next(other), next(other)
    assert batches.iteration == 2, "the latest one begun"
    state = copy.deepcopy(saved.state_dict())
    expected = labels(saved)
    resumed = loader()
    resumed.load_state_dict(state)
    assert labels(resumed) == expected
    again = iter(loader())
    again.load_state_dict(state)
    assert labels(again) == expected
    batches.reset()
    assert batches.iteration == 0 and len(list(other)) == 2, "which goes on, unsaved"


@pytest.mark.parametrize(
    "copied", [copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))]
)
def test_a_copy_of_a_loader_has_its_position(copied: Any) -> None:
    batches = loader()
    for _ in batches:
        twin = copied(batches)
        assert twin.iteration == batches.iteration
        break
    assert (len(list(twin)), twin.iteration, batches.iteration) == (4, 0, 1)


def test_states_of_earlier_versions_can_be_loaded() -> None:
    order = np.arange(10)[::-1]
    state = {"iteration": 2, "index": order, "generator": loader().state_dict()["generator"]}
    batches = loader()
    batches.load_state_dict(state)
    assert labels(batches) == [[3, 2, 1], [0]]
    expected = np.random.default_rng(0).permutation(10)
    assert np.array_equal(np.concatenate(list(batches)), expected)
    batches.load_state_dict({**state, "iteration": 0})
    assert np.array_equal(np.concatenate(list(batches)), order), "an order drawn ahead"
    batches.load_state_dict({**state, "iteration": 4})
    assert [len(list(batches)), len(list(batches))] == [0, 4], "saved after the last batch"


def test_states_that_do_not_fit_are_refused() -> None:
    batches = loader()
    peek(batches)
    state = batches.state_dict()
    for changes, message in [
        ({"batch_size": 5}, "inside a pass with batch_size 5, the loader's batch_size is 3"),
        ({"size": 9}, "has 9 examples, the dataset 10"),
        ({"index": np.zeros(10, int)}, "order of the examples is damaged"),
        ({"iteration": -1}, "damaged"),
        ({"generator": None}, "only one"),
    ]:
        with pytest.raises(WeightsError, match=message):
            loader().load_state_dict({**state, **changes})
    for wrong in ({}, {"state": 1, 2: 3}, None):
        with pytest.raises(WeightsError, match="the state of a loader: got .* of state_dict"):
            loader().load_state_dict(wrong)
    batches.load_state_dict({**state, "iteration": 0, "batch_size": 5})
    assert len(list(batches)) == 4


def test_changes_apply_from_the_next_loop_on() -> None:
    batches = loader()
    running = iter(batches)
    batches.batch_size = 5
    batches.dataset.extend(range(10, 17))
    assert [len(batch) for batch in running] == [3, 3, 3, 1]
    assert (len(batches), batches.data_size, batches.max_iter) == (4, 17, 4)
    assert sorted(np.concatenate(list(batches))) == list(range(17))
    batches.dataset.clear()
    with pytest.raises(ArgumentError, match="no examples"):
        iter(batches)
    in_order = SeqDataLoader(list(range(10)), 3)
    in_order.batch_size = 11
    with pytest.raises(ArgumentError, match="batch_size 11 for 10 examples"):
        iter(in_order)


class Table(Dataset):
    def prepare(self) -> None:
        self.data, self.label = np.arange(4.0).reshape(4, 1), np.arange(4)


def test_a_changed_dataset_is_copied_to_the_device_again() -> None:
    batches = DataLoader(Table(), 10, shuffle=False).to_gpu(resident=True)
    batches.dataset.data, batches.dataset.label = np.ones((6, 1)), np.arange(6)
    ((x, t),) = batches
    assert x.shape == (6, 1) and backend_of(t).name == "cuda"


def test_the_books_attribute_gpu() -> None:
    batches = DataLoader(Spiral(), 100)
    assert batches.gpu is False
    batches.gpu = True
    assert batches.gpu is True and backend_of(next(batches)[0]).name == "cuda"
    assert batches.to_cpu().gpu is False and batches.to("numpy").gpu is False
    assert batches.to_gpu().gpu is True
    batches.gpu = False
    assert all(isinstance(x, np.ndarray) for x, t in batches)


def test_settings_of_loaders() -> None:
    pairs = [(1, 2)]
    for size in (2.5, 0, -1, True, "3", None, np.float32(2), np.int64(0)):
        with pytest.raises(ArgumentError, match="DataLoader: batch_size .* (integer|below 1)"):
            DataLoader(pairs, size)
        with pytest.raises(ArgumentError, match="batch_size"):
            loader().batch_size = size
    assert len(DataLoader(pairs * 5, np.int64(2))) == 3
    for dataset, message in [
        ([], "no examples"),
        (np.ones((0, 3)), "no examples"),
        ((pair for pair in pairs), "type generator, has no length"),
        (5, "type int, has no length"),
        ({1, 2}, "type set, has no examples at integer indices"),
        ({"x": np.ones(3)}, "dictionary with keys 'x' has no examples at integer indices"),
        (Dataset(), "Dataset: data is None; set it in prepare"),
    ]:
        with pytest.raises(ArgumentError, match=message):
            DataLoader(dataset, 1)
    with pytest.raises(ArgumentError, match=r"generator is .* int; expected a numpy.random.Gen"):
        DataLoader(pairs, 1, generator=0)
    with pytest.raises(ArgumentError, match="cannot define __next__"):
        type("Own", (DataLoader,), {"__next__": lambda self: None})


def test_repr_of_loaders_and_datasets() -> None:
    assert repr(Spiral()) == "Spiral(300 examples, train)"
    assert repr(Dataset(train=False)) == "Dataset(no examples yet, test)"
    assert repr(DataLoader(Spiral(), 30)) == (
        "DataLoader(Spiral(300 examples, train), batch_size=30, shuffle=True)"
    )
    assert repr(SeqDataLoader([1, 2], 2).to("numpy")) == (
        "SeqDataLoader(list of 2, batch_size=2, shuffle=False, on 'numpy')"
    )


def test_keywords_of_other_loaders_have_hints() -> None:
    for keyword in ("drop_last", "shuffle", "generator", "sampler"):
        with pytest.raises(
            CallError, match=f"SeqDataLoader: unknown keyword '{keyword}' .(every|the ex)"
        ):
            SeqDataLoader([1, 2], 1, **{keyword: None})


@pytest.mark.parametrize("name", ["shuffle", "gpu", "drop_last"])
def test_flags_are_true_or_false(name: str) -> None:
    for wrong in ("yes", "no", 2, 0.0, *([] if name == "shuffle" else [None])):
        with pytest.raises(
            ArgumentError, match=f"DataLoader: {name} is {wrong!r} .*; expected True"
        ):
            DataLoader([1, 2], 1, **{name: wrong})
    for right in (np.bool_(False), 0, np.int64(0)):
        assert getattr(DataLoader([1, 2], 1, **{name: right}), name) is False


@pytest.mark.parametrize("size", [3, 4, 9, 10, 1])
def test_drop_last(size: int) -> None:
    loader = DataLoader(np.arange(10), size, shuffle=False, drop_last=True)
    assert [len(x) for x in loader] == [size] * (10 // size)
    assert len(loader) == loader.max_iter == 10 // size
    assert next(loader).tolist() == list(range(size)), "as the first batch of a loop"
    other = DataLoader(np.arange(10), size, shuffle=False, drop_last=True)
    other.load_state_dict(loader.state_dict())
    assert [len(x) for x in other] == [size] * (10 // size - 1)


def test_dropping_the_only_batch_is_refused() -> None:
    with pytest.raises(ArgumentError, match="drop_last leaves no batch of 2 .* at most 2"):
        DataLoader([1, 2], 3, drop_last=True)
