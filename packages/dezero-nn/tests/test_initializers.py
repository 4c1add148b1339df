"""Test the functions that fill Parameters with initial values."""

import math
from typing import Any

import numpy as np
import pytest

from dezero_core import Parameter, seed
from dezero_core.errors import DezeroError
from dezero_core.extend import get_backend
from dezero_nn import Conv2d, Linear
from dezero_nn import initializers as I

LINEAR = (200, 100)
"""The shape of W in a Linear of 200 inputs and 100 outputs."""
FILTERS = (50, 40, 3, 3)
"""The shape of W in a Conv2d of 40 inputs and 50 outputs: fan_in 360, fan_out 450."""

DEVIATIONS: list[tuple[Any, tuple[int, ...], float, float]] = [
    (lambda p: I.uniform(p), LINEAR, 0.5, 12**-0.5),
    (lambda p: I.uniform(p, -3.0, 1.0), LINEAR, -1.0, 4 * 12**-0.5),
    (lambda p: I.normal(p), LINEAR, 0.0, 1.0),
    (lambda p: I.normal(p, std=0.02), FILTERS, 0.0, 0.02),
    (lambda p: I.normal(p, 5.0, 0.5), FILTERS, 5.0, 0.5),
    (lambda p: I.truncated_normal(p), LINEAR, 0.0, 0.8796),
    (lambda p: I.truncated_normal(p, std=0.02), LINEAR, 0.0, 0.02),
    (lambda p: I.constant(p, 3.0), LINEAR, 3.0, 0.0),
    (lambda p: I.zeros(p), LINEAR, 0.0, 0.0),
    (lambda p: I.ones(p), FILTERS, 1.0, 0.0),
    (lambda p: I.xavier_uniform(p), LINEAR, 0.0, (2 / 300) ** 0.5),
    (lambda p: I.xavier_normal(p, gain=2.0), FILTERS, 0.0, 2 * (2 / 810) ** 0.5),
    (lambda p: I.kaiming_uniform(p), LINEAR, 0.0, (2 / 200) ** 0.5),
    (lambda p: I.kaiming_uniform(p, a=5**0.5), LINEAR, 0.0, (1 / 600) ** 0.5),
    (lambda p: I.kaiming_normal(p, mode="fan_out", nonlinearity="relu"), FILTERS, 0.0,
     (2 / 450) ** 0.5),
    (lambda p: I.kaiming_normal(p, nonlinearity="tanh"), FILTERS, 0.0, 5 / 3 / 360**0.5),
    (lambda p: I.orthogonal(p), LINEAR, 0.0, 200**-0.5),
    (lambda p: I.orthogonal(p, gain=3.0), FILTERS, 0.0, 3 * 360**-0.5),
]  # fmt: skip


@pytest.mark.parametrize(("fill", "shape", "mean", "std"), DEVIATIONS)
def test_means_and_deviations(fill: Any, shape: tuple[int, ...], mean: float, std: float) -> None:
    seed(0)
    p = Parameter(np.full(shape, 7.0, "float32"))
    assert fill(p) is p and p.shape == shape and p.dtype == np.float32
    assert abs(p.data.mean() - mean) < 0.03 * (std or 1e-9)
    assert abs(p.data.std() - std) <= 0.03 * std
    first = p.data.copy()
    seed(0)
    assert np.array_equal(fill(p).data, first)


def test_uniform_draws_are_bounded() -> None:
    p = I.xavier_uniform(Parameter(np.zeros(LINEAR)))
    bound = (6 / 300) ** 0.5
    assert 0.99 * bound < p.data.max() < bound and -bound < p.data.min() < -0.99 * bound
    p = I.truncated_normal(p, low=-0.5, high=1.0)
    assert -0.5 <= p.data.min() < -0.49 and 0.99 < p.data.max() <= 1.0


