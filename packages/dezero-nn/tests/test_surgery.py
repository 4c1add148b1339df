"""Test models whose layers are replaced, added or removed after construction."""

import copy
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from dezero_core import Buffer, Parameter, Variable
from dezero_core.errors import ArgumentError, ArgumentTypeError
from dezero_nn import (
    GRU,
    LSTM,
    MLP,
    RNN,
    SGD,
    BatchNorm,
    Conv2d,
    EmbedID,
    Layer,
    Linear,
    Sequential,
    relu,
)
from dezero_nn.layers.paths import sublayers
from dezero_nn.models.resnet import Stage

X = np.linspace(-1, 1, 6, dtype="float32").reshape(2, 3)


def layers() -> list[Linear]:
    """Return four layers, each of which takes the output of the others."""
    return [Linear(3, in_size=3) for _ in range(4)]


def called(model: Any) -> list[Any]:
    """Return the layers that a call runs, in order."""
    model.layers = [counted(layer) for layer in model.layers]
    log.clear()
    model(X)
    return list(log)


log: list[Any] = []


def counted(layer: Any) -> Callable[[Any], Any]:
    def call(x: Any) -> Any:
        log.append(layer)
        return layer(x)

    return call


def by_attribute(m: Any, a: Any, b: Any, c: Any) -> Any:
    m.l1 = c
    return [a, c]


def by_list(m: Any, a: Any, b: Any, c: Any) -> Any:
    m.layers[1] = c
    return [a, c]


def from_the_end(m: Any, a: Any, b: Any, c: Any) -> Any:
    m.layers[-1] = c
    return [a, c]


def deleted(m: Any, a: Any, b: Any, c: Any) -> Any:
    del m.l0
    return [b]


def set_again_in_front(m: Any, a: Any, b: Any, c: Any) -> Any:
    del m.l0
    m.l0 = c
    return [c, b]


def deleted_from_list(m: Any, a: Any, b: Any, c: Any) -> Any:
    del m.layers[0]
    return [b]


def popped(m: Any, a: Any, b: Any, c: Any) -> Any:
    assert m.layers.pop() is b
    return [a]


def appended(m: Any, a: Any, b: Any, c: Any) -> Any:
    m.layers.append(c)
    return [a, b, c]


def appended_by_attribute(m: Any, a: Any, b: Any, c: Any) -> Any:
    m.l2 = c
    return [a, b, c]


def with_a_gap(m: Any, a: Any, b: Any, c: Any) -> Any:
    m.l7 = c
    return [a, b, c]


def deleted_and_set(m: Any, a: Any, b: Any, c: Any) -> Any:
    m.l2 = a
    del m.l1
    m.l1 = c
    return [a, c, a]


def after_a_gap(m: Any, a: Any, b: Any, c: Any) -> Any:
    m.l5 = a
    del m.l1
    m.layers[1] = b
    m.layers.append(c)
    assert [name for name in sorted(vars(m)) if name[1:].isdecimal()] == ["l0", "l5", "l6"]
    return [a, b, c]


def inserted(m: Any, a: Any, b: Any, c: Any) -> Any:
    m.layers.insert(1, c)
    return [a, c, b]


def extended(m: Any, a: Any, b: Any, c: Any) -> Any:
    m.layers += [c, a]
    return [a, b, c, a]


def joined(m: Any, a: Any, b: Any, c: Any) -> Any:
    m.layers = m.layers[:1] + [c] + m.layers
    return [a, c, a, b]


def sliced(m: Any, a: Any, b: Any, c: Any) -> Any:
    m.layers[:] = [c, *m.layers[1:], b]
    return [c, b, b]


def reversed_in_place(m: Any, a: Any, b: Any, c: Any) -> Any:
    m.layers.reverse()
    return [b, a]


def removed(m: Any, a: Any, b: Any, c: Any) -> Any:
    m.layers.remove(a)
    return [b]


def swapped(m: Any, a: Any, b: Any, c: Any) -> Any:
    m.l0, m.l1 = m.l1, m.l0
    return [b, a]


