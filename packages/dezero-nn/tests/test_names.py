"""Test that subclasses may use common attribute names."""

import copy
import pickle
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from dezero_core import Function, Parameter, Variable
from dezero_core.errors import GraphError, ShapeError
from dezero_core.functions import sum as total
from dezero_nn import MLP, SGD, Layer, Linear, Model, Sequential
from dezero_nn.models.summary import summary
from dezero_nn.optimizers import Optimizer

X = np.ones((4, 2), "float32")
LAYER_NAMES = [
    "inputs", "outputs", "input", "output", "name", "params", "named_params", "cleargrads", "to",
    "to_cpu", "to_gpu", "save_weights", "load_weights", "summary", "plot", "layers", "layer",
    "state", "h", "c", "W", "b", "size", "data", "target", "hooks", "shape", "axis", "x", "mask",
    "grad", "dtype", "ndim", "creator", "train", "eval", "fit", "config", "activation", "blocks",
    "cut", "serial", "parents", "needs_grad", "step", "call", "function", "backward", "training",
    "_layer_path", "_flatten_params", "_inputs", "_outputs", "_state", "_params", "_name",
]  # fmt: skip


@pytest.mark.parametrize("name", LAYER_NAMES)
def test_a_layer_under_any_name_is_trained(name: str) -> None:
    class Net(Model):
        def __init__(self) -> None:
            setattr(self, name, Linear(1))

        def forward(self, x: Any) -> Any:
            return vars(self)[name](x)

    net = Net()
    optimizer = SGD(0.1).setup(net)
    for _ in range(2):
        Layer.cleargrads(net)
        net(X).sum().backward()
        before = {key: p.data.copy() for key, p in Layer.named_params(net).items()}
        optimizer.update()
        assert list(before) == [f"{name}/W", f"{name}/b"]
        assert all((p.data != before[key]).all() for key, p in Layer.named_params(net).items())
    assert isinstance(vars(net)[name], Linear)
    assert f"({name}): Linear(out_size=1" in repr(net)
    for twin in (copy.deepcopy(net),):
        assert list(Layer.named_params(twin)) == [f"{name}/W", f"{name}/b"]


@pytest.mark.parametrize("name", LAYER_NAMES)
@pytest.mark.parametrize("value", [3, "encoder", None, [], (2, 3)])
def test_a_plain_attribute_under_any_name_stays(name: str, value: Any) -> None:
    class Net(Layer):
        def __init__(self) -> None:
            self.first, self.last = Linear(3), Linear(1)
            setattr(self, name, value)

        def forward(self, x: Any) -> Any:
            return self.last(self.first(x))

    net = Net()
    optimizer = SGD().setup(net)
    net(X).sum().backward()
    optimizer.update()
    assert getattr(net, name) is value
    assert len(Layer.named_params(net)) == 4


def test_layers_that_are_equal_or_cannot_be_hashed() -> None:
    @dataclass
    class Block(Layer):
        size: int
        inputs: int = 3

        def __post_init__(self) -> None:
            self.fc = Linear(self.size, in_size=7)

        def forward(self, x: Any) -> Any:
            return self.fc(x)

    net = Sequential(Linear(7), Block(7), Block(2))
    assert net(X).shape == (4, 2)
    assert "l2" in summary(net, X)
    assert list(net.named_params())[-1] == "l2/fc/b"
    with pytest.raises(ShapeError, match=r"in model\.l2/fc"):
        Sequential(Linear(7), Block(6), Block(2))(X)


def test_forward_may_be_an_attribute() -> None:
    net = Layer()
    net.inner = Linear(1)
    net.forward = lambda x, scale=1: net.inner(x) * scale  # type: ignore[method-assign]
    assert net(X, scale=0).data.tolist() == [[0]] * 4
    assert list(net.named_params()) == ["inner/W", "inner/b"]


def test_the_books_record_of_the_last_call() -> None:
    layer = Linear(1)
    assert (layer.inputs, layer.outputs) == ((), ())
    x = Variable(X)
    y = layer(x)
    assert layer.inputs[0]() is x
    assert layer.outputs[0]() is y
    assert pickle.loads(pickle.dumps(layer)).outputs == ()


@pytest.mark.parametrize("make", [lambda: Sequential(Linear(1)), lambda: MLP((3, 1))])
def test_our_models_accept_more_attributes(make: Any) -> None:
    model = make()
    model.inputs, model.state, model.extra = 3, {}, Parameter(np.ones(1))
    model(X).sum().backward()
    assert model.inputs == 3
    assert "extra" in model.named_params()


