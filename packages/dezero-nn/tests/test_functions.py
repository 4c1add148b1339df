"""Test what the op table does not cover: randomness, modes, labels and kernels."""

from typing import Any

import numpy as np
import pytest

from dezero_core import Variable, seed, test_mode
from dezero_core import functions as F
from dezero_core.backends import host
from dezero_core.errors import ArgumentError, LabelError, ShapeError
from dezero_core.extend import get_backend, kernel_log
from dezero_nn import accuracy, dropout, functions, relu, sigmoid, softmax_cross_entropy


@pytest.mark.parametrize("ratio", [0.1, 0.5, 0.9])
def test_dropout_keeps_the_expectation(ratio: float, backend: str) -> None:
    library = get_backend(backend)
    seed(0)
    try:
        x = Variable(library.from_numpy(np.full((100, 100), 2.0, "float32")))
        y = dropout(x, ratio)
        got = library.to_numpy(y.data)
        dropped = got == 0
        assert abs(dropped.mean() - ratio) < 0.03
        np.testing.assert_allclose(got[~dropped], 2.0 / (1 - ratio), rtol=1e-5)
        assert abs(got.mean() - 2.0) < 0.2
        assert got.dtype == np.float32
        y.backward()
        gradient = library.to_numpy(x.grad.data)
        np.testing.assert_allclose(gradient, got / 2, rtol=1e-6, err_msg="the same mask")
    finally:
        host.streams().seeded = None


def test_dropout_does_nothing_in_test_mode() -> None:
    x = Variable(np.ones(5), name="x")
    with test_mode():
        tested = dropout(x)
    for y in (tested, dropout(x, 0.0), dropout(x, 0)):
        assert np.shares_memory(y.data, x.data) and y.data.tolist() == [1] * 5
        x.cleargrad()
        y.name = "y"
        y.backward(retain_grad=True)
        assert x.name == "x" and x.grad.data.tolist() == [1] * 5
        y.cleargrad()
        assert x.grad is not None
    assert np.array_equal(dropout(np.ones(5), 0.0).data, np.ones(5))


@pytest.mark.parametrize(
    "identity",
    [
        lambda x: dropout(x, 0.0),
        lambda x: F.reshape(x, x.shape),
        lambda x: F.broadcast_to(x, x.shape),
        lambda x: F.sum_to(x, x.shape),
        lambda x: F.astype(x, x.dtype),
        lambda x: F.transpose(x, (0, 1)),
        lambda x: F.squeeze(x),
        lambda x: F.flatten(x),
        lambda x: F.clip(x),
        lambda x: F.concat([x]),
        lambda x: x[...],
        lambda x: +x,
        lambda x: x + 0,
    ],
)
def test_an_identity_returns_a_new_variable(identity: Any) -> None:
    x = Variable(np.ones((2, 3)), name="x")
    y = identity(x)
    y.name = "y"
    y.grad = Variable(np.full((2, 3), 2.0))
    assert y is not x and x.name == "x" and x.grad is None
    y.backward()
    assert x.grad.data.tolist() == [[2] * 3] * 2


def test_dropout_of_a_scalar() -> None:
    assert float(dropout(np.array(3.0), 0.5)) in (0.0, 6.0)


@pytest.mark.parametrize("ratio", [-0.1, 1.0, 2, float("nan")])
def test_dropout_ratios_out_of_range_are_refused(ratio: float) -> None:
    with pytest.raises(ArgumentError, match=r"dropout_ratio .* is not in \[0, 1\)") as caught:
        dropout(np.ones(2), ratio)
    assert isinstance(caught.value, ValueError)


def test_relu_has_gradient_0_at_0() -> None:
    x = Variable(np.array([-1.0, 0.0, 2.0]))
    relu(x).backward()
    assert np.array_equal(x.grad.data, [0.0, 0.0, 1.0])


@pytest.mark.parametrize("loss", [softmax_cross_entropy, accuracy], ids=lambda f: f.__name__)
def test_labels_that_do_not_fit_are_refused(loss, backend: str) -> None:
    library = get_backend(backend)

    def call(scores, labels):
        return loss(library.from_numpy(np.array(scores)), library.from_numpy(np.array(labels)))

    with pytest.raises(ShapeError, match=r"scores \(2, 3\) and labels \(3,\)"):
        call(np.ones((2, 3)), [0, 1, 2])
    with pytest.raises(ShapeError, match="convert one-hot rows by argmax"):
        call(np.ones((2, 3)), [[1, 0, 0], [0, 1, 0]])
    with pytest.raises(ShapeError, match="scores are"):
        call(np.ones(3), [0, 1, 2])
    with pytest.raises(LabelError, match="labels are integers, got"):
        call(np.ones((2, 3)), [0.0, 1.0])
    if backend == "cuda":
        return  # a check of the values would make the host wait
    with pytest.raises(LabelError, match="label 3 with 3 classes") as caught:
        call(np.ones((2, 3)), [0, 3])
    assert isinstance(caught.value, ValueError)
    with pytest.raises(LabelError, match="label -1 with 3 classes"):
        call(np.ones((2, 3)), [0, -1])