def with_a_function(m: Any, a: Any, b: Any, c: Any) -> Any:
    m.l0 = relu
    return [relu, b]


SURGERY = [
    by_attribute, by_list, from_the_end, deleted, deleted_from_list, popped, appended,
    set_again_in_front, appended_by_attribute, with_a_gap, deleted_and_set, after_a_gap, inserted,
    extended, joined, sliced, reversed_in_place, removed, swapped, with_a_function,
]  # fmt: skip


def sequential(a: Any, b: Any) -> Any:
    return Sequential(a, b)


def mlp(a: Any, b: Any) -> Any:
    model = MLP((3, 3), in_size=3)
    model.l0, model.l1 = a, b
    return model


@pytest.mark.parametrize("make", [sequential, mlp])
@pytest.mark.parametrize("change", SURGERY)
def test_the_layers_that_run_are_those_that_are_saved(make: Any, change: Any) -> None:
    a, b, c, _ = layers()
    model = make(a, b)
    wanted = change(model, a, b, c)
    assert model.layers == wanted and list(model.layers) == wanted
    assert [getattr(model, name) for name in sorted(vars(model)) if name[1:].isdecimal()] == wanted
    params = [p for layer in dict.fromkeys(wanted) if layer is not relu for p in layer.params()]
    assert [id(p) for p in model.params()] == [id(p) for p in params], "in the order of the calls"
    assert list(sublayers(model).values()) == [x for x in dict.fromkeys(wanted) if x is not relu]
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert np.array_equal(other(X).data, model(X).data)
        assert list(other.named_params()) == list(model.named_params())
        other.layers.pop()
        assert len(model.layers) == len(wanted), "a copy has its own layers"
    assert called(model) == wanted


def test_a_sequential_is_a_list() -> None:
    a, b, c, d = layers()
    model = Sequential(a, relu, b)
    assert (len(model), model[0], model[-1], list(model)) == (3, a, b, [a, relu, b])
    model[0] = c
    del model[1]
    assert model.append(d) is model and list(model) == [c, b, d]
    assert type(model[1:]) is Sequential and list(model[1:]) == [b, d]
    assert repr(model.layers) == repr([c, b, d])
    assert list(Sequential().append(a)) == [a]


def test_training_and_files_follow_the_change() -> None:
    a, b, c, _ = layers()
    model = Sequential(a, relu, b)
    optimizer = SGD(0.1).setup(model)
    model.l2 = c
    before = {layer: layer.W.data.copy() for layer in (a, b, c)}
    model(X).sum().backward()
    optimizer.update()
    moved = [not np.array_equal(layer.W.data, W) for layer, W in before.items()]
    assert moved == [True, False, True]
    assert list(model.named_params()) == ["l0/W", "l0/b", "l2/W", "l2/b"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: setattr(m, "l1", None), "l1 is of type NoneType; .*; del removes a layer"),
        (lambda m: setattr(m, "l1", 0.01), "l1 is of type float; expected a layer or a function"),
        (lambda m: setattr(m, "l2", [relu]), "l2 is of type list; expected a layer or a function"),
        (lambda m: m.layers.append([relu]), "layer 2 is of type list"),
        (lambda m: setattr(m, "layers", [relu, 3]), "layer 1 is of type int"),
    ],
)
def test_objects_that_are_not_layers_are_refused(change: Any, message: str) -> None:
    a, b, *_ = layers()
    for model in (Sequential(a, b), mlp(a, b)):
        with pytest.raises(ArgumentError, match=f"{type(model).__name__}: {message}"):
            change(model)
        assert list(model.layers) == [a, b]


def subclass(base: Any, before: dict[str, Any], after: dict[str, Any]) -> Any:
    """Return a user's model that sets attributes before and after ``super().__init__()``."""

    class Net(base):  # type: ignore[misc]
        def __init__(self) -> None:
            vars(self).update(before)
            super().__init__(*([(3, 3)] if base is MLP else [relu, relu]))
            for name, value in after.items():
                setattr(self, name, value)

    return Net()


