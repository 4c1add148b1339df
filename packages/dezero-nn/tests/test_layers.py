"""Test layers: their tree, lazy sizes, moves to other backends, and paths in errors."""

import copy
import pickle
from typing import Any

import numpy as np
import pytest

from dezero_core import Buffer, Parameter, Variable, grad, seed
from dezero_core.backends import host
from dezero_core.errors import (
    ArgumentError,
    DezeroError,
    MissingPackage,
    ShapeError,
    UnsupportedType,
)
from dezero_core.extend import backend_of, get_backend
from dezero_core.functions import concat, sum
from dezero_nn import (
    CNN,
    GRU,
    LSTM,
    MLP,
    RNN,
    BatchNorm,
    Conv2d,
    Deconv2d,
    Dropout,
    EmbedID,
    Layer,
    LayerNorm,
    Linear,
    Model,
    Sequential,
    relu,
)
from dezero_nn.initializers import He, LeCun, Xavier
from dezero_nn.layers.recurrent import Recurrent


@pytest.fixture(autouse=True)
def _reset_the_seed() -> Any:
    yield
    host.streams().seeded = None


def test_parameters_are_found_in_attributes() -> None:
    layer, inner = Layer(), Layer()
    inner.p1 = Parameter(np.array(1))
    layer.l1 = inner
    layer.p2 = Parameter(np.array(2))
    layer.stats = Buffer(np.zeros(2))
    flat: dict[str, Any] = {}
    layer._flatten_params(flat)
    assert list(flat) == ["l1/p1", "p2", "stats"]
    assert list(layer.params()) == [inner.p1, layer.p2]
    nested: dict[str, Any] = {}
    layer._flatten_params(nested, "net")
    assert list(nested) == ["net/l1/p1", "net/p2", "net/stats"]


def test_cleargrads_reaches_every_parameter() -> None:
    model = MLP((3, 2))
    model(np.ones((1, 4), "float32")).backward()
    assert all(p.grad is not None for p in model.params())
    model.cleargrads()
    assert all(p.grad is None for p in model.params())


def test_linear_takes_its_size_from_the_first_input(backend: str) -> None:
    layer = Linear(3).to(backend)
    assert layer.W.data is None
    x = get_backend(backend).from_numpy(np.ones((2, 5), "float32"))
    y = layer(x)
    assert (layer.W.shape, y.shape, layer.in_size) == ((5, 3), (2, 3), 5)
    assert backend_of(layer.W.data).name == backend
    assert y.dtype == layer.W.dtype == layer.b.dtype
    assert y.dtype == get_backend(backend).dtype("float32")


def test_linear_settings() -> None:
    assert Linear(3, in_size=4).W.shape == (4, 3)
    assert Linear(3, nobias=True).b is None
    assert Linear(3, dtype=np.float64, in_size=2).W.dtype == np.float64
    assert Linear(3, nobias=True, dtype=np.float32, in_size=2)(np.ones((1, 2))).shape == (1, 3)
    assert Linear(2, in_size=3)(np.ones((2, 4, 3), "float32")).shape == (2, 4, 2)


def test_weights_have_variance_one_over_in() -> None:
    seed(0)
    W = Linear(400, in_size=100).W.data
    assert W.dtype == np.float32
    assert abs(W.std() - 0.1) < 0.001
    assert abs(W.mean()) < 0.001


def test_one_seed_gives_equal_weights_on_every_backend(backend: str) -> None:
    weights = []
    for name in ("numpy", backend):
        seed(3)
        layer = Linear(2)
        x = get_backend(name).from_numpy(np.ones((1, 3), "float32"))
        layer.to(name)(x)
        weights.append(get_backend(name).to_numpy(layer.W.data))
    assert np.array_equal(*weights)