@pytest.mark.parametrize("shape", [(5, 3), (3, 5), (4, 4), (3, 2, 2, 1), (0, 3), (3, 0)])
def test_orthogonal_matrices(shape: tuple[int, ...]) -> None:
    x = I.orthogonal(Parameter(np.zeros(shape)), gain=2.0).data
    x = x.reshape(shape[0], math.prod(shape[1:]))
    product = x.T @ x if shape[0] >= x.shape[1] else x @ x.T
    np.testing.assert_allclose(product, 4 * np.eye(len(product)), atol=1e-12)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_dtype_and_backend_stay(dtype: str, backend: str) -> None:
    if (dtype, backend) == ("float16", "strict"):
        pytest.skip("the array API standard has no float16")
    library = get_backend(backend)
    p = Parameter(library.from_numpy(np.zeros((2, 3), dtype)))
    for fill in (I.normal, I.zeros, I.orthogonal, I.kaiming_uniform, I.truncated_normal):
        fill(p)
        assert type(p.data) is type(library.from_numpy(np.zeros(1)))
        assert library.to_numpy(p.data).dtype == dtype and p.shape == (2, 3)


def test_a_generator_can_be_passed() -> None:
    layers = Linear(3, in_size=2), Linear(3, in_size=2)
    for layer in layers:
        I.normal(layer.W, generator=np.random.default_rng(5))
    assert np.array_equal(layers[0].W.data, layers[1].W.data)


def test_gains() -> None:
    assert I.calculate_gain("relu") == I.calculate_gain("leaky_relu", 0.0) == 2**0.5
    assert I.calculate_gain("tanh") == 5 / 3 and I.calculate_gain("linear") == 1


VECTOR = Parameter(np.zeros(3), name="b")
MATRIX = Parameter(np.zeros((3, 2)), name="W")
WRONG_CALLS: list[tuple[Any, str]] = [
    (lambda: I.normal(np.zeros(3)), "normal: param is of type ndarray; expected a Parameter"),
    (lambda: I.normal(Linear(3)), "param is of type Linear; expected a Parameter, such as layer.W"),
    (lambda: I.zeros(Linear(3).W), "zeros: the parameter 'W' has no data yet; pass the input"),
    (lambda: I.kaiming_normal(Conv2d(3, 3).W), "'W' has no data yet"),
    (lambda: I.xavier_uniform(VECTOR), r"'b' has shape \(3,\); expected at least two axes"),
    (lambda: I.orthogonal(VECTOR), "orthogonal: .*expected at least two axes"),
    (lambda: I.normal(MATRIX, std=-1.0), "normal: std is -1.0; .* of at least 0"),
    (lambda: I.normal(MATRIX, math.nan), "normal: mean is nan; expected a finite number"),
    (lambda: I.uniform(MATRIX, "0"), "uniform: low '0' .*expected a number"),
    (lambda: I.uniform(MATRIX, 1.0, 0.5), "uniform: low 1.0, high 0.5: expected low <= high"),
    (lambda: I.constant(MATRIX, None), "constant: value None"),
    (lambda: I.kaiming_normal(MATRIX, mode="fan"), "mode is 'fan'; expected 'fan_in' or"),
    (lambda: I.kaiming_normal(MATRIX, nonlinearity="x"), "nonlinearity is 'x'; expected one of"),
    (lambda: I.truncated_normal(MATRIX, 9.0), "less than 0.1 % .* choose a wider interval"),
    (lambda: I.truncated_normal(MATRIX, low=1.0, high=-1.0), "choose a wider interval"),
    (lambda: I.truncated_normal(MATRIX, std=0.0, low=1.0), "choose a wider interval"),
    (lambda: I.kaiming_normal_(MATRIX), "in DeZero: dezero.initializers.kaiming_normal"),
]


@pytest.mark.parametrize(("call", "message"), WRONG_CALLS)
def test_wrong_calls(call: Any, message: str) -> None:
    with pytest.raises((DezeroError, AttributeError), match=message):
        call()
    assert not MATRIX.data.any() and not VECTOR.data.any()
