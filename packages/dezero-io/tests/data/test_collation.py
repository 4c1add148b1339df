"""Test the batches that loaders build from every form of examples."""

from collections import namedtuple
from typing import Any

import numpy as np
import pytest

from dezero_core import Variable
from dezero_core.errors import ArgumentError, ShapeError
from dezero_core.extend import backend_of
from dezero_io import DataLoader, Dataset, SeqDataLoader

Point = namedtuple("Point", "x t")
F4 = np.arange(3, dtype="float32")


def seen(batch: Any) -> Any:
    """Return a batch with each array replaced by its dtype and shape."""
    if isinstance(batch, np.ndarray):
        assert type(batch) is np.ndarray and batch.dtype.isnative
        return f"{batch.dtype.name}{list(batch.shape)}"
    if isinstance(batch, dict):
        return {key: seen(part) for key, part in batch.items()}
    if hasattr(batch, "_fields"):
        return Point(*map(seen, batch))
    return type(batch)(map(seen, batch)) if isinstance(batch, tuple | list) else batch


class MapStyle:
    """A dataset with only ``__len__`` and ``__getitem__``, as in PyTorch."""

    def __len__(self) -> int:
        return 2

    def __getitem__(self, number: int) -> Any:
        assert type(number) is int
        return F4 * number, number


