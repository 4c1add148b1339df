"""Functions that draw random numbers: frequencies, seeds and wrong arguments."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from dezero_core import Variable, seed, test_mode
from dezero_core.errors import ArgumentError, LabelError, ShapeError
from dezero_nn import functions as F
from dezero_nn import layers as L

P = np.array([0.1, 0.0, 0.6, 0.3])


@pytest.fixture(autouse=True)
def _seeded() -> None:
    seed(7)


@pytest.mark.parametrize("replacement", [True, False])
def test_multinomial_draws_with_the_probabilities(replacement: bool) -> None:
    if replacement:
        drawn = F.multinomial(10 * P, 20_000, replacement=True)
    else:
        drawn = F.multinomial(np.tile(P, (20_000, 1))).reshape(-1)
    assert drawn.dtype == "int64"
    np.testing.assert_allclose(np.bincount(drawn.data, minlength=4) / 20_000, P, atol=0.015)


def test_multinomial_without_replacement_draws_each_index_once() -> None:
    drawn = F.multinomial(np.tile(P, (20_000, 1)), 3).data
    assert (np.sort(drawn, axis=1) == [0, 2, 3]).all()
    # after the index 2, the index 3 comes with the probability 0.3 / 0.4
    second = drawn[drawn[:, 0] == 2, 1]
    assert abs((second == 3).mean() - 0.75) < 0.02


def test_samples_are_reproduced_by_a_seed() -> None:
    draws: list[Callable[[], Any]] = [
        lambda: F.multinomial(P, 9, replacement=True),
        lambda: F.bernoulli(np.full(30, 0.5)),
        lambda: F.gumbel_softmax(P),
        lambda: F.alpha_dropout(np.ones(30)),
        lambda: F.dropout2d(np.ones((5, 6, 1, 1))),
    ]
    for draw in draws:
        seed(3)
        first, second = draw(), draw()
        seed(3)
        assert np.array_equal(draw().data, first.data)
        assert not np.array_equal(first.data, second.data)


def test_bernoulli_draws_with_the_probabilities() -> None:
    drawn = F.bernoulli(np.full((20_000, 3), [0.0, 0.3, 1.0], "float32"))
    assert drawn.dtype == "float32"
    assert set(np.unique(drawn.data)) == {0.0, 1.0}
    np.testing.assert_allclose(drawn.data.mean(axis=0), [0.0, 0.3, 1.0], atol=0.02)


def test_gumbel_softmax_samples_classes_and_has_a_gradient() -> None:
    x = Variable(np.tile(np.log(P + 1e-30), (20_000, 1)))
    y = F.gumbel_softmax(x, tau=0.5, hard=True)
    assert set(np.unique(y.data)) == {0.0, 1.0}
    np.testing.assert_allclose(y.data.mean(axis=0), P, atol=0.015)
    y[:, 0].sum().backward()
    assert x.grad is not None
    assert np.abs(x.grad.data).max() > 0.1
    soft = F.gumbel_softmax(x, tau=0.5)
    np.testing.assert_allclose(soft.data.sum(axis=1), 1.0)


@pytest.mark.parametrize(
    ("layer", "shape", "channels"),
    [
        (L.Dropout1d(0.3), (40, 50, 3), 2000),
        (L.Dropout1d(0.3), (2000, 3), 2000),
        (L.Dropout2d(0.3), (40, 50, 2, 3), 2000),
        (L.Dropout3d(0.3), (40, 50, 2, 3, 1), 2000),
        (L.Dropout3d(0.3), (2000, 2, 3, 1), 2000),
    ],
)
def test_whole_channels_are_dropped(layer: Any, shape: Any, channels: int) -> None:
    x = Variable(np.ones(shape, "float32"))
    y = layer(x)
    rows = y.data.reshape(channels, -1)
    assert (rows == rows[:, :1]).all()
    assert abs((rows[:, 0] == 0).mean() - 0.3) < 0.04
    np.testing.assert_allclose(rows.max(), 1 / 0.7, rtol=1e-6)
    y.sum().backward()
    assert x.grad is not None
    np.testing.assert_array_equal(x.grad.data, y.data)
    with test_mode():
        assert np.array_equal(layer(x).data, x.data)


def test_alpha_dropout_preserves_mean_and_variance() -> None:
    x = np.random.default_rng(0).normal(size=100_000)
    y = L.AlphaDropout(0.2)(x).data
    assert abs(y.mean()) < 0.02
    assert abs(y.std() - 1) < 0.02
    with test_mode():
        assert np.array_equal(F.alpha_dropout(x, 0.2).data, x)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: F.multinomial(np.array(1.0)), ShapeError, r"p \(\): expected 1 or more weights"),
        (lambda: F.multinomial(P, 5), ShapeError, "expected 5 or more"),
        (lambda: F.multinomial(P, 4), ArgumentError, "fewer than 4 positive"),
        (lambda: F.multinomial(np.zeros(3), 2, replacement=True), ArgumentError, "than 1 positive"),
        (lambda: F.multinomial(-P), ArgumentError, "p contains -0.6: expected numbers in"),
        (lambda: F.multinomial(P * np.nan), ArgumentError, "p contains nan"),
        (lambda: F.multinomial(P, 0), ArgumentError, "n 0 is below 1"),
        (lambda: F.bernoulli(2 * P), ArgumentError, r"bernoulli: p contains 1.2: .*\[0, 1.0\]"),
        (lambda: F.gumbel_softmax(P, 0), ArgumentError, "tau 0"),
        (lambda: F.gumbel_softmax(P, axis=1), ShapeError, "axis 1 does not exist"),
        (lambda: F.one_hot(np.array([0, 3]), 3), LabelError, "label 3 with 3 classes"),
        (lambda: F.one_hot(np.array([0.0])), LabelError, "labels are integers"),
        (lambda: F.one_hot(np.zeros(0, int)), ArgumentError, "give num_classes"),
        (
            lambda: F.dropout2d(np.ones((2, 3, 4))),
            ShapeError,
            r"dropout2d: shape .*expected 4 axes",
        ),
        (lambda: F.dropout1d(np.ones(3)), ShapeError, "expected 2 or 3 axes"),
        (
            lambda: F.dropout3d(np.ones((1, 1, 1, 1)), 1.0),
            ArgumentError,
            "dropout3d: p",
        ),
        (lambda: L.Dropout2d(1.5), ArgumentError, "Dropout2d: dropout_ratio 1.5"),
    ],
)
def test_wrong_arguments(call: Callable[[], Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        call()


def test_one_hot_infers_the_number_of_classes() -> None:
    assert F.one_hot(np.array([[0], [2]], "uint8")).data.tolist() == [[[1, 0, 0]], [[0, 0, 1]]]
    assert F.one_hot(np.zeros(0, int), 3).shape == (0, 3)
