"""Test `Layer.materialize`: which parameters it creates, and what it leaves unchanged."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from dezero_core import seed
from dezero_core.errors import ArgumentError, CallError, ShapeError
from dezero_core.extend import get_backend
from dezero_core.functions import concat
from dezero_core.state import streams
from dezero_nn import (
    LSTM,
    BatchNorm,
    Conv2d,
    Layer,
    LayerNorm,
    Linear,
    Sequential,
    relu,
)
from dezero_nn.utils import spectral_norm

X = np.ones((2, 3), "float32")
IMAGES = np.ones((2, 3, 4, 4), "float32")


class TwoInputs(Layer):
    """A layer with two inputs and a keyword."""

    def __init__(self) -> None:
        self.a, self.b, self.rnn = Linear(2), Linear(3), LSTM(2)

    def forward(self, x: Any, y: Any, *, scale: float = 1.0) -> Any:
        return self.rnn(concat([self.a(x), self.b(y)], axis=1) * scale)


class TrainsAside(Layer):
    """A layer with a second output in training."""

    def __init__(self) -> None:
        self.body, self.aside = Linear(2), Linear(1)

    def forward(self, x: Any) -> Any:
        y = self.body(x)
        return (y, self.aside(y)) if self.training else y


MODELS: dict[str, tuple[Callable[[], Layer], tuple[Any, ...], dict[str, Any]]] = {
    "mlp": (lambda: Sequential(Linear(4), relu, Linear(2)), (X,), {}),
    "images": (lambda: Sequential(Conv2d(2, 3), BatchNorm(), relu), (IMAGES,), {}),
    "norms": (lambda: Sequential(LayerNorm(), spectral_norm(Linear(2))), (X,), {}),
    "two inputs": (TwoInputs, (X, X), {"scale": 2.0}),
}


@pytest.mark.parametrize("name", MODELS)
def test_weights_are_those_of_the_first_call(name: str) -> None:
    make, inputs, settings = MODELS[name]
    seed(0)
    called, state = make(), streams().seeded
    called.eval()(*inputs, **settings)
    after = state.bit_generator.state
    seed(0)
    made = make()
    assert made.train().materialize(*inputs, **settings) is made
    assert streams().seeded.bit_generator.state == after
    arrays = {key: x.data for key, x in called.named_params().items()}
    assert len(arrays) > 1
    for key, x in made.named_params().items():
        np.testing.assert_array_equal(x.data, arrays[key], key)
        assert x.grad is None


def test_nothing_but_the_parameters_changes(backend: str) -> None:
    model = TwoInputs().to(backend)
    x = get_backend(backend).from_numpy(X)
    model.materialize(x, x)
    assert model.rnn.h is None and model.rnn.c is None
    assert {type(p.data) for p in model.params()} == {type(x)}
    norm = BatchNorm().to(backend).materialize(x * 3)
    assert get_backend(backend).to_numpy(norm.avg_mean.data).tolist() == [0, 0, 0]
    model.materialize("anything")  # a layer whose parameters all have data does not run


FAILURES: dict[str, tuple[Callable[[], Layer], tuple[Any, ...], type[Exception], str]] = {
    "not used in test mode": (
        TrainsAside, (X,), ArgumentError,
        r"TrainsAside.materialize: forward did not use 'aside/W' in test mode",
    ),
    "wrong shape after a weight was drawn": (
        lambda: Sequential(Linear(4), Linear(2, in_size=5)), (X,), ShapeError, "l1",
    ),
    "missing input": (TwoInputs, (X,), CallError, "TwoInputs.forward"),
}  # fmt: skip


@pytest.mark.parametrize("name", FAILURES)
def test_a_failure_changes_nothing(name: str) -> None:
    make, inputs, error, message = FAILURES[name]
    seed(0)
    layer, before = make(), streams().seeded.bit_generator.state
    shown = repr(layer)
    with pytest.raises(error, match=message):
        layer.materialize(*inputs)
    assert repr(layer) == shown, "the parameters still wait for an input of any size"
    assert streams().seeded.bit_generator.state == before