def test_models_have_the_books_keys() -> None:
    x = np.ones((1, 4), "float32")
    model = MLP((3, 2))
    model(x)
    assert list(model.named_params()) == ["l0/W", "l0/b", "l1/W", "l1/b"]
    chain = Sequential(Linear(3), relu, Linear(2))
    assert chain(x).shape == (1, 2)
    assert list(chain.named_params()) == ["l0/W", "l0/b", "l2/W", "l2/b"]
    assert MLP((3, 2), in_size=4).l1.W.shape == (3, 2)
    assert isinstance(model, Model)


def test_moving_a_model(backend: str) -> None:
    model = MLP((3, 2), in_size=4)
    assert model.to(backend) is model
    assert {backend_of(p.data).name for p in model.params()} == {backend}
    assert model.to_cpu().to_gpu() is model
    assert {backend_of(p.data).name for p in model.params()} == {"cuda"}


def test_conv2d_takes_its_channels_from_the_first_input(backend: str) -> None:
    layer = Conv2d(4, (3, 2), stride=2, pad=1).to(backend)
    x = get_backend(backend).from_numpy(np.ones((2, 3, 6, 6), "float32"))
    y = layer(x)
    assert (layer.W.shape, y.shape, layer.in_channels) == ((4, 3, 3, 2), (2, 4, 3, 4), 3)
    assert backend_of(layer.W.data).name == backend
    assert y.dtype == layer.W.dtype == get_backend(backend).dtype("float32")
    assert Conv2d(2, 3, nobias=True).b is None
    assert Conv2d(2, 3, dtype="float64", in_channels=1).W.dtype == np.float64
    with pytest.raises(ShapeError, match=r"Conv2d: x \(3, 6\): images have the shape"):
        Conv2d(2, 3)(np.ones((3, 6)))


def test_filters_have_variance_one_over_fan_in() -> None:
    seed(0)
    W = Conv2d(200, 5, in_channels=4).W.data
    assert abs(W.std() - 0.1) < 0.002


def test_dropout_is_a_layer() -> None:
    seed(0)
    y = Dropout(0.25)(np.ones(1000)).data
    assert set(y.tolist()) == {0.0, 1 / 0.75}


def test_the_cnn_takes_images_of_any_size_from_6(backend: str) -> None:
    model = CNN(10).to(backend)
    y = model(get_backend(backend).from_numpy(np.ones((2, 1, 8, 8), "float32")))
    assert y.shape == (2, 10)
    assert [key for key in model.named_params() if key.endswith("W")] == [
        "conv0/W",
        "conv1/W",
        "fc0/W",
        "fc1/W",
    ]
    with pytest.raises(ShapeError, match=r"does not fit.*\(in model.conv0\)"):
        CNN(10)(np.ones((1, 1, 2, 2), "float32"))


class Deep(Model):
    def __init__(self) -> None:
        self.blocks = [Linear(3, in_size=4), {"head": Sequential(Linear(2, in_size=9))}]

    def forward(self, x: Any) -> Any:
        return self.blocks[1]["head"](self.blocks[0](x))


def test_an_error_names_the_layer_it_came_through() -> None:
    with pytest.raises(ShapeError, match=r"W \(9, 2\).*\(in model.blocks/1/head/l0\)") as caught:
        Deep()(np.ones((1, 4), "float32"))
    assert caught.value.layer_path == ("blocks/1/head", "l0")
    with pytest.raises(ShapeError, match=r"x \(1, 5\), W \(4, 3\).*\(in model.blocks/0\)"):
        Deep()(np.ones((1, 5), "float32"))
    with pytest.raises(ShapeError) as alone:
        Linear(2, in_size=3)(np.ones((1, 4), "float32"))
    assert "in model" not in str(alone.value)


def test_bad_input_to_linear() -> None:
    with pytest.raises(ShapeError, match="x has no axes"):
        Linear(2)(np.array(1.0))
    with pytest.raises(UnsupportedType, match="x is of type list; expected an array"):
        Linear(2)([[1.0]])
    with pytest.raises(DezeroError, match="Linear got"):
        Linear(2, in_size=2)(get_backend("strict").from_numpy(np.ones((1, 2), "float32")))


