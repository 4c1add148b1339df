"""Test results for all dtypes and for non-finite values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import dezero_nn.functions as F
import dezero_nn.layers as L
from dezero_core import Variable, grad, hessian, jacobian
from dezero_core import functions as C
from dezero_core.backends import precision
from dezero_core.errors import ArgumentError, ShapeError
from dezero_core.extend import get_backend
from dezero_nn.optimizers import (
    SGD,
    AdaDelta,
    AdaGrad,
    Adam,
    AdamW,
    ClipGrad,
    MomentumSGD,
    RMSprop,
    WeightDecay,
)

INF = np.inf
SCORES = np.arange(1000) % 10


def ones_of(shape: Any, dtype: Any = "float64") -> Any:
    return np.ones(shape, dtype)


VALUES: dict[str, tuple[Callable[[], Any], Any]] = {
    "softmax of integers": (lambda: F.softmax(np.array([[1, 2, 3]])), [[0.0900, 0.2447, 0.6652]]),
    "log_softmax of booleans": (
        lambda: F.log_softmax(np.array([[True, False]])), [[-0.3133, -1.3133]],
    ),
    "layer_norm of integers": (
        lambda: F.layer_norm(np.array([[1, 2, 3]]), ones_of(3), 0 * ones_of(3)),
        [[-1.2247, 0, 1.2247]],
    ),
    "cross entropy of integers": (
        lambda: F.softmax_cross_entropy(np.array([[1, 2, 3]]), np.array([2])), 0.4076,
    ),
    "squared error of bytes": (
        lambda: F.mean_squared_error(np.array([1, 2], "u1"), np.array([3, 5], "u1")), 6.5,
    ),
    "mean of float16": (lambda: C.mean(np.full(300, 500, "e")), 500),
    "sum of float16": (lambda: C.sum(np.ones((4096, 2), "e"), 0), [4096, 4096]),
    "exp of int8": (lambda: C.exp(np.array([20], "i1")), [np.exp(20.0)]),
    "logsumexp of -inf": (lambda: C.logsumexp(np.array([-INF, -INF])), -INF),
    "logsumexp of inf": (lambda: C.logsumexp(np.array([INF, 1000.0])), INF),
    "logsumexp of nothing": (lambda: C.logsumexp(np.ones((2, 0)), 1), [-INF, -INF]),
    "logsumexp without axes": (lambda: C.logsumexp(np.array(3.0), 0), 3),
    "sigmoid cross entropy of -inf": (
        lambda: F.sigmoid_cross_entropy(np.array([-INF, INF]), np.array([0, 1])), 0,
    ),
    "padding of integers": (lambda: F.pooling(-ones_of((1, 1, 1, 1), int), 2, 2, 1), [[[[-1]]]]),
}  # fmt: skip


@pytest.mark.parametrize("name", VALUES)
def test_ops_give_the_expected_values(name: str) -> None:
    compute, expected = VALUES[name]
    np.testing.assert_allclose(compute().data, expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("dtype", [bool, "u1", "i1", "u2", "e", "f", "d", "g"])
def test_accuracy_does_not_count_in_the_dtype_of_the_scores(dtype: Any) -> None:
    assert F.accuracy(np.eye(10, dtype=dtype)[SCORES], SCORES).data == 1
    assert F.accuracy(np.eye(300, dtype=dtype), np.arange(300, dtype="u2")).data == 1


@pytest.mark.parametrize("dtype", ["u1", "i2", "u8", ">i4"])
def test_labels_of_a_narrow_dtype_do_not_overflow(dtype: str) -> None:
    scores = Variable(np.eye(300) * 50)
    loss = F.softmax_cross_entropy(scores, (np.arange(300) % 100).astype(dtype))
    loss.backward()
    assert np.isfinite(scores.grad.data).all()
    np.testing.assert_allclose(scores.grad.data.sum(1), 0, atol=1e-9)
    loss = F.softmax_cross_entropy_simple(Variable(np.eye(300) * 50), np.arange(300) % 256)
    assert np.isfinite(loss.data)


def test_the_gradient_of_an_integer_is_not_rounded() -> None:
    x = Variable(np.array(3))
    (x * 0.5).backward()
    assert x.grad.data == 0.5
    assert jacobian(lambda x: x * 0.5, np.array([1, 2])).data.tolist() == [[0.5, 0], [0, 0.5]]
    assert hessian(lambda x: x * x * 0.25, np.array([1])).data.tolist() == [[0.5]]
    y = x * x * 0.25
    (g,) = grad(y, [x], create_graph=True)
    assert g.data == 1.5
    assert grad(g, x).data == 0.5


def test_gradients_of_small_integers_do_not_wrap() -> None:
    x = Variable(np.array([100, -100], "i1"))
    (x + x).backward()
    assert x.grad.data.tolist() == [2, 2]
    x = Variable(np.array([2], "i1"))
    (x**6).backward()
    assert x.grad.data.tolist() == [192]
    W = Variable(np.ones((3, 2), "e"))
    C.sum(F.embed_id(np.zeros(5000, int), W)).backward()
    assert W.grad.data.tolist() == [[5000, 5000], [0, 0], [0, 0]]


def test_a_jacobian_in_half_precision_has_all_rows() -> None:
    found = jacobian(lambda x: x * 2, np.ones(2100, "e")).data  # float16 cannot count beyond 2048
    assert np.array_equal(found, 2 * np.eye(2100))


def test_no_gradient_flows_through_a_conversion_to_integers() -> None:
    x = Variable(np.array([1.5, 2.5]))
    assert not C.astype(x, "int64").requires_grad
    assert C.astype(x, "float32").requires_grad
    assert C.astype(x, ">f4").data.dtype.isnative


@pytest.mark.parametrize("dtype", ["e", "f", "d"])
def test_normalised_half_precision_has_standard_deviation_1(dtype: str) -> None:
    x = (np.random.default_rng(0).standard_normal((8, 4096)) * 300).astype(dtype)
    scale, shift = np.ones(4096, dtype), np.zeros(4096, dtype)
    given = Variable(x)
    y = F.layer_norm(given, scale, shift)
    assert y.dtype == dtype
    assert abs(float(y.data.astype("d").std()) - 1) < 1e-3
    C.sum(y * y).backward()
    assert np.isfinite(given.grad.data).all()
    rows = Variable(x.T[:, :3].copy())
    y = L.BatchNorm(dtype=dtype)(rows)
    assert y.dtype == dtype
    assert abs(float(y.data.astype("d").std()) - 1) < 1e-3


@pytest.mark.parametrize("make", [L.BatchNorm, L.LayerNorm])
def test_a_layer_keeps_its_dtype(make: Any) -> None:
    layer = make()
    layer(np.ones((4, 3)) * [[1], [2], [3], [4]])
    assert {p.dtype.name for p in layer.named_params().values()} == {"float32"}
    assert layer(np.arange(12, dtype="f").reshape(4, 3)).dtype == "float32"
    assert {p.dtype.name for p in make(dtype="float64").named_params().values() if p.data} == set()
    wide = make(dtype=np.float64)
    wide(np.arange(12, dtype="f").reshape(4, 3))
    assert {p.dtype.name for p in wide.named_params().values()} == {"float64"}


def test_a_big_endian_parameter_is_trained() -> None:
    layer = L.Linear(1, in_size=1, nobias=True)
    layer.W.data = np.ones((1, 1), ">f4")
    layer.W.grad = Variable(np.ones((1, 1), ">f4"))
    SGD(0.1).setup(layer).update()
    assert layer.W.data.tolist() == [[pytest.approx(0.9)]]


@pytest.mark.parametrize("name", ["numpy", "strict", "cuda"])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "longdouble"])
def test_masked_scores(name: str, dtype: str) -> None:
    library = get_backend(name)
    if not hasattr(library.xp, dtype):
        pytest.skip(f"{name} has no {dtype}")
    x = Variable(library.from_numpy(np.array([[1, -INF, 2], [0, 1, -INF]], dtype)))
    t = library.from_numpy(np.array([0, 1]))
    loss = F.softmax_cross_entropy(x, t)
    loss.backward(create_graph=True)
    assert float(loss) == pytest.approx(0.81326, rel=2e-3)
    expected = [[-0.36553, 0, 0.36553], [0.13447, -0.13447, 0]]
    np.testing.assert_allclose(library.to_numpy(x.grad.data), expected, atol=1e-3)
    g = x.grad
    x.cleargrad()
    C.sum(g * g).backward()
    assert np.isfinite(library.to_numpy(x.grad.data)).all()


def test_logsumexp_of_minus_infinity_has_gradient_0() -> None:
    x = Variable(np.array([[-INF, -INF], [0.0, -INF]]))
    C.sum(C.logsumexp(x, 1)).backward()
    assert x.grad.data.tolist() == [[0, 0], [1, 0]]


@pytest.mark.parametrize("dtype", ["e", "f", "d", "g"])
@pytest.mark.parametrize("value", [-INF, np.nan])
def test_pooling_passes_gradients_to_non_finite_values(dtype: str, value: float) -> None:
    x = Variable(np.full((1, 1, 3, 3), value, dtype))
    y = F.pooling(x, 2, 2, 1)
    y.grad = Variable(np.ones(y.shape, dtype))
    y.backward()
    if value == -INF:  # nan may be at any position
        assert x.grad.data.sum() == 4


@pytest.mark.parametrize("op", [F.softmax, F.log_softmax])
@pytest.mark.parametrize("axis", [0, 1, -1])
def test_softmax_of_an_empty_array(op: Any, axis: int) -> None:
    x = Variable(np.ones((5, 0, 0)))
    y = op(x, axis)
    assert y.shape == (5, 0, 0)
    C.sum(y).backward()
    assert x.grad.shape == (5, 0, 0)


@pytest.mark.parametrize("shape, last", [((0, 1), (1,)), ((2, 0), (0,)), ((0, 2, 3), (2, 3))])
def test_layer_norm_of_an_empty_array(shape: Any, last: Any) -> None:
    x, gamma = Variable(np.ones(shape)), Variable(np.ones(last))
    y = F.layer_norm(x, gamma, np.zeros(last))
    assert y.shape == shape
    C.sum(y).backward()
    assert x.grad.shape == shape
    assert gamma.grad.data.tolist() == np.zeros(last).tolist()


def norm_of(x: Any, axis: Any) -> Variable:
    return C.vector_norm(x, axis=axis)


@pytest.mark.parametrize("axis", [(0,), (-1,), 0, -1, ()])
def test_reductions_of_an_array_without_axes(axis: Any) -> None:
    for reduction in (C.sum, C.mean, C.max, C.min, C.logsumexp, norm_of):
        x = Variable(np.array(3.0))
        y = reduction(x, axis)
        y.backward()
        assert (float(y), float(x.grad)) == (3, 1)
        with pytest.raises(ShapeError, match="axis"):
            reduction(x, (1,))
    assert float(F.normalize(np.array(3.0), axis=axis)) == 1


@pytest.mark.parametrize("dtype", [float, int, bool, "f4", np.float16, np.dtype("f8")])
def test_astype_takes_types_names_and_dtypes(dtype: Any) -> None:
    assert C.astype(np.ones(2, "f"), dtype).dtype == np.dtype(dtype)


OPTIMIZERS = [SGD, MomentumSGD, Adam, AdamW, AdaGrad, RMSprop, AdaDelta]


@pytest.mark.parametrize("form", ["float16", "longdouble", ">f4", "matrix", "strided"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.filterwarnings("ignore:.*matrix:PendingDeprecationWarning")
def test_optimizers_update_parameters_of_every_form(optimizer: Any, form: str) -> None:
    """Compare three steps with float64; g**2 and eps would underflow in half precision."""
    data, gradient = np.array([[1.0], [2.0]]), np.array([[1e-4], [300.0]])

    def trained(make: Any) -> Any:
        layer = L.Linear(1, in_size=2, nobias=True)
        layer.W.data = make(data)
        updates = optimizer().setup(layer)
        for hook in (ClipGrad(100.0), WeightDecay(1e-4)):
            updates.add_hook(hook)
        for _ in range(3):
            layer.W.grad = make(gradient)
            updates.update()
        return np.asarray(layer.W.data, "float64")

    def strided(x: Any) -> Any:
        return np.repeat(x, 2, axis=0)[::-2][::-1]

    make = {"matrix": np.matrix, "strided": strided}.get(form, lambda x: x.astype(form))
    rtol = 3e-3 if form == "float16" else 1e-5
    np.testing.assert_allclose(trained(make), trained(lambda x: x.copy()), rtol)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("dtype", ["i1", "u1", "i8", "d"])
def test_a_gradient_of_another_dtype_neither_wraps_nor_widens(optimizer: Any, dtype: str) -> None:
    layers = [L.Linear(1, in_size=2, nobias=True) for _ in range(2)]
    for layer, as_dtype in zip(layers, ("f", dtype), strict=True):
        layer.W.data = np.ones((2, 1), "f")
        layer.W.grad = np.array([[20], [100]]).astype(as_dtype)
        rule = optimizer().setup(layer)
        rule.update()
        states = rule.param_states.get(layer.W, {}).values()
        assert all(value.dtype == "float32" for value in states if hasattr(value, "dtype"))
    assert np.array_equal(layers[0].W.data, layers[1].W.data)


def test_a_gradient_that_was_set_gets_the_dtype_of_its_leaf() -> None:
    layer = L.Linear(1, in_size=1)
    layer.W.grad = np.zeros((1, 1))
    C.sum(layer(np.ones((1, 1), "f"))).backward()
    assert layer.W.grad.dtype == "float32"


HALF: dict[str, tuple[Callable[[], Any], Any]] = {
    "softmax_simple": (lambda: F.softmax_simple(np.zeros((1, 70000), "e")).data[0, 0], 1 / 70000),
    "softmax_cross_entropy_simple": (
        lambda: (
            F.softmax_cross_entropy_simple(np.array([[0, 20], [0, 20]], "e"), np.array([0, 1])).data
        ),
        10,
    ),
    "mean_squared_error_simple": (
        lambda: F.mean_squared_error_simple(np.array([300, 1], "e"), np.array([0, 1])).data,
        45000,
    ),
    "max of equals": (lambda: grad(C.max(x := Variable(np.zeros(70000, "e"))), x).data[0], 1 / 7e4),
    "binary_cross_entropy of longdouble": (
        lambda: F.binary_cross_entropy(np.array([0.0, 1.0], "g"), np.array([0, 1])).data,
        0,
    ),
}


@pytest.mark.parametrize("name", HALF)
def test_extremes_of_a_dtype(name: str) -> None:
    compute, expected = HALF[name]
    assert float(compute()) == pytest.approx(expected, rel=2e-2, abs=1e-6)


def test_weight_decay_of_halves_is_not_rounded_away() -> None:
    layer = L.Linear(1, in_size=1, nobias=True, dtype="float16")
    layer.W.data = np.full((1, 1), 60000, "e")
    layer.W.grad = np.full((1, 1), 30000, "e")
    rule = SGD(1e-3).setup(layer)
    rule.add_hook(WeightDecay(1.0))
    rule.add_hook(ClipGrad(1.0))
    rule.update()
    assert np.isfinite(layer.W.data).all()


BAD_STATISTICS = {
    "integers": (np.zeros(1, int), "which would round every change to 0"),
    "masked": (np.ma.zeros(1), "the mask would be lost"),
    "another shape": (np.zeros((2, 1)), r"mean \(2, 1\) for x \(2, 1\)"),
    "one for all": (np.zeros(3), r"mean \(3,\) for x \(2, 1\)"),
}


@pytest.mark.parametrize("name", BAD_STATISTICS)
def test_running_statistics_are_checked(name: str) -> None:
    mean, message = BAD_STATISTICS[name]
    with pytest.raises(Exception, match=message):
        F.batch_norm(np.array([[3.0], [5.0]]), np.ones(1), np.zeros(1), mean, np.ones(1))


@pytest.mark.parametrize("make", [L.Linear, L.RNN, L.LSTM, L.GRU])
def test_inputs_with_no_columns(make: Any) -> None:
    assert make(3)(np.ones((2, 0), "f")).shape == (2, 3)


FAILED_FIRST_CALLS: list[tuple[Any, tuple[int, ...], tuple[int, ...]]] = [
    (L.LayerNorm, (), (2, 4)),
    (L.BatchNorm, (0, 3), (2, 4)),
    (lambda: L.GroupNorm(2), (2, 3, 4), (2, 4, 4)),
    (lambda: L.InstanceNorm(affine=True), (2, 3), (2, 4, 4)),
    (lambda: L.MultiHeadAttention(2), (4,), (2, 3, 8)),
    (lambda: L.TransformerBlock(2), (4,), (2, 3, 8)),
    (lambda: L.TransformerBlock(2), (2, 3, 5), (2, 3, 8)),  # 2 heads do not divide 5 channels
    (lambda: L.Conv1d(4, 3), (2, 5, 1), (2, 4, 5)),  # the channels are on the last axis
    (lambda: L.Conv2d(4, 3), (2, 5, 5, 1), (2, 4, 5, 5)),
    (lambda: L.Conv3d(4, 3), (2, 5, 5, 5, 1), (2, 4, 5, 5, 5)),
]


@pytest.mark.parametrize(("make", "bad", "good"), FAILED_FIRST_CALLS)
def test_a_failed_first_call_leaves_a_layer_as_it_was(make: Any, bad: Any, good: Any) -> None:
    layer = make()
    with pytest.raises((ShapeError, ArgumentError)):
        layer(np.ones(bad))
    assert layer(np.ones(good)).shape[:2] == good[:2]


@pytest.mark.parametrize("dtype", [int, "c8", bool, "nothing"])
@pytest.mark.parametrize("make", [lambda d: L.Linear(2, dtype=d), lambda d: L.BatchNorm(dtype=d)])
def test_parameters_are_floating(make: Any, dtype: Any) -> None:
    with pytest.raises(ArgumentError, match="expected a floating dtype such as float32"):
        make(dtype)


def test_parameters_are_native() -> None:
    layer = L.Linear(2, in_size=2, dtype=">f4")
    assert layer.dtype == "float32"
    assert layer.W.data.dtype.isnative


def test_recurrent_layers_take_integers() -> None:
    for make in (L.LSTM, L.GRU, L.RNN):
        layer = make(4, in_size=3)
        layer.h = layer.c = Variable(np.zeros((2, 4), int))
        assert layer(np.ones((2, 3), "f")).dtype == "float32"


def test_a_loss_of_an_empty_batch_is_refused() -> None:
    with pytest.raises(ShapeError, match="the batch is empty"):
        F.mean_squared_error(np.zeros((0, 3)), np.zeros((0, 3)))


def test_the_precision_does_not_depend_on_caches(monkeypatch: Any) -> None:
    monkeypatch.setattr(precision, "MOST_DTYPES", 0)
    monkeypatch.setattr(precision, "_wide", {})
    for dtype in ("e", "f", "d"):
        x = Variable(np.ones((2, 3), dtype))
        y = F.layer_norm(x, np.ones(3, dtype), np.zeros(3, dtype)) + C.mean(x)
        C.sum(C.exp(y)).backward()
        assert y.dtype == x.grad.dtype == dtype
