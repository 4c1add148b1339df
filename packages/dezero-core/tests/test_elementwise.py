"""Test elementwise functions at edges: large values, dtypes, integers, and gradients at kinks."""

import math
from typing import Any

import numpy as np
import pytest

from dezero_core import Variable, grad
from dezero_core import functions as F
from dezero_core.errors import ArgumentError, ArgumentTypeError, ShapeError
from dezero_core.functions.error_function import BLOCK, portable_erf
from dezero_testing.gradients import check_gradients

EDGES = [
    (F.expm1, [1e-17, -1000.0], [1e-17, -1.0]),
    (F.log1p, [1e-17, -1.0], [1e-17, -np.inf]),
    (F.exp2, [-2000.0, 0.0, 10.0], [0.0, 1.0, 1024.0]),
    (F.reciprocal, [0.0, np.inf], [np.inf, 0.0]),
    (F.rsqrt, [0.0, 4.0, -1.0], [np.inf, 0.5, np.nan]),
    (F.erf, [0.0, 1e-300, 40.0, -np.inf, 1e200], [0.0, 2 / math.sqrt(math.pi) * 1e-300, 1, -1, 1]),
    (F.asinh, [1e300, 0.0], [math.asinh(1e300), 0.0]),
    (F.acosh, [1.0, 0.5], [0.0, np.nan]),
    (F.round, [0.5, 1.5, -0.5, 2.5], [0.0, 2.0, 0.0, 2.0]),
    (F.trunc, [-1.7, 1.7], [-1.0, 1.0]),
    (F.sign, [-0.1, 0.0, np.nan], [-1.0, 0.0, np.nan]),
]


@pytest.mark.parametrize(("function", "x", "expected"), EDGES, ids=lambda v: str(v)[:20])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_values_at_edges(function: Any, x: Any, expected: Any) -> None:
    np.testing.assert_allclose(function(np.array(x)).data, expected, rtol=1e-15)


@pytest.mark.parametrize(("dtype", "rtol"), [("float64", 5e-16), ("float32", 2.5e-7)])
def test_erf_is_accurate_everywhere(dtype: str, rtol: float) -> None:
    x = np.concatenate([np.linspace(-7, 7, 4001), [1.0, -1.0, 1e-20]]).astype(dtype)
    expected = [math.erf(value) for value in x]
    np.testing.assert_allclose(portable_erf(np, x), expected, rtol)
    assert portable_erf(np, x).dtype == dtype
    assert np.isnan(F.erf(np.array([np.nan])).data)


def test_erf_of_a_large_array_is_computed_in_blocks() -> None:
    x = np.linspace(-3, 3, 2 * BLOCK + 10, dtype="float32").reshape(-1, 2).T
    y = F.erf(x).data
    assert y.shape == x.shape and y.dtype == x.dtype
    np.testing.assert_allclose(y, portable_erf(np, x), rtol=1e-6)


@pytest.mark.parametrize("function", [F.floor, F.ceil, F.trunc, F.round, F.sign])
@pytest.mark.parametrize("dtype", ["int8", "uint64", "float16", "float32", "bool"])
def test_rounding_keeps_the_dtype(function: Any, dtype: str) -> None:
    x = np.array([1, 0], dtype)
    y = function(x).data
    assert y.dtype == dtype and y.tolist() == x.tolist() and y is not x


@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize("function", [F.floor, F.round, F.sign, lambda x: 2.0 // x])
def test_rounding_has_a_gradient_of_zero(function: Any, create_graph: bool) -> None:
    x = Variable(np.array([0.5, -1.2], "float32"))
    gy = Variable(np.array([np.inf, 1.0], "float32"))
    (gx,) = grad(function(x), [x], gy, create_graph=create_graph)
    assert gx.data.tolist() == [0.0, 0.0] and gx.dtype == "float32"


def test_negative_operands_are_divided_as_in_python() -> None:
    x = Variable(np.array([-7.0, 7.0]))
    assert (x // 2).data.tolist() == [-4.0, 3.0]
    assert (x % -2).data.tolist() == [-1.0, -1.0]
    quotient, rest = divmod(x, 2)
    assert (quotient * 2 + rest).data.tolist() == [-7.0, 7.0]
    quotient, rest = divmod(7, Variable(np.array([2, 3])))
    assert quotient.data.tolist() == [3, 2] and rest.data.tolist() == [1, 1]


@pytest.mark.parametrize(
    ("function", "inputs"),
    [(F.logaddexp, ([0.0, 1.0, -3.0], [0.0, 1.0, -3.0])), (F.pow, ([0.5, 2.0, 1e-3], [0.0] * 3))],
)
def test_second_derivatives_at_special_points(function: Any, inputs: Any) -> None:
    check_gradients(function, *map(np.array, inputs))


def test_small_gradients_of_logaddexp_are_accurate() -> None:
    x0, x1 = Variable(np.array([-20.0, 80], "float32")), Variable(np.zeros(2, "float32"))
    F.logaddexp(x0, x1).backward(gradient=np.ones(2, "float32"))
    np.testing.assert_allclose(x0.grad.data, [math.exp(-20), 1], rtol=1e-6)
    np.testing.assert_allclose(x1.grad.data, [1, math.exp(-80)], rtol=1e-6)


def test_the_gradient_of_atan2_at_the_origin_is_zero() -> None:
    x0, x1 = Variable(np.zeros(2)), Variable(np.zeros(2))
    F.atan2(x0, x1).backward(gradient=np.ones(2))
    assert x0.grad.data.tolist() == x1.grad.data.tolist() == [0.0, 0.0]


def test_half_precision_is_rounded_to_decimals_without_overflow() -> None:
    x = Variable(np.array([2.0, -60000.0, 0.00123], "float16"))
    y = F.round(x, 5)
    assert y.dtype == "float16" and y.data.tolist() == x.data.tolist()
    assert F.round(x, -4).data.tolist() == [0.0, -60000.0, 0.0]
    assert F.round(x / 2, -5).data.tolist() == [0.0, 0.0, 0.0]


def test_wrong_arguments_are_explained() -> None:
    for dtype in ("float16", "float32"):
        with pytest.raises(ArgumentError, match="round: decimals -39, .*: expected from -38 to 38"):
            F.round(np.ones(2, dtype), -39)
    with pytest.raises(ArgumentTypeError, match=r"round: decimals 1.5 \(float\): expected an int"):
        F.round(np.ones(2), 1.5)  # type: ignore[arg-type]
    with pytest.raises(ShapeError, match=r"Remainder: shapes \(2,\) and \(3,\) do not broadcast"):
        F.remainder(np.ones(2), np.ones(3))
    with pytest.raises(ShapeError, match="Atan2: shapes"):
        F.atan2(np.ones(2), np.ones(3))
