"""Test parameters as one vector, and weight and spectral normalisation."""

import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dezero_core import Variable, grad, test_mode
from dezero_core.errors import ArgumentError, ArgumentTypeError, DezeroError, ShapeError
from dezero_core.functions import concat, sum
from dezero_nn import (
    GRU,
    MLP,
    SGD,
    BatchNorm,
    Conv2d,
    Deconv2d,
    Embedding,
    EmbedID,
    Linear,
    Sequential,
    relu,
)
from dezero_nn.models.summary import summary
from dezero_nn.utils import (
    pad_sequence,
    parameters_to_vector,
    spectral_norm,
    vector_to_parameters,
    weight_norm,
)

ROWS = np.random.default_rng(0).normal(size=(5, 4)).astype("float32")
IMAGES = np.random.default_rng(1).normal(size=(2, 4, 6, 6)).astype("float32")
IDS = np.array([[0, 2], [2, 1]])
LAYERS: dict[str, tuple[Any, Any, int]] = {
    "Linear": (lambda: Linear(3), ROWS, 1),
    "Linear of a known size": (lambda: Linear(3, in_size=4), ROWS, 1),
    "Conv2d": (lambda: Conv2d(3, 3), IMAGES, 0),
    "Deconv2d": (lambda: Deconv2d(3, 3, nobias=True), IMAGES, 1),
    "EmbedID": (lambda: EmbedID(4, 3), IDS, 0),
}


def test_parameters_become_a_vector_and_come_back() -> None:
    model, other = (
        Sequential(Linear(3, in_size=4), BatchNorm(3), Linear(2, in_size=3)) for _ in "ab"
    )
    vector = parameters_to_vector(model)
    assert vector.shape == (4 * 3 + 3 + 3 + 3 + 3 * 2 + 2,)
    assert np.array_equal(vector.data, np.concatenate([p.data.ravel() for p in model.params()]))
    assert np.array_equal(parameters_to_vector(model.params()).data, vector.data)
    sum(vector * vector).backward()
    assert np.allclose(model[0].W.grad.data, 2 * model[0].W.data)
    vector_to_parameters(vector, other)
    y = model(ROWS).data
    assert np.array_equal(other(ROWS).data, y)
    model[0].W.data[...] = 0.0
    vector.data[...] = 1.0
    assert np.array_equal(other(ROWS).data, y), "the elements are copied"
    vector_to_parameters(np.zeros(vector.shape), other.params())
    assert all(p.dtype == "float32" and not p.data.any() for p in other.params())


VECTORS: list[tuple[Any, type[DezeroError], str]] = [
    (lambda: vector_to_parameters(np.ones(5), MLP((2,), in_size=3)), ShapeError, r"\(5,\).*\(8,\)"),
    (lambda: vector_to_parameters(np.ones((8, 1)), MLP((2,), in_size=3)), ShapeError, r"\(8, 1\)"),
    (lambda: parameters_to_vector(MLP((2,))), ArgumentError, "a Parameter has no data yet; pass"),
    (lambda: parameters_to_vector([]), ArgumentError, "parameters_to_vector: there are no Param"),
    (lambda: pad_sequence([]), ShapeError, r"pad_sequence: sequences \(\); expected at least one"),
    (lambda: pad_sequence([ROWS, ROWS[:, :2]]), ShapeError, r"\(5, 4\), \(5, 2\); expected at"),
    (lambda: pad_sequence([np.array(1.0)]), ShapeError, r"of shape \(length, \.\.\.\)"),
    (lambda: parameters_to_vector([ROWS]), ArgumentTypeError, "has an item of type ndarray"),
]


@pytest.mark.parametrize(("call", "kind", "message"), VECTORS, ids=lambda v: str(v)[:20])
def test_vectors_of_the_wrong_form(call: Any, kind: Any, message: str) -> None:
    with pytest.raises(kind, match=message):
        call()


def test_sentences_of_different_lengths_are_padded() -> None:
    sentences = [np.array([3, 1]), np.array([2, 2, 1, 3]), np.array([1])]
    ids = pad_sequence(sentences)
    assert ids.data.tolist() == [[3, 2, 1], [1, 2, 0], [0, 1, 0], [0, 3, 0]]
    assert np.array_equal(pad_sequence(sentences, batch_first=True).data, ids.data.T)
    assert pad_sequence(sentences, padding_value=9).data[3, 0] == 9
    assert pad_sequence([np.ones((n, 300)) for n in (25, 22, 15)]).shape == (25, 3, 300)
    table, rnn = Embedding(4, 5, padding_idx=0), GRU(3, in_size=5, bidirectional=True)
    y = rnn(table(ids), lengths=[len(sentence) for sentence in sentences])
    for n, sentence in enumerate(sentences):
        alone = rnn(table(sentence[:, None])).data[:, 0]
        np.testing.assert_allclose(y.data[: len(sentence), n], alone, rtol=1e-5, atol=1e-6)
    rows = Variable(ROWS[:2]), Variable(ROWS)
    sum(pad_sequence(rows) * 2.0).backward()
    assert (rows[0].grad.data == 2).all() and rows[1].grad.shape == ROWS.shape


@pytest.mark.parametrize("name", LAYERS)
def test_weight_norm_keeps_the_result_and_scales_by_g(name: str) -> None:
    make, x, axis = LAYERS[name]
    plain = make()
    before = plain(x).data
    layer = weight_norm(plain)
    np.testing.assert_allclose(layer(x).data, before, rtol=1e-4, atol=1e-6)
    shape = [1] * layer.W.ndim
    shape[axis] = layer.W.shape[axis]
    assert layer.g.shape == tuple(shape)
    assert [k for k in layer.named_params() if not k.endswith("/b")] == ["g", "W"]
    layer.W.data = layer.W.data * 7
    np.testing.assert_allclose(layer(x).data, before, rtol=1e-4, atol=1e-6)
    lazy = weight_norm(make())
    assert lazy(x).shape == before.shape and lazy.g.shape == tuple(shape)