@pytest.mark.parametrize("base", [MLP, Sequential])
def test_numbers_in_names_of_layers_are_ordinary_attributes(base: Any) -> None:
    for value in (1e-4, None, "words", np.ones(2)):
        model = subclass(base, {}, {"l2": value})
        assert model.l2 is value and len(model.layers) == 2
        model.layers.append(relu)
        assert list(model.layers)[2] is relu and model.l2 is value and model(X).shape == (2, 3)
    assert subclass(base, {"l1": 0.1}, {}).l1 == 0.1
    model = subclass(base, {}, {"l5": Linear(7)})
    assert model(X).shape == (2, 7), "a layer is called in the order of the numbers"
    with pytest.raises(ArgumentError, match=r"Net: l1 was set before super\(\).__init__\(\)"):
        subclass(base, {"l1": relu}, {})


def test_old_pickles_have_their_layers_once() -> None:
    a, b, c, _ = layers()
    for model in (Sequential(a, b), mlp(a, b)):
        for stored in ([a, b], [a, c]):
            state = {**vars(model), "layers": stored}
            old = type(model).__new__(type(model))
            old.__setstate__(state)
            assert old.layers == stored and "layers" not in vars(old) and "layers" in state
            assert list(old.named_params()) == ["l0/W", "l0/b", "l1/W", "l1/b"]


def test_methods_of_a_list_change_a_sequential() -> None:
    a, b, c, d = (Linear(n) for n in (1, 2, 3, 4))
    model = Sequential(a)
    assert model.append(b).extend([relu, c]).insert(1, d) is model
    assert list(model) == [a, d, b, relu, c]
    assert model.pop() is c and model.pop(0) is a
    assert list(model) == [d, b, relu] and model(X).shape == (*X.shape[:-1], 2)
    assert [key for key in model.named_params() if key.endswith("W")] == ["l0/W", "l1/W"]
    with pytest.raises(ArgumentError, match="layer 0"):
        model.insert(0, 3)
    with pytest.raises(IndexError):
        Sequential().pop()


def test_a_stage_calls_the_blocks_that_it_has() -> None:
    stage, x = Stage(3, 2, 8, 1), np.ones((2, 3, 4, 4), "float32")
    assert stage(x).shape == (2, 8, 4, 4)
    stage.b1 = lambda x: x * 0
    assert not stage(x).data.any(), "a function is a block too"
    del stage.b1
    stage.b2, stage.b3 = Conv2d(4, 1), Conv2d(5, 1)
    assert stage(x).shape == (2, 5, 4, 4)
    assert {key.split("/")[0] for key in stage.named_params()} == {"a", "b2", "b3"}


GATES = [(RNN, "x2h"), (RNN, "h2h"), (LSTM, "x2f"), (LSTM, "h2f"), (GRU, "x2n"), (GRU, "h2r")]


@pytest.mark.parametrize(("cell", "gate"), GATES)
@pytest.mark.parametrize("new", [lambda: Linear(4), lambda: Linear(4, nobias=True), lambda: Two()])
def test_a_replaced_gate_is_used(cell: Any, gate: str, new: Any) -> None:
    """Run one step at a time and a sequence, with and without a bias."""
    steps = np.linspace(-1, 1, 18, dtype="float32").reshape(3, 2, 3)
    layer = cell(4)
    layer(steps)
    layer.reset_state()
    setattr(layer, gate, new())
    layer(steps)
    for p in layer.params():
        p.data = np.random.default_rng(p.size).normal(size=p.shape).astype("float32")
    found = []
    for run in (lambda: layer(steps).data, lambda: np.stack([layer(x).data for x in steps])):
        layer.reset_state()
        found.append(run())
    np.testing.assert_allclose(*found, rtol=1e-5, atol=1e-6)
    assert any(key.startswith(f"{gate}/") for key in layer.named_params())


class Two(Sequential):
    """A gate that consists of two layers."""

    def __init__(self) -> None:
        super().__init__(Linear(3), Linear(4))


