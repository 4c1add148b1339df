"""Losses: wrong arguments, ignored labels, and scores that overflow or are infinite."""

from typing import Any

import numpy as np
import pytest

from dezero_core import Variable, no_grad
from dezero_core.errors import ArgumentError, ArgumentTypeError, LabelError, ShapeError
from dezero_core.extend import kernel_log
from dezero_nn import functions as F

X = np.arange(6.0).reshape(2, 3)


@pytest.mark.parametrize(
    ("arguments", "settings", "error", "words"),
    [
        ((X, np.array([0, 3])), {}, LabelError, "label 3 with 3 classes"),
        ((X, np.array([0, -1])), {}, LabelError, "label -1"),
        ((X, np.array([0.0, 1.0])), {}, LabelError, "labels are integers, got float64"),
        ((X, np.array([0, 1, 2])), {}, ShapeError, r"t \(3,\): expected labels \(2,\)"),
        ((X, np.array([0, 1]), np.ones(2)), {}, ShapeError, r"weight \(2,\): expected \(3,\)"),
        ((X, [0, 1]), {}, TypeError, "t is a list"),
        ((np.array(1.0), np.array(0)), {}, ShapeError, "no axis of classes"),
        ((X, np.array([0, 1])), {"axis": 2}, ShapeError, "axis 2 does not exist"),
        ((X, np.array([0, 1])), {"reduction": "avg"}, ArgumentError, "'avg': expected one of"),
        ((X, np.array([0, 1])), {"ignore_index": 0.5}, ArgumentTypeError, "ignore_index 0.5"),
    ],
)
@pytest.mark.parametrize("loss", [F.cross_entropy, F.nll_loss])
def test_wrong_arguments(
    loss: Any, arguments: Any, settings: Any, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=f"{loss.__name__}: .*{words}"):
        loss(*arguments, **settings)


def test_label_smoothing_is_a_fraction_and_targets_of_classes_are_floats() -> None:
    with pytest.raises(ArgumentError, match="label_smoothing 1.5"):
        F.cross_entropy(X, np.array([0, 1]), label_smoothing=1.5)
    with pytest.raises(LabelError, match=r"t \(2, 3\) has the shape of x: expected labels"):
        F.nll_loss(X, np.ones((2, 3), "int64"))


@pytest.mark.parametrize("settings", [{}, {"label_smoothing": 0.1}, {"weight": np.ones(3)}])
def test_the_mean_is_zero_if_every_label_is_ignored_or_there_is_none(settings: Any) -> None:
    x = Variable(X)
    loss = F.cross_entropy(x, np.array([-100, -100]), **settings)
    loss.backward()
    assert x.grad is not None
    assert float(loss) == 0.0
    assert not x.grad.data.any()
    assert float(F.cross_entropy(X[:0], np.zeros(0, "int64"), **settings)) == 0.0


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_ignored_rows_and_excluded_classes_may_have_infinite_scores(reduction: str) -> None:
    x = Variable(np.array([[0.0, -np.inf, 0.0], [-np.inf, 0.0, 0.0]]))
    loss = F.cross_entropy(x, np.array([0, -100]), reduction=reduction)
    (loss * 1.0).sum().backward()
    assert x.grad is not None
    np.testing.assert_allclose(loss.data.sum(), np.log(2))
    np.testing.assert_allclose(x.grad.data, [[-0.5, 0, 0.5], [0, 0, 0]])


def test_large_scores_do_not_overflow() -> None:
    x = Variable(np.array([[1e4, 0.0], [-1e4, 0.0]], "float32"))
    loss = F.cross_entropy(x, np.array([1, 1]), reduction="none")
    np.testing.assert_array_equal(loss.data, [1e4, 0])
    half = F.cross_entropy(np.ones((1 << 17, 2), "float16"), np.zeros(1 << 17, "int8"))
    assert half.dtype == "float16"
    assert abs(float(half) - np.log(2)) < 1e-3


def test_the_gradient_is_computed_only_if_it_is_needed() -> None:
    x, t = Variable(np.ones((2, 3), "float32")), np.array([0, 1])
    with kernel_log() as ran:
        F.cross_entropy(x, t)
        with no_grad():
            F.cross_entropy(x, t)
    assert [run.kernel for run in ran] == ["numpy:cross_entropy"] * 2
    loss = F.cross_entropy(x, t)
    loss.backward(retain_graph=True)
    assert x.grad is not None
    first = x.grad.data.copy()
    x.grad.data[...] = 7  # writing to the gradient does not change the graph
    x.cleargrad()
    loss.backward()
    np.testing.assert_array_equal(x.grad.data, first)
