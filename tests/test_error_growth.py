"""The error of sums over leading axes in float32 does not grow with the number of terms.

The largest relative error of each op is printed at the end of the run. The expected values are
those of the op in float64, with an error below 1e-9. tests/reference/test_sums.py compares them
with PyTorch's.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from dezero_core import Buffer, Variable, grad
from dezero_core import functions as C
from dezero_nn import functions as N

BOUND = 1e-5
"""Largest relative error allowed. Adding 10**6 rows one after the other gives 8e-3."""

BOUNDS = {"batch_norm's statistics, one image": 5e-5}
"""A variance from sums of squares has their error times 1 + mean**2 / variance."""


def gradient(loss: Callable[..., Any], x: Any, *shape: int) -> Any:
    """Return the gradient of ``loss(x, parameter)`` for a parameter of ones."""
    parameter = Variable(np.ones(shape, x.dtype))
    loss(x, parameter).backward()
    assert parameter.grad is not None
    return parameter.grad.data


def statistics(x: Any) -> Any:
    """Return mean and unbiased variance of each channel, as `batch_norm` computes them."""
    ones, mean, var = np.ones(2, x.dtype), Buffer(np.zeros(2, x.dtype)), Buffer(np.ones(2, x.dtype))
    N.batch_norm(x, ones, ones, mean, var, decay=0.0)
    return np.stack([mean.data, var.data])


def of_gamma(x: Any) -> Any:
    beta, running = np.zeros(2, x.dtype), (np.zeros(2, x.dtype), np.ones(2, x.dtype))
    return gradient(lambda x, g: C.sum(N.batch_norm(x, g, beta, *running) * x), x, 2)


def images(x: Any, count: int) -> Any:
    """Return the rows (n, 2) as images (count, 2, 1, W), of two channels."""
    return np.ascontiguousarray(x.reshape(count, 1, -1, 2).transpose(0, 3, 1, 2))


def of_conv_bias(x: Any) -> Any:
    filters = np.ones((2, 2, 1, 1), x.dtype)
    return gradient(lambda x, b: C.sum(N.conv2d(x, filters, b) * x), x, 2)


# What is computed of rows (n, 2).
OPS: dict[str, Callable[[Any], Any]] = {
    "sum": lambda x: C.sum(x, 0).data,
    "sum of columns": lambda x: C.sum(x.T, -1).data,
    "sum over a middle axis": lambda x: C.sum(x.reshape(2, -1, 2), 1).data,
    "sum over two axes": lambda x: C.sum(x.reshape(5, -1, 2), (0, 1)).data,
    "mean": lambda x: C.mean(x, 0).data,
    "mean of squares": lambda x: C.mean(Variable(x) ** 2, 0).data,
    "sum_to": lambda x: C.sum_to(x, (1, 2)).data,
    "softmax": lambda x: N.softmax(x, 0).data[:2],
    "mean_squared_error": lambda x: N.mean_squared_error(x, np.zeros_like(x)).data,
    "gradient of a broadcast": lambda x: gradient(lambda x, b: C.sum((x + b) * x), x, 2),
    "gradient of linear's b": lambda x: gradient(
        lambda x, b: C.sum(N.linear(x, np.eye(2, dtype=x.dtype), b) * x), x, 2
    ),
    "gradient of conv2d's b, one image": lambda x: of_conv_bias(images(x, 1)),
    "gradient of conv2d's b, many images": lambda x: of_conv_bias(images(x, len(x))),
    "batch_norm's statistics": statistics,
    "batch_norm's statistics, one image": lambda x: statistics(images(x, 1)),
    "batch_norm's statistics, many images": lambda x: statistics(images(x, len(x))),
    "gradient of batch_norm's gamma": of_gamma,
    "gradient of layer_norm's beta": lambda x: gradient(
        lambda x, b: C.sum(N.layer_norm(x, np.ones(2, x.dtype), b) * x), x, 2
    ),
}


def rows(n: int) -> Any:
    """Return rows (n, 2) that alternate 0.1 and 0.3, whose sums accumulate rounding errors."""
    return np.tile(np.float32([[0.1, 0.3], [0.3, 0.1]]), (n // 2, 1))


def error(op: Callable[[Any], Any], n: int) -> float:
    """Return the largest relative error of an op of ``n`` rows in float32."""
    x = rows(n)
    found, expected = op(x), op(x.astype("float64"))
    assert found.dtype == "float32"
    return float(np.max(np.abs(found / expected - 1)))


@pytest.mark.parametrize("power", [1, 2, 3, 4, 5, pytest.param(6, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", OPS)
def test_the_error_does_not_grow(name: str, power: int, report: Any) -> None:
    found = error(OPS[name], 10**power)
    report("relative error of sums of 10^n terms in float32", name, f"10^{power}: {found:.0e}")
    assert found < BOUNDS.get(name, BOUND)


@pytest.mark.parametrize("name", ["sum", pytest.param("mean", marks=pytest.mark.slow)])
def test_the_error_does_not_grow_up_to_ten_million_terms(name: str, report: Any) -> None:
    x = rows(10**7)
    found = float(np.max(np.abs(OPS[name](x) / (1 if name == "mean" else len(x)) / 0.2 - 1)))
    report("relative error of sums of 10^n terms in float32", name, f"10^7: {found:.0e}")
    assert found < BOUND


def test_the_mean_of_twenty_million_rows() -> None:
    mean = C.mean(np.broadcast_to(np.float32(0.1), (20_000_000, 2)), 0).data
    np.testing.assert_allclose(mean, 0.1, rtol=BOUND)


def test_the_gradient_of_a_bias_over_four_million_rows() -> None:
    x, W, b = (np.zeros(shape, "float32") for shape in ((4_000_000, 1), (1, 2), (2,)))
    b, gy = Variable(b), Variable(np.broadcast_to(np.float32(0.1), (4_000_000, 2)))
    (gradient,) = grad(N.linear(x, W, b), [b], gy)
    np.testing.assert_allclose(gradient.data, 400_000, rtol=BOUND)