OPTIMIZER_NAMES = [
    "state", "params", "lr", "t", "beta", "step", "delta", "data", "name", "grad", "model",
]  # fmt: skip


@pytest.mark.parametrize("name", OPTIMIZER_NAMES)
def test_an_optimizer_written_as_in_the_book(name: str) -> None:
    class Rule(Optimizer):
        def __init__(self) -> None:
            super().__init__()
            setattr(self, name, 0.5)

        def update_one(self, param: Parameter) -> None:
            param.data -= getattr(self, name) * param.grad.data

    layer = Linear(1, in_size=2)
    W = layer.W.data.copy()
    layer(X).sum().backward()
    Rule().setup(layer).update()
    assert np.allclose(layer.W.data, W - 0.5 * 4)


FUNCTION_NAMES = [
    "x", "y", "W", "axis", "mask", "shape", "name", "data", "state", "size", "h", "params",
    "target", "hooks", "generation", "grad", "xs", "ys", "gy", "input", "output", "index", "result",
    "arrays", "creator", "function", "dtype", "serial", "cut", "parents", "released", "spent",
]  # fmt: skip


def scaled_by(name: str) -> type[Function]:
    class Scaled(Function):
        def __init__(self, factor: float) -> None:
            setattr(self, name, factor)

        def forward(self, x: Any) -> Any:
            return x * getattr(self, name)

        def backward(self, gy: Any) -> Any:
            return gy * getattr(self, name)

    return Scaled


@pytest.mark.parametrize("name", FUNCTION_NAMES)
@pytest.mark.parametrize("create_graph", [False, True])
def test_a_function_keeps_its_settings_under_any_name(name: str, create_graph: bool) -> None:
    x = Variable(np.ones(2))
    y = scaled_by(name)(3.0)(x) * 2
    y.backward(create_graph=create_graph)
    assert x.grad.data.tolist() == [6.0, 6.0]


@pytest.mark.parametrize("name", ["inputs", "outputs", "needs_grad"])
def test_names_that_the_graph_uses_are_refused(name: str) -> None:
    with pytest.raises(GraphError, match=rf"Scaled: self\.{name} belongs to the graph"):
        scaled_by(name)(3.0)(Variable(X))


@dataclass(slots=True)
class Slotted(Layer):
    first: Layer
    second: Layer

    def forward(self, x: Any) -> Any:
        return self.second(self.first(x))


def test_layers_in_slots_are_found() -> None:
    layer = Slotted(Linear(3, in_size=2), Linear(1, in_size=3))
    assert list(layer.named_params()) == ["first/W", "first/b", "second/W", "second/b"]
    assert "(first): Linear" in Layer.__repr__(layer)


class Labelled(Layer):
    params: Any = None

    def __init__(self) -> None:
        self.inner = Linear(1, in_size=2)

    def forward(self, x: Any) -> Any:
        return self.inner(x)


def test_a_class_may_have_an_attribute_params() -> None:
    layer = Labelled()
    rule = SGD(0.1).setup(layer)
    total(layer(np.ones((1, 2), "f"))).backward()
    rule.update()
    layer.cleargrads()
    assert layer.inner.W.grad is None


class Stepping(SGD):
    """An optimizer with a ``step`` of its own, which ``update`` does not call."""

    def step(self) -> None:
        self.update()


def test_a_step_method_of_a_user_is_called() -> None:
    layer = Labelled()
    rule = Stepping(0.1).setup(layer)
    before = layer.inner.b.data.copy()
    total(layer(np.ones((1, 2), "f"))).backward()
    rule.step()
    assert not np.array_equal(before, layer.inner.b.data)


class Lazy(Model):
    def __init__(self) -> None:
        super().__init__()
        self.inner = Linear(2, in_size=2)

    def forward(self, x: Any) -> Any:
        if not hasattr(self, "offset"):
            self.offset = Variable(np.zeros(2, "f"))
        return self.inner(x) + self.offset


def test_a_summary_leaves_no_attribute_behind(capsys: Any) -> None:
    model = Lazy()
    model.summary(np.ones((1, 2), "f"))
    assert not hasattr(model, "offset")
    assert model(np.ones((1, 2), "f")).shape == (1, 2)


def test_a_shared_layer_has_the_key_of_its_first_attribute() -> None:
    layer = Linear(2, in_size=2)
    model = Sequential(layer, layer)
    assert list(model.named_params()) == ["l0/W", "l0/b"]
    assert "(l0): Linear" in repr(model)