@pytest.mark.parametrize("name", LAYERS)
def test_spectral_norm_divides_by_the_largest_singular_value(name: str) -> None:
    make, x, axis = LAYERS[name]
    layer = spectral_norm(make(), n_power_iterations=50)
    for _ in range(4):
        layer(x)
    matrix = np.moveaxis(layer.W.data, axis, 0).reshape(layer.W.shape[axis], -1)
    expected = layer.W.data / np.linalg.svd(matrix, compute_uv=False)[0]
    np.testing.assert_allclose(layer.layer.W.data, expected, rtol=1e-4, atol=1e-6)
    assert layer.u.shape == matrix.shape[:1] and layer.v.shape == matrix.shape[1:]
    before = layer.u.data
    with test_mode():
        layer(x)
    assert layer.u.data is before, "the vectors change in training only"
    assert {"u", "v", "W"} <= set(layer.named_params())


@pytest.mark.parametrize("make", [weight_norm, spectral_norm])
def test_gradients_of_both_orders(make: Any) -> None:
    """Compare with differences of values in float64."""
    layer = make(Linear(3, in_size=4)).eval()
    draw = np.random.default_rng(3)
    for p in layer.named_params().values():
        p.data = draw.normal(size=p.shape)
    x, params = Variable(ROWS.astype("float64")), list(layer.params())

    def loss() -> Any:
        return sum(layer(x) ** 3)

    def squares() -> Any:
        gradients = grad(loss(), params, create_graph=True)
        return sum(concat([g.reshape(-1) for g in gradients]) ** 2)

    for function in (loss, squares):
        for p, g in zip(params, grad(function(), params), strict=True):
            old, direction = p.data, draw.normal(size=p.shape)
            values = []
            for step in (1e-6, -1e-6):
                p.data = old + step * direction
                values.append(float(function()))
            p.data = old
            slope = (values[0] - values[1]) / 2e-6
            assert abs((g.data * direction).sum() - slope) < 1e-5 * max(abs(slope), 1)


@pytest.mark.parametrize("make", [weight_norm, spectral_norm])
def test_normalised_layers_train_and_are_copied_and_saved(make: Any, tmp_path: Path) -> None:
    def model() -> Any:
        return Sequential(make(Conv2d(3, 3)), relu, lambda x: x.reshape(2, -1), make(Linear(2)))

    net = model()
    net(IMAGES)
    optimizer = SGD(0.01).setup(net)
    losses = []
    for _ in range(5):
        loss = sum(net(IMAGES) ** 2)
        net.cleargrads()
        loss.backward()
        optimizer.update()
        losses.append(float(loss))
    assert losses[-1] < losses[0]
    net.eval()
    y = net(IMAGES).data
    for twin in (copy.deepcopy(net[0]), pickle.loads(pickle.dumps(net[0]))):
        assert list(twin.named_params()) == list(net[0].named_params())
        assert np.array_equal(twin(IMAGES).data, net[0](IMAGES).data)
        assert twin.W is not net[0].W
    pytest.importorskip("dezero_io")
    net.save_weights(tmp_path / "net.npz")
    other = model()
    other.load_weights(tmp_path / "net.npz")
    assert np.array_equal(other.eval()(IMAGES).data, y)
    assert "l0/layer" in summary(other, IMAGES)
    assert "SpectralNorm" in repr(net) or "WeightNorm" in repr(net)


def test_a_gate_of_a_recurrent_layer_can_be_normalised() -> None:
    rnn = GRU(3, in_size=4)
    before = rnn(ROWS[None]).data
    rnn.h2n = weight_norm(rnn.h2n)
    rnn.reset_state()
    np.testing.assert_allclose(rnn(ROWS[None]).data, before, rtol=1e-5, atol=1e-6)


def zeros(first: int = 0) -> Linear:
    """Return a layer whose weights are 0 from the output ``first`` on."""
    layer = Linear(2, in_size=3)
    layer.W.data[:, first:] = 0
    return layer


WRONG: list[tuple[Any, type[DezeroError], str]] = [
    (
        lambda: weight_norm(Linear(2), "V"),
        ArgumentError,
        "weight_norm: Linear has no Param",
    ),
    (lambda: spectral_norm(relu), ArgumentError, "spectral_norm: function has no Parameter 'W'"),
    (lambda: weight_norm(Linear(2, nobias=True), "b"), ArgumentError, "no Parameter 'b'"),
    (lambda: weight_norm(Linear(2, in_size=3), axis=2), ShapeError, "axis 2"),
    (lambda: spectral_norm(Linear(2, in_size=3), axis=-3), ShapeError, "axis -3"),
    (lambda: weight_norm(zeros(1)), ArgumentError, "weight_norm: W of Linear has a norm of 0, by"),
    (lambda: spectral_norm(zeros()), ArgumentError, "spectral_norm: W of Linear has a norm of 0"),
    (lambda: spectral_norm(Linear(2), n_power_iterations=0), ArgumentError, "n_power_iterations 0"),
]


@pytest.mark.parametrize(("call", "kind", "message"), WRONG, ids=lambda v: str(v)[:20])
def test_wrong_arguments(call: Any, kind: Any, message: str) -> None:
    with pytest.raises(kind, match=message):
        call()
