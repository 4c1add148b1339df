"""Losses: wrong arguments, ignored labels, and scores that overflow or are infinite."""

from typing import Any

import numpy as np
import pytest

from dezero_core import Variable, no_grad
from dezero_core.errors import (
    ArgumentError,
    ArgumentTypeError,
    BackendMismatch,
    LabelError,
    ShapeError,
)
from dezero_core.extend import backend_of, kernel_log
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
        ((X, [0, 1]), {}, TypeError, "t is of type list"),
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


PAIR = np.array([1.0, 2.0]), np.array([0.0, 2.0])
LOSSES: dict[str, Any] = {
    "mse_loss": F.mse_loss,
    "l1_loss": F.l1_loss,
    "huber_loss": F.huber_loss,
    "smooth_l1_loss": F.smooth_l1_loss,
    "kl_div": F.kl_div,
    "binary_cross_entropy_with_logits": F.binary_cross_entropy_with_logits,
    "poisson_nll_loss": F.poisson_nll_loss,
    "hinge_embedding_loss": F.hinge_embedding_loss,
    "soft_margin_loss": F.soft_margin_loss,
}


@pytest.mark.parametrize("name", LOSSES)
def test_losses_check_shapes_and_reductions(name: str) -> None:
    loss = LOSSES[name]
    with pytest.raises(ShapeError, match=rf"{name}: shapes \(2,\), \(2, 1\): expected equal"):
        loss(PAIR[0], PAIR[1][:, None])
    with pytest.raises(ArgumentError, match=f"{name}: reduction 'avg': expected one of 'mean'"):
        loss(*PAIR, reduction="avg")
    with pytest.raises(ShapeError, match=rf"{name}: shape \(0,\) has no elements to average"):
        loss(PAIR[0][:0], PAIR[1][:0])
    assert float(loss(PAIR[0][:0], PAIR[1][:0], reduction="sum")) == 0.0
    each = loss(*PAIR, reduction="none")
    assert each.shape == (2,)
    np.testing.assert_allclose(loss(*PAIR).data, each.data.mean())
    half = loss(*(x.astype("float16") for x in PAIR))
    assert half.dtype == "float16"
    np.testing.assert_allclose(half.data, each.data.mean(), rtol=1e-3)


def test_the_error_of_kl_div_lists_batchmean() -> None:
    with pytest.raises(ArgumentError, match="'batchmean'"):
        F.kl_div(*PAIR, reduction="rows")
    x = Variable(np.array([-np.inf, 0.0]))
    loss = F.kl_div(x, np.array([0.0, 1.0]), reduction="sum")
    loss.backward()
    assert x.grad is not None
    assert float(loss) == 0.0
    np.testing.assert_array_equal(x.grad.data, [0.0, -1.0])


def test_logistic_losses_of_large_scores() -> None:
    x = Variable(np.array([1e4, 1e4, -1e4, -1e4, 50.0]))
    t = np.array([1, 0, 0, 1, 1])
    loss = F.binary_cross_entropy_with_logits(x, t, pos_weight=np.array(2.0), reduction="none")
    loss.sum().backward()
    assert x.grad is not None
    small = np.exp(-50.0)
    np.testing.assert_allclose(loss.data, [0, 1e4, 0, 2e4, 2 * small], rtol=1e-12)
    np.testing.assert_allclose(x.grad.data, [0, 1, 0, -2, 0], atol=1e-15)
    far = F.binary_cross_entropy_with_logits(np.array([np.inf, -np.inf]), np.array([1.0, 0.0]))
    assert float(far) == 0.0


def test_weights_take_the_dtype_of_the_scores() -> None:
    x, t = np.ones((2, 3), "float32"), np.zeros((2, 3), "float32")
    for loss in (F.binary_cross_entropy, F.binary_cross_entropy_with_logits):
        assert loss(x, t, np.arange(3.0)).dtype == "float32"
        with pytest.raises(ShapeError):
            loss(x, t, np.arange(2.0))
    assert F.cross_entropy(x, np.array([0, 1]), np.arange(3.0)).dtype == "float32"


