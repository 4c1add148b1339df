"""Test sort, argsort and topk: ties, NaN, dtypes, gradients and wrong arguments."""

from typing import Any

import numpy as np
import pytest

from dezero_core import Variable, grad
from dezero_core import functions as F
from dezero_core.errors import ArgumentError, ArgumentTypeError, ShapeError

X = np.array([[2.0, 1.0, 2.0, 0.0], [5.0, 5.0, 5.0, 5.0]])


def test_ties_keep_their_order() -> None:
    assert F.argsort(X).tolist() == [[3, 1, 0, 2], [0, 1, 2, 3]]
    assert F.argsort(X, descending=True).tolist() == [[0, 2, 1, 3], [0, 1, 2, 3]]
    many = np.arange(1000) % 3
    assert F.argsort(many, descending=True).tolist()[:2] == [2, 5]


@pytest.mark.parametrize("stable", [False, True])
@pytest.mark.parametrize("descending", [False, True])
def test_sort_and_argsort_agree(descending: bool, stable: bool) -> None:
    x = Variable(np.random.default_rng(0).integers(0, 9, (4, 50, 3)).astype("float32"))
    y = F.sort(x, 1, descending=descending, stable=stable)
    order = F.argsort(x, 1, descending=descending, stable=stable)
    assert np.array_equal(y.data, np.take_along_axis(x.data, order.data, 1))
    assert np.all(np.diff(y.data, axis=1) * (-1 if descending else 1) >= 0)
    weights = np.arange(50.0, dtype="float32")[:, None]
    (gx,) = grad(F.sum(y * weights), [x])
    assert np.array_equal(np.take_along_axis(gx.data, order.data, 1), weights + 0 * y.data)


def test_nan_is_largest() -> None:
    x = np.array([1.0, np.nan, 3.0, -np.inf])
    np.testing.assert_array_equal(F.sort(x).data, [-np.inf, 1.0, 3.0, np.nan])
    np.testing.assert_array_equal(F.sort(x, descending=True).data, [np.nan, 3.0, 1.0, -np.inf])
    np.testing.assert_array_equal(F.topk(x, 2)[0].data, [np.nan, 3.0])


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint64", "float16"])
def test_sorting_keeps_the_dtype(dtype: str) -> None:
    x = np.array([1, 0, 1], dtype)
    for y in (F.sort(x), F.topk(x, 2)[0]):
        assert y.dtype == dtype
    assert F.sort(x, descending=True).tolist() == [1, 1, 0]


@pytest.mark.parametrize("k", [0, 1, 3, 7])
@pytest.mark.parametrize("largest", [True, False])
def test_topk_of_every_axis(k: int, largest: bool) -> None:
    x = np.random.default_rng(1).normal(size=(7, 8, 9))
    for axis in (0, 1, -1):
        values, indices = F.topk(x, k, axis, largest=largest)
        expected = np.sort(-x if largest else x, axis).take(range(k), axis)
        assert np.array_equal(values.data, -expected if largest else expected)
        assert np.array_equal(np.take_along_axis(x, indices.data, axis), values.data)
        assert not indices.requires_grad


def test_topk_selects_the_first_of_equal_elements() -> None:
    assert F.topk(X, 2)[1].tolist() == [[0, 2], [0, 1]]
    assert F.topk(X, 3, largest=False)[1].tolist() == [[3, 1, 0], [0, 1, 2]]
    many = np.arange(1000) % 3
    assert F.topk(many, 3)[1].tolist() == [2, 5, 8]


def test_gradients_reach_the_selected_elements() -> None:
    x = Variable(np.array([3.0, 1.0, 2.0]))
    values, _ = F.topk(x, 2)
    F.sum(values * np.array([10.0, 20.0])).backward()
    assert x.grad.tolist() == [10.0, 0.0, 20.0]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: F.topk(X, 5), ArgumentError, r"topk: k 5 for axis 1 of shape \(2, 4\): .* most 4"),
        (lambda: F.topk(X, -1), ArgumentError, "topk: k -1 is below 0"),
        (lambda: F.topk(X, 2.0), ArgumentTypeError, r"topk: k 2.0 \(float\)"),
        (lambda: F.sort(X, 2), ShapeError, "sort: axis 2 does not exist"),
        (lambda: F.argsort(X, None), ArgumentTypeError, "argsort: axis None"),
        (lambda: F.sort(1.0), ShapeError, "sort: axis -1 does not exist: there are 0 axes"),
        (lambda: F.sort(X, dim=0), TypeError, "axis"),
    ],
)
def test_invalid_input_is_explained(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()