def test_an_error_in_a_replaced_forward_is_raised_unchanged() -> None:
    layer: Any = Linear(2)
    layer.forward = lambda x, y: x + "y"
    with pytest.raises(TypeError, match="^unsupported operand type"):
        layer(1, 2)


def test_forward_must_be_defined() -> None:
    with pytest.raises(NotImplementedError, match="Layer must define forward"):
        Layer()(Variable(np.ones(1)))


def test_saving_without_dezero_io_names_it(monkeypatch: Any) -> None:
    from dezero_core import formats

    monkeypatch.setattr(formats._formats, "get", lambda suffix: None)
    for action in (Linear(2, in_size=2).save_weights, Linear(2, in_size=2).load_weights):
        with pytest.raises(MissingPackage, match="pip install dezero-io") as caught:
            action("m")
        assert isinstance(caught.value, ImportError)


def test_layers_remember_their_last_call_weakly() -> None:
    layer, x = Linear(2), Variable(np.ones((2, 3), "float32"))
    assert layer.inputs == layer.outputs == ()
    y = layer(x)
    assert layer.inputs[0]() is x and layer.outputs[0]() is y
    del y
    assert layer.outputs[0]() is None
    assert EmbedID(3, 2)(np.array([0])) is not None
    norm = BatchNorm()
    z = norm(x)
    assert norm.outputs[0]() is z


def test_a_layer_that_was_used_can_be_copied_and_pickled() -> None:
    for layer in (MLP((3, 2)), Sequential(LSTM(2), GRU(3), RNN(2), Linear(1))):
        x = np.ones((2, 4), "float32")
        y = layer(x)
        layer.inputs[0]
        again = pickle.loads(pickle.dumps(layer))
        copied = copy.deepcopy(layer)
        for other in (again, copied):
            assert other.outputs == ()
            assert np.array_equal(other(x).data, y.data), "a copy of a recurrent layer starts anew"


def test_deconv2d_takes_its_channels_from_the_first_input(backend: str) -> None:
    layer = Deconv2d(4, (3, 2), stride=2, pad=1, groups=2).to(backend)
    x = get_backend(backend).from_numpy(np.ones((2, 6, 3, 4), "float32"))
    y = layer(x)
    assert (layer.W.shape, y.shape, layer.in_channels) == ((6, 2, 3, 2), (2, 4, 5, 6), 6)
    assert y.dtype == get_backend(backend).dtype("float32")
    assert Deconv2d(2, 3, nobias=True).b is None


