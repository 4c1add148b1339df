"""Test the datasets that need no download."""

import sys
from typing import Any

import numpy as np
import pytest

from dezero_core.errors import ArgumentError, ArgumentTypeError, MissingPackage
from dezero_io import Characters, DataLoader, Dataset, Digits, SinCurve, Spiral

TEST_LABELS, TEST_PIXELS = 1618, 7021.875
"""The sums of the labels and pixels in the test part of Digits."""


def test_the_split_of_digits_is_fixed() -> None:
    train, test = Digits(), Digits(train=False)
    assert (len(train), len(test)) == (1437, 360)
    assert train.data.shape == (1437, 64)
    assert train.data.dtype == np.float32
    assert train.label.dtype == np.int64
    assert (train.data.min(), train.data.max()) == (0.0, 1.0)
    assert set(np.bincount(test.label)) <= {35, 36, 37}, "stratified"
    assert (int(test.label.sum()), float(test.data.sum())) == (TEST_LABELS, TEST_PIXELS)
    x, t = train[0]
    assert x.shape == (64,)
    assert t == train.label[0]


def test_digits_without_scikit_learn(monkeypatch: Any) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(MissingPackage, match=r"pip install 'dezero-io\[digits\]'"):
        Digits()


def test_the_spiral_is_the_books_and_draws_no_random_numbers() -> None:
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    train, test = Spiral(), Spiral(train=False)
    assert np.array_equal(np.random.get_state()[1], before)  # noqa: NPY002
    assert (train.data.shape, train.data.dtype) == ((300, 2), np.float32)
    assert np.bincount(train.label).tolist() == np.bincount(test.label).tolist() == [100] * 3
    np.testing.assert_allclose(train.data[0], [-0.13981389, -0.00721657], rtol=1e-6)
    assert np.linalg.norm(train.data, axis=1).max() < 1
    assert not np.array_equal(train.data, test.data)


def test_labels_of_the_sine_are_its_next_values() -> None:
    train, test = SinCurve(), SinCurve(train=False)
    assert train.data.shape == train.label.shape == (999, 1)
    assert np.array_equal(train.data[1:], train.label[:-1])
    x = np.linspace(0, 2 * np.pi, 1000)[:-1]
    assert 0.01 < np.abs(train.data[:, 0] - np.sin(x)).max() <= 0.05
    np.testing.assert_allclose(test.data[:, 0], np.cos(x))


class Pairs(Dataset):
    """Store arrays, without calling `Dataset.__init__`."""

    def __init__(self, x: Any = None, t: Any = None) -> None:
        self.data, self.label = x, t


@pytest.mark.parametrize("t", [None, np.arange(3)], ids=["no labels", "labels"])
def test_a_dataset_that_does_not_call_the_init_of_its_base_class(t: Any) -> None:
    dataset = Pairs(np.arange(6).reshape(3, 2), t)
    x1, t1 = dataset[1]
    xs, ts = dataset[1:]
    assert (x1.tolist(), t1) == ([2, 3], None if t is None else 1)
    assert xs.tolist() == [[2, 3], [4, 5]]
    assert ts is None if t is None else ts.tolist() == [1, 2]
    assert repr(dataset) == "Pairs(3 examples, train)"


@pytest.mark.parametrize("read", [len, lambda d: d[0], lambda d: d[:1], lambda d: DataLoader(d, 1)])
def test_a_dataset_without_data_says_what_to_define(read: Any) -> None:
    with pytest.raises(ArgumentError, match=r"Pairs: data is None; set it in prepare\(\), or def"):
        read(Pairs())


TEXT = "To be, or not to be: that is the question. Ä"


def test_characters_predict_the_next_one() -> None:
    train, test = Characters(TEXT, 4), Characters(TEXT, 4, train=False)
    assert (train.data.shape, test.data.shape) == ((9, 4), (1, 4))
    assert train.data.dtype == train.label.dtype == np.int64
    assert train.decode(train.data.reshape(-1)) == TEXT[:36], "no gap, no overlap"
    assert train.decode(train.label.reshape(-1)) == TEXT[1:37]
    assert test.decode(test.data[0]) == TEXT[36:40] and test.vocabulary == train.vocabulary
    assert train.vocabulary == "".join(sorted(set(TEXT))) and "Ä" in train.vocabulary
    assert train.decode(train.encode("not Ä")) == "not Ä"
    assert [len(Characters("abc", 1, train=is_train)) for is_train in (True, False)] == [1, 1]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: Characters("", 4), ArgumentError, "0 characters; expected 9 or more"),
        (lambda: Characters("12345678", 4), ArgumentError, "8 characters; expected 9 or more"),
        (lambda: Characters(b"123456789", 4), ArgumentTypeError, "text is of type bytes"),
        (lambda: Characters(TEXT, 0), ArgumentError, "length 0"),
        (lambda: Characters(TEXT, 4).encode("xyz"), ArgumentError, "'x' is not among the"),
        (lambda: Characters(TEXT, 4).encode(b"to"), ArgumentTypeError, "text is of type bytes"),
        (
            lambda: Characters(TEXT, 4).decode([0, -1]),
            ArgumentError,
            "id -1; expected an id from 0",
        ),
        (
            lambda: Characters(TEXT, 4).decode([0, 99]),
            ArgumentError,
            "id 99; expected an id from 0",
        ),
        (lambda: Characters(TEXT, 4).decode([0.5]), ArgumentTypeError, "ids 0.5"),
    ],
)
def test_errors_of_characters(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()
