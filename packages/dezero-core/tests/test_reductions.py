"""Test products, cumulative sums and products, variances and norms at edges."""

from typing import Any

import numpy as np
import pytest

from dezero_core import Variable, grad
from dezero_core import functions as F
from dezero_core.errors import ArgumentError, ArgumentTypeError, ShapeError
from dezero_testing.gradients import check_gradients

X = np.arange(6.0).reshape(2, 3)


@pytest.mark.parametrize(
    "name", "sum mean max min prod argmax argmin logsumexp var std vector_norm".split()
)
def test_keepdims_is_a_bool_of_python_or_numpy(name: str) -> None:
    function = getattr(F, name)
    assert function(X, axis=0, keepdims=np.True_).shape == (1, 3)
    with pytest.raises(ArgumentTypeError, match=f"{name}: keepdims 1 .int.: expected True or"):
        function(X, axis=0, keepdims=1)


@pytest.mark.parametrize("zeros", [(), (0,), (2,), (1, 3), (0, 1, 2, 3)])
@pytest.mark.parametrize("function", [F.prod, F.cumulative_prod])
def test_products_with_zeros_have_derivatives(function: Any, zeros: tuple[int, ...]) -> None:
    x = np.array([0.5, -2.0, 1.5, 3.0])
    x[list(zeros)] = 0.0
    check_gradients(function, x, order=2)


@pytest.mark.parametrize("name", ["prod", "cumulative_sum", "cumulative_prod"])
@pytest.mark.parametrize("dtype", ["float16", "float32", "int8", "uint8", "int64", "bool"])
def test_dtypes_are_those_of_numpy(name: str, dtype: str) -> None:
    x = np.array([1, 1, 0, 1], dtype)
    numpys = {"prod": np.prod, "cumulative_sum": np.cumsum, "cumulative_prod": np.cumprod}
    expected, y = numpys[name](x), getattr(F, name)(x).data
    assert y.dtype == expected.dtype and y.tolist() == expected.tolist()


def test_half_precision_is_accumulated_in_single() -> None:
    x = np.full(4096, 0.5, "float16")
    assert F.cumulative_sum(x).data[-1] == 2048.0
    tiny = np.array([2.0**-14, 2.0**-14, 2.0**14, 2.0**14], "float16")
    assert F.prod(tiny).data == 1.0 and F.cumulative_prod(tiny).data[-1] == 1.0
    assert F.vector_norm(np.full(4, 256.0, "float16")).data == 512.0
    assert F.std(np.array([-300.0, 300.0], "float16")).data == 300.0


def test_long_doubles_keep_their_precision() -> None:
    x = np.array([1, np.finfo("longdouble").eps], "longdouble")
    y = F.cumulative_sum(x).data
    assert y.dtype == "longdouble" and y[1] > 1


def test_cumulative_sums_of_many_terms_are_accurate() -> None:
    n = 1_000_000
    y = F.cumulative_sum(np.full(n, 0.1, "float32")).data
    assert y.dtype == "float32" and abs(y[-1] / (0.1 * n) - 1) < 1e-6


def test_cumulative_functions_without_the_names_of_the_standard() -> None:
    from types import SimpleNamespace

    from dezero_core.functions.cumulative import CUMPROD, named_function

    assert named_function(SimpleNamespace(cumprod=max), CUMPROD) is max
    assert named_function(SimpleNamespace(cumprod=max, cumulative_prod=min), CUMPROD) is min


@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize(
    "function",
    [F.std, F.vector_norm, lambda x: F.vector_norm(x, 3), lambda x: F.vector_norm(x, 0.5),
     lambda x: F.vector_norm(x, 1), lambda x: F.vector_norm(x, -1)],
)  # fmt: skip
def test_the_gradient_of_a_norm_of_zero_is_zero(function: Any, create_graph: bool) -> None:
    x = Variable(np.zeros(3))
    y = function(x)
    (gx,) = grad(y, [x], create_graph=create_graph)
    assert float(y) == 0.0 and gx.data.tolist() == [0.0, 0.0, 0.0]


def test_a_zero_in_a_vector_has_a_finite_gradient() -> None:
    for order in (0.5, 1, 1.5, 2, 3):
        x = Variable(np.array([0.0, 2.0]))
        (gx,) = grad(F.vector_norm(x, order), [x])
        np.testing.assert_allclose(gx.data, [0.0, 1.0], rtol=1e-15)


def test_nan_is_not_hidden() -> None:
    x = np.array([np.nan, 1.0])
    for y in (F.std(x), F.var(x), F.prod(x), F.vector_norm(x), F.vector_norm(x, 3)):
        assert np.isnan(y.data)


def test_a_product_and_a_norm_of_no_elements() -> None:
    assert F.prod(X[:0], 0).data.tolist() == [1, 1, 1]
    assert F.vector_norm(X[:0], axis=0).data.tolist() == [0, 0, 0]
    assert F.cumulative_prod(X[:0], 0, include_initial=True).data.tolist() == [[1, 1, 1]]
    assert F.prod(3.0).data == 3.0


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: F.cumulative_sum(X), ArgumentError, r"axis None for shape \(2, 3\): expected an"),
        (lambda: F.cumulative_prod(X, 2), ShapeError, "cumulative_prod: axis 2 does not exist"),
        (lambda: F.cumulative_sum(X, 0.5), ArgumentTypeError, "axis 0.5"),
        (lambda: F.prod(X, (0, -2)), ShapeError, "prod: axis .* names an axis twice"),
        (lambda: F.var(X, 0, correction=2), ShapeError, "var: 2 elements along axis 0 of shape"),
        (lambda: F.var(X, correction=np.nan), ShapeError, "var: 6 elements .* correction nan"),
        (lambda: F.var(X, unbiased=True), TypeError, "correction=1 is PyTorch's unbiased=True"),
        (lambda: F.std(X[:0]), ShapeError, "std: 0 elements along axis None"),
        (lambda: F.var(X, correction="1"), ArgumentTypeError, "var: correction '1'"),
        (lambda: F.vector_norm(X, "fro"), ArgumentTypeError, "vector_norm: ord 'fro'"),
        (lambda: F.vector_norm(X[:0], np.inf), ShapeError, "Max: axis None"),
        (lambda: F.argmin(X[:0]), ShapeError, "ArgMin: axis None"),
    ],
)
def test_invalid_input_is_explained(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()
