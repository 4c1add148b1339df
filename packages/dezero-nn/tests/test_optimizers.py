"""Optimizers: their formulas, their state, in place only where that is allowed."""

import gc
from typing import Any

import numpy as np
import pytest

from dezero_core import Parameter, Variable
from dezero_core.errors import GraphError
from dezero_core.extend import get_backend
from dezero_nn import MLP, SGD, Adam, Layer, Optimizer, softmax_cross_entropy

GRADIENTS = np.array([[0.5, -2.0], [0.1, 3.0], [0.0, 1.0]], "float32")


def adam(p: np.ndarray, gradients: np.ndarray) -> np.ndarray:
    """The algorithm of the paper, as it stands there (eps after the bias correction)."""
    m = v = np.zeros_like(p)
    for t, g in enumerate(gradients.astype("float64"), start=1):
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        step = 0.1 * np.sqrt(1 - 0.999**t) / (1 - 0.9**t)
        p = p - step * m / (np.sqrt(v) + 1e-8)
    return p


@pytest.mark.parametrize(
    ("optimizer", "expected"),
    [
        (SGD(0.1), lambda p, gs: p - 0.1 * gs.sum(axis=0)),
        (Adam(0.1), adam),
    ],
    ids=["sgd", "adam"],
)
def test_three_steps(optimizer: Optimizer, expected: Any, backend: str) -> None:
    library = get_backend(backend)
    layer = Layer()
    start = np.array([1.0, 2.0], "float32")
    layer.p = Parameter(library.from_numpy(start))
    layer.idle = Parameter(library.from_numpy(start))
    optimizer.setup(layer)
    for g in GRADIENTS:
        layer.p.grad = Variable(library.from_numpy(g))
        data = layer.p.data
        optimizer.update()
        assert (layer.p.data is data) == ("in_place" in library.capabilities)
    got = library.to_numpy(layer.p.data)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, expected(start.astype("float64"), GRADIENTS), rtol=1e-5)
    assert np.array_equal(library.to_numpy(layer.idle.data), start)


def test_setup_comes_first() -> None:
    with pytest.raises(GraphError, match=r"SGD.update\(\): call setup"):
        SGD().update()
    with pytest.raises(NotImplementedError, match="Optimizer must define step"):
        Optimizer().step(np.ones(1), {})


def test_hooks_see_the_parameters_and_may_freeze_them() -> None:
    layer = Layer()
    layer.a, layer.b = Parameter(np.ones(1)), Parameter(np.ones(1))
    optimizer = SGD(1.0).setup(layer)

    def freeze_a(params: list[Parameter]) -> None:
        assert params == [layer.a, layer.b]
        layer.a.cleargrad()

    optimizer.add_hook(freeze_a)
    layer.a.grad = layer.b.grad = Variable(np.ones(1))
    optimizer.update()
    assert (layer.a.data, layer.b.data) == (1.0, 0.0)


def test_state_goes_when_its_parameter_goes() -> None:
    layer = Layer()
    layer.p = Parameter(np.ones(1))
    layer.p.grad = Variable(np.ones(1))
    optimizer = Adam().setup(layer)
    optimizer.update()
    assert len(optimizer._state) == 1
    layer.p = None
    gc.collect()
    assert len(optimizer._state) == 0


@pytest.mark.parametrize("make", [lambda: SGD(0.5), lambda: Adam(0.02)], ids=["sgd", "adam"])
def test_training_is_the_same_on_every_backend(make: Any, backend: str) -> None:
    draw = np.random.default_rng(0)
    x, t = draw.normal(size=(40, 4)).astype("float32"), draw.integers(0, 3, 40)

    def losses(name: str) -> list[float]:
        library = get_backend(name)
        model = MLP((8, 3), in_size=4)
        for key, p in model.named_params().items():
            p.data = np.random.default_rng(len(key)).normal(size=p.shape).astype("float32")
        model.to(name)
        optimizer = make().setup(model)
        found = []
        for _ in range(20):
            loss = softmax_cross_entropy(model(library.from_numpy(x)), library.from_numpy(t))
            model.cleargrads()
            loss.backward()
            optimizer.update()
            found.append(float(loss))
        return found

    reference = losses("numpy")
    assert reference[-1] < 0.8 * reference[0]
    np.testing.assert_allclose(losses(backend), reference, rtol=1e-4)


def test_a_training_step_copies_nothing_to_or_from_the_device() -> None:
    import cupy

    library = get_backend("cuda")
    model = MLP((8, 3), in_size=4).to("cuda")
    optimizer = SGD(0.1).setup(model)
    x = library.from_numpy(np.ones((5, 4), "float32"))
    t = library.from_numpy(np.zeros(5, "int64"))
    for _ in range(2):
        cupy._counts.clear()
        loss = softmax_cross_entropy(model(x), t)
        model.cleargrads()
        loss.backward()
        optimizer.update()
    assert cupy._counts["to_host"] == 0
    assert cupy._counts["from_host"] == 0
    assert cupy._counts["launches"] > 0
