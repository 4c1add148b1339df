"""Test sizes, windows, axes and rates in every form that NumPy accepts."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import dezero_nn.functions as F
import dezero_nn.layers as L
from dezero_core import Variable, seed, test_mode
from dezero_core import functions as C
from dezero_core.errors import ArgumentError, ArgumentTypeError, ShapeError
from dezero_nn.models import MLP
from dezero_nn.optimizers import (
    SGD,
    AdaDelta,
    AdaGrad,
    Adam,
    AdamW,
    ClipGrad,
    CosineDecay,
    MomentumSGD,
    RMSprop,
    StepDecay,
    WeightDecay,
)

X = np.linspace(-1, 1, 12, dtype="float32").reshape(4, 3)
IMAGES = np.linspace(-1, 1, 144, dtype="float32").reshape(2, 2, 6, 6)
FILTERS = np.linspace(-1, 1, 36, dtype="float32").reshape(2, 2, 3, 3)
ONE, ZERO = np.ones(3, "float32"), np.zeros(3, "float32")


def integer(n: int) -> list[Any]:
    return [np.int64(n), np.uint8(n), np.array(n)]


def pairs(a: int, b: int) -> list[Any]:
    return [[a, b], np.array([a, b]), (np.int64(a), np.int8(b))]


def number(x: float) -> list[Any]:
    return [np.float64(x), np.float32(x), np.array(x), np.float16(x)]


Form = tuple[str, Callable[[Any], Any], Any, list[Any]]
FORMS: list[Form] = [
    ("softmax", lambda a: F.softmax(X, a), 1, integer(1)),
    ("softmax over axes", lambda a: F.softmax(IMAGES, a), (2, 3), pairs(2, 3)),
    ("log_softmax", lambda a: F.log_softmax(X, a), 1, integer(1)),
    ("pooling", lambda k: F.pooling(IMAGES, k, k), (2, 3), pairs(2, 3)),
    ("pooling_simple", lambda k: F.pooling_simple(IMAGES, k), 2, integer(2)),
    ("average_pooling", lambda k: F.average_pooling(IMAGES, k, k, 1), 2, integer(2)),
    ("conv2d", lambda s: F.conv2d(IMAGES, FILTERS, None, s, s, s), (1, 2), pairs(1, 2)),
    ("conv2d, groups", lambda g: F.conv2d(IMAGES, FILTERS[:, :1], groups=g), 2, integer(2)),
    ("conv2d_simple", lambda s: F.conv2d_simple(IMAGES, FILTERS, None, s, s), 2, integer(2)),
    ("deconv2d", lambda s: F.deconv2d(IMAGES, FILTERS, None, s), 2, integer(2)),
    ("deconv2d, size", lambda n: F.deconv2d(IMAGES, FILTERS, outsize=n), (8, 8), pairs(8, 8)),
    ("im2col", lambda k: F.im2col(IMAGES, k, k), (2, 3), pairs(2, 3)),
    ("col2im", lambda s: F.col2im(F.im2col(IMAGES, 2), s, 2), (2, 2, 6, 6), [[2, 2, 6, 6]]),
    ("dropout", lambda r: F.dropout(X, r), 0.25, number(0.25)),
    ("leaky_relu", lambda s: F.leaky_relu(X, s), 0.25, number(0.25)),
    ("layer_norm", lambda e: F.layer_norm(X, ONE, ZERO, e), 0.25, number(0.25)),
    ("batch_norm", lambda e: F.batch_norm(X, ONE, ZERO, ZERO.copy(), ONE.copy(), e, e), 0.5,
     number(0.5)),
    ("Linear", lambda n: L.Linear(n, in_size=3)(X), 2, integer(2)),
    ("Linear, in", lambda n: L.Linear(2, in_size=n)(X), 3, integer(3)),
    ("Conv2d", lambda k: L.Conv2d(2, k, stride=k, pad=k)(IMAGES), (2, 1), pairs(2, 1)),
    ("Conv2d, sizes", lambda n: L.Conv2d(n, n, stride=n, in_channels=n, groups=n)(IMAGES), 2,
     integer(2)),
    ("Deconv2d", lambda n: L.Deconv2d(n, n, stride=n)(IMAGES), 2, integer(2)),
    ("EmbedID", lambda n: L.EmbedID(n, n)(np.array([0, 1])), 2, integer(2)),
    ("LayerNorm", lambda n: L.LayerNorm(n)(X), 3, [*integer(3), [3], np.array([3])]),
    ("LayerNorm of axes", lambda n: L.LayerNorm(n)(IMAGES), (6, 6), pairs(6, 6)),
    ("Dropout", lambda r: L.Dropout(r)(X), 0.5, number(0.5)),
    ("RNN", lambda n: L.RNN(n, in_size=n)(X), 3, integer(3)),
    ("LSTM", lambda n: L.LSTM(n)(X), 3, integer(3)),
    ("LSTM over steps", lambda n: L.LSTM(n)(X.reshape(2, 2, 3)), 3, integer(3)),
    ("GRU", lambda n: L.GRU(n, in_size=n)(X), 3, integer(3)),
    ("MLP", lambda n: MLP(n)(X), (3, 2), pairs(3, 2)),
]  # fmt: skip


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form[0])
def test_every_form_of_an_argument_gives_the_same_result(form: Form) -> None:
    _, call, plain, others = form
    seed(0)
    expected = call(plain).data
    assert expected.dtype == np.float32
    for other in others:
        seed(0)
        y = call(other).data
        assert y.dtype == np.float32, "a NumPy number does not change the dtype"
        assert np.array_equal(y, expected)


OPTIMIZERS: list[Callable[[Any], Any]] = [
    SGD, lambda r: MomentumSGD(r, r), AdaGrad, lambda r: RMSprop(r, r),
    lambda r: AdaDelta(rho=r, eps=r), lambda r: Adam(r, r, r, r), lambda r: AdamW(r, r, r, r, r),
]  # fmt: skip


def trained(make: Callable[[Any], Any], rate: Any) -> tuple[Any, Any]:
    seed(0)
    model = L.Linear(2, in_size=3)
    optimizer = make(rate).setup(model)
    optimizer.add_hook(WeightDecay(rate))
    optimizer.add_hook(ClipGrad(rate))
    for _ in range(2):
        model.cleargrads()
        (model(X) ** 2).sum().backward()
        optimizer.update()
    return model.W.data, optimizer.state_dict()


@pytest.mark.parametrize("make", OPTIMIZERS)
def test_a_numpy_number_is_a_learning_rate(make: Callable[[Any], Any]) -> None:
    expected, state = trained(make, 0.25)
    for rate in (np.float64(0.25), np.float32(0.25), np.logspace(-1, 0, 2, base=4)[0]):
        W, saved = trained(make, rate)
        assert W.dtype == np.float32
        assert np.array_equal(W, expected)
        assert saved["settings"] == state["settings"], "a checkpoint holds every setting"
        for name, value in saved["parameters"]["W"].items():
            assert getattr(value, "dtype", None) in (None, np.float32), name


def test_schedules_take_numpy_integers() -> None:
    for schedule in (StepDecay, CosineDecay):
        rates = []
        for steps in (2, np.int64(2)):
            optimizer = SGD(np.float32(0.5))
            schedule(optimizer, steps).step()
            rates.append(optimizer.lr)
        assert rates[0] == rates[1]
        assert type(rates[1]) is float


WRONG: list[tuple[Callable[[], Any], str]] = [
    (lambda: L.Linear(3.0), r"Linear: out_size 3\.0 \(float\): expected an integer; int\(\)"),
    (lambda: L.Linear(True), r"Linear: out_size True"),
    (lambda: L.Linear("3"), r"Linear: out_size '3'"),
    (lambda: L.Linear(3, in_size=2.0), r"Linear: in_size 2\.0"),
    (lambda: L.Linear(-1), r"Linear: out_size -1 is below 0"),
    (lambda: L.Conv2d(2.0, 3), r"Conv2d: out_channels 2\.0"),
    (lambda: L.Conv2d(2, 3, stride=1.5), r"Conv2d: stride 1\.5 is neither an integer nor a pair"),
    (lambda: L.Conv2d(2, (3, 3, 3)), r"Conv2d: kernel_size \(3, 3, 3\) is neither"),
    (lambda: L.Deconv2d(2, 3, pad=True), r"Deconv2d: pad True is neither"),
    (lambda: L.Conv2d(2, 3, groups=1.0), r"Conv2d: groups 1\.0"),
    (lambda: L.EmbedID(5.0, 2), r"EmbedID: in_size 5\.0"),
    (lambda: L.LayerNorm(3.0), r"LayerNorm: shape 3\.0"),
    (lambda: L.GRU(2.5), r"GRU: hidden_size 2\.5"),
    (lambda: MLP((10, 2.5)), r"MLP: fc_output_sizes 2\.5"),
    (lambda: F.softmax(X, 1.0), r"softmax: axis 1\.0"),
    (lambda: F.log_softmax(X, "1"), r"log_softmax: axis '1'"),
    (lambda: F.pooling(IMAGES, 2.0), r"pooling: kernel_size 2\.0 is neither"),
    (lambda: F.average_pooling(IMAGES, 2, "2"), r"average_pooling: stride '2' is neither"),
    (lambda: F.conv2d(IMAGES, FILTERS, dilation=[1]), r"conv2d: dilation \[1\] is neither"),
    (lambda: F.deconv2d(IMAGES, FILTERS, outsize=8.5), r"deconv2d: outsize 8\.5 is neither"),
    (lambda: F.im2col(IMAGES, None), r"im2col: kernel_size None is neither"),
    (lambda: F.dropout(X, "0.5"), r"dropout: dropout_ratio '0\.5' \(str\): expected a number"),
    (lambda: F.dropout(X, False), r"dropout: dropout_ratio False"),
    (lambda: F.leaky_relu(X, Variable(ONE[0:1])), r"leaky_relu: slope variable"),
    (lambda: F.layer_norm(X, ONE, ZERO, None), r"layer_norm: eps None"),
    (lambda: WeightDecay("1"), r"WeightDecay: rate '1'"),
]  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: wrong[1])
def test_anything_else_is_named(wrong: Any) -> None:
    call, message = wrong
    with test_mode(), pytest.raises(ArgumentError, match=message) as caught:
        call()
    assert isinstance(caught.value, ArgumentTypeError) or "below" in message


SCORES, WEIGHT = np.zeros((2, 3)), np.ones(7)
MISFITS: list[tuple[str, Callable[[], Any], str]] = [
    ("mean", lambda: C.mean(SCORES, 7), "axis 7"),
    ("vector_norm", lambda: C.vector_norm(SCORES, axis=7), "axis 7"),
    ("add_at", lambda: C.add_at(SCORES, [0], WEIGHT), r"values \(7,\)"),
    ("normalize", lambda: F.normalize(SCORES, axis=7), "axis 7"),
    ("cosine_similarity", lambda: F.cosine_similarity(SCORES, SCORES, 7), "axis 7"),
    ("cosine_similarity", lambda: F.cosine_similarity(SCORES, WEIGHT), r"shapes \(2, 3\), \(7,\)"),
    ("pairwise_distance", lambda: F.pairwise_distance(SCORES, WEIGHT), "shapes"),
    ("pairwise_distance", lambda: F.pairwise_distance(1.0, 2.0), "axis -1"),
    ("triplet_margin_loss", lambda: F.triplet_margin_loss(SCORES, SCORES, WEIGHT), "shapes"),
    ("cosine_embedding_loss", lambda: F.cosine_embedding_loss(SCORES, WEIGHT, ONE), "shapes"),
    ("binary_cross_entropy", lambda: F.binary_cross_entropy(SCORES, SCORES, WEIGHT), "weight"),
    (
        "binary_cross_entropy_with_logits",
        lambda: F.binary_cross_entropy_with_logits(SCORES, SCORES, pos_weight=WEIGHT),
        "pos_weight",
    ),
    ("gaussian_nll_loss", lambda: F.gaussian_nll_loss(SCORES, SCORES, WEIGHT), "var"),
]


@pytest.mark.parametrize(("name", "call", "argument"), MISFITS)
def test_an_error_names_the_function_that_was_called(
    name: str, call: Callable[[], Any], argument: str
) -> None:
    with pytest.raises(ShapeError, match=f"^{name}: .*{argument}"):
        call()