EXAMPLES: dict[str, tuple[Any, Any]] = {
    "pairs": ([(F4, 0), (F4, 1)], ("float32[2, 3]", "int64[2]")),
    "three parts": ([(F4, 1, 2.5)] * 2, ("float32[2, 3]", "int64[2]", "float64[2]")),
    "one part": ([(F4,)] * 2, ("float32[2, 3]",)),
    "named tuples": ([Point(F4, 1)] * 2, Point("float32[2, 3]", "int64[2]")),
    "lists": ([[F4, 1]] * 2, ["float32[2, 3]", "int64[2]"]),
    "dictionaries": (
        [{"x": F4, "t": True, "meta": {"id": 3, "name": "ab"}}] * 2,
        {"x": "float32[2, 3]", "t": "bool[2]", "meta": {"id": "int64[2]", "name": "str64[2]"}},
    ),
    "pairs of dictionaries": ([({"a": F4}, 1)] * 2, ({"a": "float32[2, 3]"}, "int64[2]")),
    "pairs of pairs": ([((F4, F4[:2]), 1)] * 2, (("float32[2, 3]", "float32[2, 2]"), "int64[2]")),
    "vectors as tuples": ([((0.0, 1.0), 1)] * 2, ("float64[2, 2]", "int64[2]")),
    "vectors as lists": ([([0, 1], 1)] * 2, ("int64[2, 2]", "int64[2]")),
    "array of rows": (np.ones((2, 2), "f"), "float32[2, 2]"),
    "array of numbers": (np.arange(2, dtype="u1"), "uint8[2]"),
    "list of arrays": ([F4, F4], "float32[2, 3]"),
    "ints": ([1, 2], "int64[2]"),
    "range": (range(2), "int64[2]"),
    "bools": ([True, False], "bool[2]"),
    "NumPy's numbers": ([np.float32(1), np.float32(2)], "float32[2]"),
    "promoted": ([1, 2.5], "float64[2]"),
    "no label": ([(F4, None)] * 2, ("float32[2, 3]", None)),
    "text": (["a", "bc"], "str64[2]"),
    "map-style": (MapStyle(), ("float32[2, 3]", "int64[2]")),
    "Variables": ([(Variable(F4), 1)] * 2, ("float32[2, 3]", "int64[2]")),
    "big-endian": (np.ones((2, 3), ">f4"), "float32[2, 3]"),
    "big-endian parts": ([(F4.astype(">f4"), 1)] * 2, ("float32[2, 3]", "int64[2]")),
    "float16": (np.ones((2, 3), "e"), "float16[2, 3]"),
    "objects": (np.array([F4, F4, 0], object)[:2], "float32[2, 3]"),
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_batches_have_the_form_of_examples(name: str) -> None:
    dataset, expected = EXAMPLES[name]
    assert seen(next(iter(DataLoader(dataset, 2)))) == expected
    assert seen(next(iter(SeqDataLoader(dataset, 2)))) == expected


def test_an_array_of_two_columns_is_rows() -> None:
    rows = np.arange(8.0).reshape(4, 2)
    batches = list(DataLoader(rows, 2, shuffle=False))
    assert np.array_equal(np.concatenate(batches), rows)
    with pytest.warns(PendingDeprecationWarning):
        matrix = np.matrix(rows)
    assert seen(next(iter(DataLoader(matrix, 2)))) == "float64[2, 2]"


UNLIKE: dict[str, tuple[Any, type[Exception], str]] = {
    "ragged": ([(F4, 0), (F4[:2], 1)], ShapeError, r"part \[0\] of example 1 is .*\(2,\), .* 0 is"),
    "ragged lists": ([[1, 2], [1]], ArgumentError, "example 1 is a list of 1, example 0 is a list"),
    "ragged vectors": ([([1, 2], 0), ([1], 0)], ShapeError, r"\(1,\)"),
    "lengths": ([(1, 2), (1, 2, 3)], ArgumentError, "example 1 is a tuple of 3"),
    "keys": ([{"a": 1}, {"b": 1}], ArgumentError, "keys 'b', example 0 .* keys 'a'"),
    "containers": ([(1, 2), [1, 2]], ArgumentError, "a list of 2, example 0 is a tuple of 2"),
    "not a dictionary": ([{"a": 1}, 3], ArgumentError, "example 1 is a value of type int"),
    "a dictionary": ([3, {"a": 1}], ArgumentError, "example 1 is a dictionary with keys 'a'"),
    "nested": ([{"a": {"b": F4}}, {"a": {"b": 1}}], ShapeError, r"\['a'\]\['b'\] of example 1"),
    "no examples": ([None, None], ArgumentError, "example 0: expected numbers .* NoneType"),
    "some None": ([(1, 2), (1, None)], ArgumentError, r"part \[1\] of example 1 is None"),
    "text and numbers": ([(1, 2), (1, "a")], ArgumentError, "is text, .* is a number"),
    "sets": ([{1}, {2}], ArgumentError, "example 0: expected numbers or text, got set"),
    "bytes": ([b"a", b"b"], ArgumentError, "np.frombuffer"),
    "huge": ([2**70, 1], ArgumentError, "example 0: expected numbers or text, got int"),
    "empty": ([(), ()], ArgumentError, r"example 0 is empty: \(\)"),
    "masked": ([np.ma.array([1, 2])] * 2, ArgumentError, "masked array; fill the gaps"),
    "masked rows": (np.ma.array([1, 2]), ArgumentError, "masked array; fill the gaps"),
    "fields": (np.zeros(2, [("a", "i4")]), ArgumentError, "example 0: expected numbers or text"),
}  # fmt: skip


@pytest.mark.parametrize("name", UNLIKE)
def test_errors_of_stacking_name_the_example(name: str) -> None:
    dataset, error, message = UNLIKE[name]
    with pytest.raises(error, match=message):
        list(DataLoader(dataset, 2, shuffle=False))


def test_collate_fn_makes_the_batches(backend: str) -> None:
    ragged = [np.ones(n + 1, "f") for n in range(3)]

    def padded(examples: list[Any]) -> Any:
        return {"x": np.stack([np.resize(x, 3) for x in examples]), "n": [len(x) for x in examples]}

    (batch,) = DataLoader(ragged, 3, shuffle=False, collate_fn=padded).to(backend)
    assert backend_of(batch["x"]).name == backend and batch["n"] == [1, 2, 3]
    table = Table()
    assert list(DataLoader(table, 6, shuffle=False, collate_fn=len).to_gpu()) == [6]


def test_every_part_goes_to_the_device(backend: str) -> None:
    (batch,) = DataLoader([{"x": (F4, [F4]), "name": "a", "t": None}], 1).to(backend)
    x, (y,) = batch["x"]
    assert {backend_of(x).name, backend_of(y).name} == {backend}
    assert batch["name"].tolist() == ["a"] and batch["t"] is None


def test_errors_of_a_dataset_are_raised_with_a_note() -> None:
    class Broken(MapStyle):
        def __getitem__(self, number: int) -> Any:
            raise StopIteration if number else KeyError("mine")

    batches = iter(DataLoader(Broken(), 1, shuffle=False))
    with pytest.raises(KeyError, match="mine") as caught:
        next(batches)
    assert caught.value.__notes__ == ["DataLoader: this was example 0 of the dataset"]
    with pytest.raises(RuntimeError, match="example 1 raised StopIteration"):
        next(batches)


class Table(Dataset):
    def prepare(self) -> None:
        self.data, self.label = np.arange(12.0).reshape(6, 2), list(range(6))


def test_a_dataset_is_indexed_like_an_array() -> None:
    data = Table(transform=lambda x: x.reshape(-1), target_transform=lambda t: t * 2)
    assert [part.shape for part in data[1:4]] == [(3, 2), (3,)]
    assert data[[1, 2]][1].tolist() == data[np.arange(6) % 4 == 1][1].tolist()[:1] + [4]
    assert data[np.int64(-1)][1] == 10
    data.label = [0]
    with pytest.raises(ShapeError, match="Table: 6 examples, 1 labels"):
        data[:2]


def test_errors_of_transforms_name_the_example() -> None:
    data = Table(transform=lambda x: np.ones(int(x[0]) // 6 + 1))
    with pytest.raises(ShapeError, match=r"part \[0\] of example 3 .* of example 2 "):
        data.gather(np.array([2, 3]))
    views = Table(transform=lambda x: {"one": x, "two": x[:1]})
    assert seen(views[:2][0]) == {"one": "float64[2, 2]", "two": "float64[2, 1]"}


@pytest.mark.parametrize("dtype", ["?", "u1", "i1", "e", ">f4", ">i8", "g"])
def test_data_of_any_dtype(dtype: str, tmp_path: Any) -> None:
    class Rows(Dataset):
        def prepare(self) -> None:
            self.data = np.memmap(tmp_path / "x", dtype, "w+", shape=(4, 2))
            self.label = np.arange(4).astype(">u1")
            self.data.flags.writeable = False

    x, t = next(iter(DataLoader(Rows(), 4)))
    assert type(x) is np.ndarray and x.dtype == np.dtype(dtype).newbyteorder("=")
    assert x.flags.writeable and t.dtype.isnative
    assert type(Rows()[0][0]) is np.ndarray


def test_stop_iteration_in_a_transform_or_collate_fn_is_an_error() -> None:
    numbers = iter([1.0, 2.0])
    for loader in (
        DataLoader(np.arange(10.0), 1, collate_fn=lambda examples: next(numbers)),
        DataLoader(Bytes(transform=lambda x: next(iter([]))), 1),
    ):
        with pytest.raises(RuntimeError, match="StopIteration"):
            list(loader)


class Bytes(Dataset):
    """A dataset with an attribute named ``batch``."""

    def prepare(self) -> None:
        self.batch = 32
        self.data = np.arange(4)


def test_a_dataset_may_have_an_attribute_batch() -> None:
    assert len(list(DataLoader(Bytes(), 2))) == 2


def test_pandas_objects_are_indexed_by_position() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"x": [0.0, 1, 2, 3], "y": [0, 10, 20, 30]}).iloc[[3, 2, 0, 1]]

    class Frame(Dataset):
        def prepare(self) -> None:
            self.data, self.label = frame[["x"]].to_numpy(), frame["y"]

    x, t = next(iter(DataLoader(Frame(), 4, shuffle=False)))
    assert t.tolist() == [30, 20, 0, 10] == (10 * x.ravel()).tolist()
    (series,) = SeqDataLoader(frame["x"], 4)
    assert series.tolist() == [3, 2, 0, 1]
    numbered = pandas.DataFrame(np.arange(12).reshape(3, 4))
    (batch,) = DataLoader(numbered, 3, shuffle=False)
    assert batch.tolist() == np.arange(12).reshape(3, 4).tolist()
