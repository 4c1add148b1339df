"""The CTC loss: impossible and empty sequences, padding, and wrong arguments."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from dezero_core import Variable
from dezero_core.errors import ArgumentError, ArgumentTypeError, LabelError, ShapeError
from dezero_nn import functions as F

X = np.log(np.full((4, 2, 3), 1 / 3))
LABELS = np.array([[1, 2], [1, 1]])


def test_the_loss_of_equal_probabilities_counts_alignments() -> None:
    # the alignments of "1 2" with 4 steps of 3 classes: 15 of 81; of "1 1": 5
    losses = F.ctc_loss(X, LABELS, [4, 4], [2, 2], reduction="none")
    np.testing.assert_allclose(losses.data, -np.log([15 / 81, 5 / 81]))
    mean = F.ctc_loss(X, LABELS, [4, 4], [2, 2])
    np.testing.assert_allclose(mean.data, losses.data.mean() / 2)


@pytest.mark.parametrize("zero_infinity", [False, True])
def test_too_few_steps_give_an_infinite_loss_without_nan(zero_infinity: bool) -> None:
    x = Variable(X)
    lengths: Any = np.array([4, 2]), np.array([2, 2])  # "1 1" needs three steps
    losses = F.ctc_loss(x, LABELS, *lengths, reduction="none", zero_infinity=zero_infinity)
    losses.sum().backward()
    assert x.grad is not None
    assert losses.data[1] == (0 if zero_infinity else np.inf)
    assert np.isfinite(x.grad.data).all()
    assert x.grad.data[:, 0].any()
    assert not x.grad.data[:, 1].any()


def test_padding_and_steps_after_the_end_do_not_count() -> None:
    x = Variable(np.random.default_rng(0).normal(size=(5, 2, 3)))
    x.data[3:, 0] = np.nan
    padded = np.array([[1, 99], [-7, 99]])
    loss = F.ctc_loss(x, padded, [3, 2], [1, 0], reduction="none")
    loss.sum().backward()
    assert x.grad is not None
    np.testing.assert_allclose(loss.data[1], -x.data[:2, 1, 0].sum())
    assert not x.grad.data[3:, 0].any()
    assert not x.grad.data[2:, 1].any()
    flat = F.ctc_loss(x, np.array([1]), [3, 2], [1, 0], reduction="none")
    np.testing.assert_array_equal(flat.data, loss.data)
    alone = F.ctc_loss(x.data[:3, 0], np.array([1]), 3, 1, reduction="none")
    np.testing.assert_allclose(alone.data, loss.data[0])
    assert alone.shape == ()


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: F.ctc_loss(X[0, 0], LABELS, 1, 1), ShapeError, r"log_probs \(3,\): expected"),
        (lambda: F.ctc_loss(X[:0], LABELS, [0, 0], [2, 2]), ShapeError, "not empty"),
        (lambda: F.ctc_loss(X, LABELS, [4], [2, 2]), ShapeError, "input_lengths has 1 elements"),
        (lambda: F.ctc_loss(X, LABELS, [4, 5], [2, 2]), ArgumentError, "contains 5: .* 1 to 4"),
        (lambda: F.ctc_loss(X, LABELS, [4, 0], [2, 2]), ArgumentError, "input_lengths contains 0"),
        (lambda: F.ctc_loss(X, LABELS, [4, 4], [2, 3]), ShapeError, r"target_lengths \[2, 3\]"),
        (lambda: F.ctc_loss(X, LABELS, [4, 4], [2, -1]), ArgumentError, "contains -1"),
        (lambda: F.ctc_loss(X, LABELS, [4, 4.5], [2, 2]), ArgumentTypeError, "input_lengths 4.5"),
        (lambda: F.ctc_loss(X, LABELS + 1, [4, 4], [2, 2]), LabelError, "label 3 with 3 classes"),
        (lambda: F.ctc_loss(X, LABELS, [4, 4], [2, 2], 1), LabelError, "label 1 is the blank"),
        (lambda: F.ctc_loss(X, LABELS, [4, 4], [2, 2], 3), ArgumentError, "blank 3 with 3 classes"),
        (lambda: F.ctc_loss(X, LABELS * 1.0, [4, 4], [2, 2]), LabelError, "are integers"),
        (
            lambda: F.ctc_loss(X, LABELS, [4, 4], [2, 2], reduction="all"),
            ArgumentError,
            "ctc_loss: reduction 'all'",
        ),
    ],
)
def test_wrong_arguments(call: Callable[[], Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        call()