@pytest.mark.parametrize(
    ("kernel", "stride", "settings"),
    [
        (4, 1, {}), (4, 2, {}), (4, 4, {}), (3, 2, {}), (5, 3, {}), (2, 3, {}), (1, 2, {}),
        ((4, 2), (2, 1), {}), (4, 2, {"groups": 2}), (3, 2, {"dilation": 2}),
    ],
)  # fmt: skip
def test_the_scale_of_a_deconv2d_does_not_depend_on_its_stride(
    kernel: Any, stride: Any, settings: Any
) -> None:
    """Compare away from the edges, where fewer inputs contribute to an output."""
    seed(0)
    layer = Deconv2d(64, kernel, stride=stride, in_channels=64, **settings)
    x = np.random.default_rng(0).standard_normal((2, 64, 20, 20)).astype("float32")
    y = layer(x).data
    edge = [min(8, n // 5) for n in y.shape[2:]]
    steps = np.broadcast_to(stride, 2)
    whole = [(n - 2 * e) // s * s for n, e, s in zip(y.shape[2:], edge, steps, strict=True)]
    inside = y[:, :, edge[0] : edge[0] + whole[0], edge[1] : edge[1] + whole[1]]
    assert abs(inside.std() - 1) < 0.06


@pytest.mark.parametrize(
    ("initializer", "factor"), [(LeCun(), 1.0), (He(), 2.0), (Xavier(), 2 / (1 + 4 * 2))]
)
def test_initialisers_count_the_stride_of_a_deconv2d(initializer: Any, factor: float) -> None:
    """An output has 16 channels with 2 x 2 taps, fan_in 64; an input 32 with 4 x 4: 512."""
    seed(0)
    W = Deconv2d(32, 4, stride=2, in_channels=16, initializer=initializer).W.data
    assert abs(W.std() / (factor / 64) ** 0.5 - 1) < 0.05


def test_convolution_in_groups() -> None:
    layer = Conv2d(6, 3, pad=2, dilation=2, groups=3)
    assert layer(np.ones((1, 3, 5, 5), "float32")).shape == (1, 6, 5, 5)
    assert layer.W.shape == (6, 1, 3, 3)
    with pytest.raises(ArgumentError, match="groups 4 does not divide the channels, 3 in and 6"):
        Conv2d(6, 3, groups=4)(np.ones((1, 3, 5, 5), "float32"))


def test_batch_and_layer_normalisation(backend: str) -> None:
    x = get_backend(backend).from_numpy(np.arange(24.0, dtype="float32").reshape(2, 3, 4))
    for layer in (LayerNorm(), LayerNorm(4), LayerNorm((3, 4))):
        y = layer.to(backend)(x)
        host = get_backend(backend).to_numpy(y.data)
        assert host.dtype == np.float32
        last = (1, 2) if layer.gamma.ndim == 2 else 2
        np.testing.assert_allclose(host.mean(last), 0, atol=1e-6)
        np.testing.assert_allclose(host.std(last), 1, atol=1e-4)
    assert list(LayerNorm(4).named_params()) == ["gamma", "beta"]


def test_embedding() -> None:
    seed(0)
    layer = EmbedID(50, 40)
    assert layer.W.dtype == np.float32
    assert abs(layer.W.data.std() - 1) < 0.05
    ids = np.array([[1, 1], [4, 0]])
    y = layer(ids)
    assert np.array_equal(y.data, layer.W.data[ids])
    y.sum().backward()
    assert layer.W.grad.data[:5, 0].tolist() == [1, 2, 0, 0, 1]


@pytest.mark.parametrize("cell", [RNN, LSTM, GRU])
def test_recurrent_layers_learn_from_earlier_inputs(cell: Any, backend: str) -> None:
    library = get_backend(backend)
    layer = cell(4).to(backend)
    x = Variable(library.from_numpy(np.ones((2, 3), "float32")))
    zero = library.from_numpy(np.zeros((2, 3), "float32"))
    layer(x)
    assert all(p.data is not None for p in layer.params()), "one step makes all weights"
    y = layer(layer_input := zero)
    assert y.shape == (2, 4) and y.dtype == library.dtype("float32")
    y.sum().backward()
    assert np.abs(library.to_numpy(x.grad.data)).max() > 0, "the first step reaches the second"
    first = library.to_numpy(layer(layer_input).data)
    layer.reset_state()
    assert not np.array_equal(library.to_numpy(layer(layer_input).data), first)
    with pytest.raises(ShapeError, match=r"x \(3, 3\).*the state is of 2 rows; reset_state"):
        layer(library.from_numpy(np.ones((3, 3), "float32")))
    for shape in ((3,), (0, 2, 3), (1, 2, 3, 4)):
        with pytest.raises(ShapeError, match=r"expected \(N, in\), one step of N sequences, or"):
            cell(4)(np.ones(shape, "float32"))


@pytest.mark.parametrize("cell", [RNN, LSTM, GRU])
def test_a_sequence_equals_its_steps_one_by_one(cell: Any) -> None:
    """Compare values, states, first and second derivatives, also after earlier steps."""
    steps, layer = Variable(np.random.default_rng(0).normal(size=(5, 2, 3))), cell(4)
    layer(steps[0].data)
    for p in layer.params():  # float64, and no zeros
        p.data = np.random.default_rng(p.size).normal(size=p.shape)

    def run(*parts: Any) -> list[Any]:
        layer.reset_state()
        y = concat([layer(part) if part.ndim == 3 else layer(part)[None] for part in parts])
        given = [steps, *layer.params()]
        first = grad(sum(y * y) + sum(layer.h * y[0]), given, create_graph=True)
        second = grad(sum(concat([g.reshape(-1) for g in first]) ** 2), given)
        return [g.data for g in (y, layer.h, *first, *second)]

    for got in run(steps), run(steps[:2], steps[2:]), run(steps[0], steps[1:]):
        for found, wanted in zip(got, run(*[steps[t] for t in range(5)]), strict=True):
            np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-12)


def test_a_recurrent_layer_needs_a_step() -> None:
    with pytest.raises(NotImplementedError, match=r"Recurrent has no step\(x\)"):
        Recurrent(3)(np.ones((1, 2), "float32"))


def test_recurrent_layers_have_the_books_keys_and_sizes() -> None:
    assert list(RNN(2, in_size=3).named_params()) == ["x2h/W", "x2h/b", "h2h/W"]
    keys = [f"x2{g}/{p}" for g in "fiou" for p in "Wb"] + [f"h2{g}/W" for g in "fiou"]
    assert list(LSTM(2, in_size=3).named_params()) == keys
    assert RNN(2, in_size=3).h2h.W.shape == LSTM(2, in_size=3).h2o.W.shape == (2, 2)
    assert [key for key in GRU(2).named_params() if key.startswith("h2n")] == ["h2n/W", "h2n/b"]


def test_recurrent_cells_by_their_formulas() -> None:
    def sigmoid(x: Any) -> Any:
        return 1 / (1 + np.exp(-x))

    x0, x1 = np.random.default_rng(0).normal(size=(2, 2, 3))
    for cell in (LSTM(4), GRU(4)):
        cell(x0)
        cell(x1)
        cell.reset_state()
        for p in cell.params():  # biases too, and in float64
            p.data = np.random.default_rng(p.size).normal(size=p.shape)
        cell(x0)
        y = cell(x1)
        W = {key: p.data for key, p in cell.named_params().items()}
        h = c = np.zeros((2, 4))
        for x in (x0, x1):
            layers = {key[:3] for key in W}
            a = {k: x @ W[k + "/W"] + W[k + "/b"] for k in layers if k[0] == "x"}
            b = {k: h @ W[k + "/W"] + W.get(k + "/b", 0) for k in layers if k[0] == "h"}
            if isinstance(cell, LSTM):
                f, i, o, u = (a[f"x2{g}"] + b[f"h2{g}"] for g in "fiou")
                c = sigmoid(f) * c + sigmoid(i) * np.tanh(u)
                h = sigmoid(o) * np.tanh(c)
            else:
                r, z = (sigmoid(a[f"x2{g}"] + b[f"h2{g}"]) for g in "rz")
                h = (1 - z) * np.tanh(a["x2n"] + r * b["h2n"]) + z * h
        np.testing.assert_allclose(y.data, h)


@pytest.mark.parametrize(
    ("initializer", "deviation"),
    [(LeCun(), 0.1), (He(), 2**0.5 * 0.1), (Xavier(), (2 / 500) ** 0.5)],
)
def test_initialisers(initializer: Any, deviation: float) -> None:
    seed(1)
    W = Linear(400, in_size=100, initializer=initializer).W.data
    assert W.dtype == np.float32 and abs(W.std() - deviation) < 0.002
    filters = Conv2d(100, 5, in_channels=4, initializer=initializer)
    assert abs(filters.W.data.std() / initializer.deviation(100, 2500) - 1) < 0.05


def test_a_passed_generator_leaves_dezeros_generator_unchanged() -> None:
    draw = np.random.default_rng
    weights = [Linear(3, in_size=2, initializer=He(draw(7))).W.data for _ in range(2)]
    assert np.array_equal(*weights)
    table = EmbedID(2, 3, dtype="float64", generator=draw(0)).W.data
    assert np.array_equal(table, draw(0).standard_normal((2, 3)))
    seed(5)
    Linear(3, in_size=2, initializer=He(draw(7)))
    after = Linear(3, in_size=2).W.data
    seed(5)
    assert np.array_equal(after, Linear(3, in_size=2).W.data)
