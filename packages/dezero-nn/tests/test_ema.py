"""Test EMA, the average of a model's weights."""

import copy
import pickle
from typing import Any

import numpy as np
import pytest

from dezero_core import Parameter
from dezero_core.errors import ArgumentError, ArgumentTypeError, KeyMismatch, ShapeError
from dezero_nn import EMA, MLP, SGD, BatchNorm, Linear


def trained(steps: int, **settings: Any) -> tuple[MLP, EMA, list[Any]]:
    """Return a model, its average, and the values of a bias after each step."""
    model = MLP((3, 2), in_size=4)
    ema, values = EMA(model, **settings), []
    for step in range(steps):
        model.l0.b.data = np.full(3, step + 1.0, "float32")
        values.append(model.l0.b.data.copy())
        ema.update()
    return model, ema, values


def test_the_formula() -> None:
    model, ema, values = trained(4, decay=0.75)
    mean = values[0]
    for value in values[1:]:
        mean = 0.75 * mean + 0.25 * value
    with ema.applied() as applied:
        assert applied is model
        np.testing.assert_allclose(model.l0.b.data, mean, rtol=1e-6)
        assert model.l0.b.dtype == np.float32
    assert np.array_equal(model.l0.b.data, values[-1])
    other = MLP((3, 2), in_size=4)
    ema.copy_to(other)
    np.testing.assert_allclose(other.l0.b.data, mean, rtol=1e-6)
    assert np.array_equal(other.l1.W.data, model.l1.W.data)
    assert np.array_equal(model.l0.b.data, values[-1])
    larger = MLP((3, 5), in_size=4)
    before = larger.l0.b.data
    with pytest.raises(ShapeError, match=r"copy_to: the average of 'l1/.' has shape .* \(.*5,?\)"):
        ema.copy_to(larger)
    assert larger.l0.b.data is before


def test_the_averages_share_no_array_with_the_model() -> None:
    model, ema, _ = trained(3)
    ema.copy_to(model)
    before = model.l0.b.data.copy()
    ema.update()
    assert np.array_equal(model.l0.b.data, before)
    model.l0.b.data += 1.0
    with ema.applied():
        assert np.allclose(model.l0.b.data, before)


def test_the_weights_return_after_an_error() -> None:
    model, ema, values = trained(3)
    with pytest.raises(ZeroDivisionError), ema.applied():
        1 / 0
    assert np.array_equal(model.l0.b.data, values[-1])


def test_lazy_parameters_and_buffers() -> None:
    layers = [Linear(2), BatchNorm()]
    ema = EMA(layers, decay=0.5)
    ema.update()
    with ema.applied():
        pass
    layers[1](layers[0](np.ones((3, 4), "f")))
    ema.update()
    mean = layers[1].avg_mean
    with ema.applied():
        assert layers[1].avg_mean is mean
    assert layers[0].W.shape == (4, 2)


def test_half_precision_is_averaged_in_float32() -> None:
    layer = [Parameter(np.ones(2, "float16"))]
    ema = EMA(layer, decay=0.999)
    ema.update()
    layer[0].data = np.full(2, 1.5, "float16")
    for _ in range(100):
        ema.update()
    ema.copy_to(layer)
    assert layer[0].dtype == "float16"
    np.testing.assert_allclose(layer[0].data, 1.5 - 0.5 * 0.999**100, atol=1e-3)


@pytest.mark.parametrize("way", ["state_dict", "deepcopy", "pickle"])
def test_averages_are_saved_and_copied(way: str) -> None:
    model, ema, _ = trained(3, decay=0.75)
    if way == "state_dict":
        other = MLP((3, 2), in_size=4)
        rule = EMA(other)
        rule.load_state_dict(ema.state_dict())
    elif way == "deepcopy":
        other, rule = copy.deepcopy((model, ema))
    else:
        other, rule = pickle.loads(pickle.dumps((model, ema)))
    assert repr(rule) == "EMA(decay=0.75)" and rule.target is other
    for net, mean in ((model, ema), (other, rule)):
        net.l0.b.data = np.full(3, 9.0, "float32")
        mean.update()
        mean.copy_to(net)
    assert np.array_equal(model.l0.b.data, other.l0.b.data)


def test_wrong_uses() -> None:
    model, ema, _ = trained(2)
    model.l0.b.data = np.ones(5, "float32")
    with pytest.raises(ShapeError, match=r"'l0/b' has shape \(3,\).* \(5,\) now; make a new EMA"):
        ema.update()
    for decay in (1.0, -0.1, float("nan")):
        with pytest.raises(ArgumentError, match="decay is"):
            EMA(model, decay)
    with pytest.raises(ArgumentTypeError, match=r"write EMA\(model\)"):
        EMA(SGD().setup(model))
    with pytest.raises(KeyMismatch):
        EMA(Linear(2, in_size=2)).load_state_dict(ema.state_dict())