def test_large_scores_do_not_overflow() -> None:
    x = Variable(np.array([[1000.0, 0.0], [0.0, -1000.0]]))
    loss = softmax_cross_entropy(x, np.array([1, 0]))
    assert float(loss) == 500.0
    loss.backward()
    assert np.array_equal(x.grad.data, [[0.5, -0.5], [0.0, 0.0]])
    ends = sigmoid(np.array([-1000.0, 1000.0])).data
    assert np.array_equal(ends, [0.0, 1.0])


def test_accuracy_counts_the_first_of_equal_scores() -> None:
    y = np.array([[1.0, 1.0], [0.0, 1.0]])
    assert float(accuracy(y, np.array([0, 1]))) == 1.0
    assert not accuracy(Variable(y), np.array([1, 1])).requires_grad


@pytest.mark.parametrize(("backend", "which"), [("numpy", "numpy:sigmoid"), ("strict", "portable")])
def test_the_kernel_runs_on_numpy_and_only_there(backend: str, which: str) -> None:
    with kernel_log() as ran:
        sigmoid(get_backend(backend).from_numpy(np.ones(3, "float32")))
    assert [run[:2] for run in ran] == [("sigmoid", which)]
    with kernel_log() as ran:
        sigmoid(np.ones(3, "float16"))
    assert ran[0].kernel == "portable", "the kernel declines float16"


def test_targets_of_another_dtype_and_shape_keep_their_graph() -> None:
    x, t = Variable(np.ones((2, 1), "float32")), Variable(np.array([0.25, 0.5]))
    for loss in (functions.sigmoid_cross_entropy, functions.binary_cross_entropy):
        t.cleargrad()
        y = loss(x * 0.5, t)
        assert y.dtype == np.float32
        y.backward()
        assert t.grad.dtype == np.float64 and t.grad.shape == (2,)


def test_binary_cross_entropy_of_probability_0_is_finite(backend: str) -> None:
    library = get_backend(backend)
    p = Variable(library.from_numpy(np.array([[0.0], [1.0], [0.5]], "float32")))
    t = library.from_numpy(np.array([[1], [0], [1]]))
    y = functions.binary_cross_entropy(p, t)
    y.backward()
    np.testing.assert_allclose(float(y), (2 * 87.33655 + np.log(2)) / 3, rtol=1e-5)
    assert np.isfinite(library.to_numpy(p.grad.data)).all()


LOSSES = [functions.mean_squared_error, functions.mean_squared_error_simple]


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize(
    ("shape0", "shape1"),
    [((3, 1), (3,)), ((3,), (3, 1)), ((1, 1), (1,)), ((3, 2), (3, 2, 1)), ((3, 1, 1), (3, 1))],
)
def test_mean_squared_error_of_a_column_and_a_vector(
    loss: Any, shape0: tuple[int, ...], shape1: tuple[int, ...]
) -> None:
    size = int(np.prod(shape0))
    a, b = np.arange(1.0, size + 1), np.arange(1.0, size + 1) ** 2
    x0, x1 = Variable(a.reshape(shape0)), Variable(b.reshape(shape1))
    y = loss(x0, x1)
    y.backward()
    assert y.shape == () and float(y) == ((a - b) ** 2).sum() / shape0[0]
    slope = 2 * (a - b) / shape0[0]
    np.testing.assert_allclose(x0.grad.data, slope.reshape(shape0))
    np.testing.assert_allclose(x1.grad.data, -slope.reshape(shape1))
    assert float(loss(x0.data, x1.data)) == float(y)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize(
    ("shape0", "shape1"),
    [
        ((3, 1), (1, 3)),
        ((3,), (1, 3)),
        ((2, 3), (6,)),
        ((1, 1), ()),
        ((), ()),
        ((3, 1), (1,)),
        ((3,), (2,)),
    ],
)
def test_mean_squared_error_of_other_shapes_is_refused(
    loss: Any, shape0: tuple[int, ...], shape1: tuple[int, ...]
) -> None:
    with pytest.raises(ShapeError, match=r"shapes .* both are \(N, \.\.\.\), and equal"):
        loss(Variable(np.ones(shape0)), Variable(np.ones(shape1)))


@pytest.mark.parametrize("product", [F.matmul, functions.linear])
def test_products_of_rows_without_columns_have_empty_gradients(product: Any) -> None:
    x, W = Variable(np.ones((2, 3, 0))), Variable(np.ones((0, 4)))
    F.sum(product(x, W)).backward()
    assert x.grad is not None and x.grad.shape == (2, 3, 0)
    assert W.grad is not None and W.grad.shape == (0, 4)


def test_threshold_does_not_hide_nan() -> None:
    assert np.isnan(functions.threshold(np.array([np.nan]), 0.5, 20.0).data).all()