def test_a_parameter_can_be_replaced() -> None:
    layer = Linear(3, in_size=3)
    layer.W = Parameter(np.eye(3, dtype="float32"))
    assert np.array_equal(layer(X).data, X)
    layer.W = layer.W * 2.0  # computed, as in weight normalisation: not a parameter of the layer
    assert np.array_equal(layer(X).data, 2 * X) and list(layer.named_params()) == ["b"]
    layer.b = None
    assert np.array_equal(layer(X).data, 2 * X)
    norm = BatchNorm()
    norm(X)
    norm.avg_mean = Buffer(np.ones(3, "float32"))
    norm(X)
    np.testing.assert_allclose(norm.avg_mean.data, 0.9 + 0.1 * X.mean(0), rtol=1e-6)


@pytest.mark.parametrize("value", [np.ones((3, 3), "float32"), np.float32(1), 1.0, 2])
def test_an_array_does_not_replace_a_parameter(value: Any) -> None:
    layer, norm = Linear(3, in_size=3), BatchNorm()
    with pytest.raises(ArgumentTypeError, match=r"Linear: W is a Parameter, got .*W.data = array"):
        layer.W = value
    with pytest.raises(ArgumentTypeError, match=r"layer.avg_var = Buffer\(array\)"):
        norm.avg_var = value
    with pytest.raises(ArgumentTypeError, match=r"avg_var is a Buffer, got Variable"):
        norm.avg_var = Variable(np.ones(3))
    assert isinstance(layer.W, Parameter) and isinstance(norm.avg_var, Buffer)


@pytest.mark.parametrize("value", [np.ones(3, "float32"), [0.0] * 3, 1.0, relu])
def test_an_array_does_not_become_a_bias(value: Any) -> None:
    for layer in (Linear(3, in_size=3, nobias=True), Linear(3), Conv2d(3, 3, nobias=True)):
        layer.b = None
        with pytest.raises(ArgumentTypeError, match=r"b is a Parameter, got .*b = Parameter\(arr"):
            layer.b = value
        layer.b = Parameter(np.ones(3, "float32"))
        assert "b" in layer.named_params()
    layer = Linear(3, in_size=3)
    layer.W = layer.W * 2.0
    with pytest.raises(ArgumentTypeError, match=r"write layer.W = Parameter\(array\)"):
        layer.W = np.ones((3, 3))


@pytest.mark.parametrize("value", [None, np.ones(3, "float32"), Parameter(np.ones(3, "float32"))])
def test_the_names_of_pytorch_are_refused(value: Any) -> None:
    for layer, own in ((Linear(3), "W"), (Conv2d(3, 3), "W"), (BatchNorm(), "gamma")):
        with pytest.raises(ArgumentTypeError, match=rf"weight is PyTorch's name .* layer.{own} = "):
            layer.weight = value
    with pytest.raises(ArgumentTypeError, match=r"Linear: bias .* write layer.b.data = array"):
        Linear(3).bias = value

    class Scaled(Linear):
        pass

    layer = Scaled(3)
    layer.weight = value  # a program's own layer may use the name
    assert layer.weight is value


NEEDED = [
    (lambda: Linear(3, in_size=3), "W"),
    (lambda: Conv2d(3, 3), "W"),
    (BatchNorm, "avg_mean"),
    (BatchNorm, "avg_var"),
    (lambda: EmbedID(3, 2), "W"),
]


@pytest.mark.parametrize(("make", "name"), NEEDED)
@pytest.mark.parametrize("value", [None, [1.0], "W", relu])
def test_a_required_parameter_stays_a_parameter(make: Any, name: str, value: Any) -> None:
    layer = make()
    with pytest.raises(ArgumentTypeError, match=f"{name} is a (Parameter|Buffer), got "):
        setattr(layer, name, value)
    other = Layer()
    other.p = Parameter(np.ones(2))
    other.p = None  # no list of required parameters names it
    assert other.named_params() == {}
