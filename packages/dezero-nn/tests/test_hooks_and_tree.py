"""Test the hooks of layers, and the methods that visit the layers of a model."""

import copy
import pickle
from typing import Any

import numpy as np
import pytest

from dezero_core import Variable
from dezero_core.errors import ArgumentTypeError, ShapeError
from dezero_nn import MLP, Layer, Linear, Sequential, relu

X = np.ones((2, 3), "float32")


def nothing(layer: Any, inputs: Any, output: Any) -> None:
    """Do nothing; a function that can be pickled."""


def test_a_hook_sees_inputs_output_and_gradient() -> None:
    layer, seen, gradients = Linear(4, in_size=3), [], []

    def watch(*arguments: Any) -> None:
        seen.append(arguments)
        arguments[2].register_hook(gradients.append)

    handle = layer.register_hook(watch)
    y = layer(X)
    (y * 3.0).sum().backward()
    assert len(seen) == 1
    assert seen[0][0] is layer and seen[0][1][0] is X and seen[0][2] is y
    assert gradients[0].data.tolist() == [[3.0] * 4] * 2
    handle.remove()
    layer(X)
    assert len(seen) == 1
    with layer.register_hook(watch):
        layer(X)
    layer(X)
    assert len(seen) == 2


def test_hooks_replace_the_output_in_the_order_of_registration() -> None:
    layer = Linear(4, in_size=3)
    before = layer(X).data
    layer.register_hook(lambda layer, inputs, y: y + 1.0)
    layer.register_hook(nothing)
    layer.register_hook(lambda layer, inputs, y: y * 2.0)
    y = layer(X)
    np.testing.assert_allclose(y.data, (before + 1) * 2)
    assert layer.outputs[0]() is y


def test_a_hook_runs_in_each_layer_of_a_model_and_gets_tuples() -> None:
    class Two(Layer):
        def forward(self, x: Any, *, scale: float = 1.0) -> Any:
            return x * scale, x + 1.0

    model, seen = MLP((4, 2), in_size=3), []
    for path, layer in model.named_layers().items():
        layer.register_hook(lambda layer, inputs, y, path=path: seen.append((path, y.shape)))
    model(X)
    assert seen == [("l0", (2, 4)), ("l1", (2, 2)), ("", (2, 2))]
    two = Two()
    two.register_hook(lambda layer, inputs, output: output[::-1])
    first, second = two(Variable(X), scale=3.0)
    assert first.data[0, 0] == 2.0 and second.data[0, 0] == 3.0


def test_copies_and_pickles_have_no_hooks() -> None:
    layer = Linear(4, in_size=3)
    layer.register_hook(lambda layer, inputs, y: y * 0.0)
    for twin in (copy.copy(layer), copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert twin(X).data.any()
    assert not layer(X).data.any()
    assert list(layer.named_params()) == ["W", "b"]


@pytest.mark.parametrize("hook", [None, 3, "f", []])
def test_a_hook_must_be_callable(hook: Any) -> None:
    with pytest.raises(ArgumentTypeError, match=r"Linear.register_hook: got \w+; expected a func"):
        Linear(2).register_hook(hook)


def test_an_error_of_a_hook_names_the_hook() -> None:
    def divides(layer: Any, inputs: Any, y: Any) -> None:
        raise ZeroDivisionError("of the hook")

    def reshapes(layer: Any, inputs: Any, y: Any) -> Any:
        return y.reshape(7, 7)

    model = MLP((4, 2), in_size=3)
    with model.l1.register_hook(divides), pytest.raises(ZeroDivisionError) as caught:
        model(X)
    assert caught.value.__notes__[-1] == "raised by the hook divides of Linear"
    with model.l1.register_hook(reshapes), pytest.raises(ShapeError, match="in model.l1") as found:
        model(X)
    assert "raised by the hook reshapes of Linear" in found.value.__notes__
    for wrong in (1.0, X, [], (Variable(X), X)):
        model.l1.register_hook(lambda layer, inputs, y, wrong=wrong: wrong)
        with pytest.raises(ArgumentTypeError, match="the hook <lambda> returned .*expected None"):
            model(X)
        model.l1 = Linear(2, in_size=4)


def test_layers_have_paths() -> None:
    shared = Linear(2)
    model = Layer()
    model.blocks = [Sequential(shared, relu), {"a": Linear(3)}]
    model.head, model.again = shared, model.blocks[0]
    named = model.named_layers()
    assert list(named) == ["", "again", "again/l0", "blocks/1/a"]
    assert named[""] is model and named["again/l0"] is shared
    assert list(model.children()) == [model.again, model.blocks[1]["a"], shared]
    assert list(MLP((3, 2, 1)).named_layers()) == ["", "l0", "l1", "l2"]


def test_apply_visits_each_layer_once_after_its_sublayers() -> None:
    shared = Linear(2)
    model = Sequential(Sequential(Linear(3), shared), shared, Linear(1))
    seen: list[Any] = []
    assert model.apply(seen.append) is model
    inner = model[0]
    assert [id(layer) for layer in seen] == [
        id(layer) for layer in (inner[0], shared, inner, model[2], model)
    ]
    model.me = model  # a cycle
    assert len(list(model.named_layers())) == 5
    count: list[Any] = []
    model.apply(count.append)
    assert len(count) == 5
    with pytest.raises(ArgumentTypeError, match="Sequential.apply: got NoneType; expected a func"):
        model.apply(None)


def test_apply_can_replace_layers() -> None:
    def widen(layer: Any) -> None:
        if isinstance(layer, Sequential):
            layer[0] = Linear(7)

    model = Sequential(Sequential(Linear(3)), Linear(1)).apply(widen)
    assert model[0].out_size == 7