def test_binary_cross_entropy_divides_by_rows_unless_told_otherwise() -> None:
    p, t = np.full((2, 3), 0.5), np.zeros((2, 3))
    assert float(F.binary_cross_entropy(p, t)) == pytest.approx(3 * np.log(2))
    assert float(F.binary_cross_entropy(p, t, reduction="mean")) == pytest.approx(np.log(2))
    with pytest.raises(ArgumentError, match="binary_cross_entropy: reduction 'rows'"):
        F.binary_cross_entropy(p, t, reduction="rows")


def test_positive_settings() -> None:
    for call in (
        lambda: F.huber_loss(*PAIR, delta=0.0),
        lambda: F.smooth_l1_loss(*PAIR, beta=-1.0),
        lambda: F.gaussian_nll_loss(*PAIR, 1.0, eps=-1.0),
    ):
        with pytest.raises(ArgumentError, match="expected a positive number"):
            call()
    assert float(F.smooth_l1_loss(*PAIR, beta=0)) == float(F.l1_loss(*PAIR)) == 0.5


def test_distances_of_zeros_and_huge_vectors() -> None:
    zeros = Variable(np.zeros((1, 2)))
    (F.normalize(zeros).sum() + F.cosine_similarity(zeros, zeros).sum()).backward()
    assert zeros.grad is not None
    assert np.isfinite(zeros.grad.data).all()
    huge = np.full((1, 2), 1e18, "float32")
    np.testing.assert_allclose(F.cosine_similarity(huge, -huge).data, [-1.0], rtol=1e-6)
    with pytest.raises(ShapeError):
        F.normalize(np.ones(3))
    with pytest.raises(ShapeError):
        F.cosine_similarity(np.ones((2, 3)), np.ones((2, 4)))
    with pytest.raises(ShapeError, match="triplet_margin_loss: shape"):
        F.triplet_margin_loss(*[np.ones((0, 2))] * 3)


@pytest.mark.parametrize(
    ("p", "t", "words"),
    [
        (1.5, 1.0, "p contains 1.5"),
        (-0.1, 1, "p contains -0.1"),
        (np.nan, 1.0, "p contains nan"),
        (0.5, 2, "t contains 2.0"),
        (0.5, -1.0, r"t contains -1.0: expected numbers in \[0, 1.0\]"),
    ],
)
@pytest.mark.parametrize("reduction", [None, "mean"])
def test_probabilities_are_in_their_range(p: float, t: float, words: str, reduction: Any) -> None:
    with pytest.raises(ArgumentError, match=f"binary_cross_entropy: {words}"):
        F.binary_cross_entropy(np.array([0.5, p]), np.array([0, t]), reduction=reduction)


LABELS, MATRIX = np.array([0, 1]), np.ones((2, 2))
MIXED: list[tuple[str, Any]] = [
    ("cross_entropy: t", lambda x: F.cross_entropy(x, LABELS)),
    ("cross_entropy: weight", lambda x: F.cross_entropy(x, moved(LABELS, x), np.ones(2))),
    ("nll_loss: t", lambda x: F.nll_loss(x, LABELS)),
    ("accuracy: t", lambda x: F.accuracy(x, LABELS)),
    ("rotary: positions", lambda x: F.rotary(x, LABELS)),
    ("binary_cross_entropy: weight", lambda x: F.binary_cross_entropy(x * 0, x * 0, MATRIX)),
    ("gaussian_nll_loss: var", lambda x: F.gaussian_nll_loss(x, x, MATRIX)),
]


def moved(host: Any, x: Any) -> Any:
    """Return an array in the library of a Variable."""
    return Variable(host).to(backend_of(x.data).name)


@pytest.mark.parametrize(("argument", "call"), MIXED)
def test_an_array_of_another_library_is_named(argument: str, call: Any, backend: str) -> None:
    if backend == "numpy":
        call(Variable(MATRIX))
        return
    message = f"^{argument} is an array of numpy, x of {backend}; expected one library; move"
    with pytest.raises(BackendMismatch, match=message):
        call(Variable(MATRIX).to(backend))


def test_a_variance_may_be_a_number(backend: str) -> None:
    x = Variable(np.array([0.0, 2.0])).to(backend)
    y = F.gaussian_nll_loss(x, x * 0, 1.0).to("numpy")
    assert float(y) == 1
