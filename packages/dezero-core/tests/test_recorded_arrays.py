"""Test that backward uses the recorded arrays if data is replaced after forward."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import dezero_core.functions as F
from dezero_core import Variable, grad
from dezero_core.errors import GraphError
from dezero_core.extend import get_backend

CASES: dict[str, tuple[Callable[[Any], Any], float, float]] = {
    # name: function, first and second derivative at 2
    "products": (lambda x: x * x * x, 12.0, 12.0),
    "power": (lambda x: x**3, 12.0, 12.0),
    "division": (lambda x: 1 / x, -0.25, 0.25),
    "exp": (F.exp, np.exp(2.0), np.exp(2.0)),
    "log": (F.log, 0.5, -0.25),
    "where": (lambda x: F.where(x > 0, x * x, x), 4.0, 2.0),
    "sum of squares": (lambda x: F.sum(x * x), 4.0, 2.0),
    "concat": (lambda x: F.sum(F.concat([x, x * x]) ** 2), 36.0, 50.0),  # 2x + 4x^3
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("create_graph", [False, True])
def test_both_modes_use_the_recorded_array(name: str, create_graph: bool, backend: str) -> None:
    function, first, second = CASES[name]
    library = get_backend(backend)
    x = Variable(library.from_numpy(np.array([2.0])))
    y = function(x)
    x.data = library.from_numpy(np.array([5.0]))
    y.backward(create_graph=create_graph)
    np.testing.assert_allclose(library.to_numpy(x.grad.data), [first])
    if create_graph:
        g, x.grad = x.grad, None
        g.backward()
        np.testing.assert_allclose(library.to_numpy(x.grad.data), [second])


def test_an_intermediate_may_be_replaced_too() -> None:
    x = Variable(np.array([2.0]))
    h = x * x
    y = h * h
    h.data = np.array([100.0])
    for create_graph in (False, True):
        assert grad(y, x, create_graph=create_graph, retain_graph=True).data == [32.0]


@pytest.mark.parametrize(
    "now", [np.ones(3), np.ones((2, 1)), None], ids=["longer", "more axes", "no data"]
)
@pytest.mark.parametrize("create_graph", [False, True])
def test_another_shape_is_an_error(now: Any, create_graph: bool) -> None:
    x = Variable(np.array([2.0, 3.0]))
    y = F.sum(x * x)
    x.data = now
    with pytest.raises(GraphError, match=r"was replaced .* it was numpy.ndarray float64 \(2,\)"):
        y.backward(create_graph=create_graph)
    assert x.grad is None


def test_a_gradient_is_not_summed_to_another_shape() -> None:
    x, b = Variable(np.ones((4, 3))), Variable(np.ones(3))
    y = F.sum(x + b)
    b.data = np.ones(1)
    with pytest.raises(GraphError, match="was replaced"):
        y.backward()


def test_another_library_is_an_error() -> None:
    x = Variable(np.array([2.0, 3.0]))
    y = F.sum(x * x)
    x.to("strict")
    with pytest.raises(GraphError, match="it was numpy.* and is array_api_strict"):
        y.backward()


def test_the_gradient_gets_the_dtype_of_new_data() -> None:
    x = Variable(np.array([2.0, 3.0]))
    y = F.sum(x * x)
    x.data = x.data.astype("f")
    y.backward()
    assert x.grad.dtype == "float32" and x.grad.data.tolist() == [4, 6]


@pytest.mark.parametrize("now", [np.ones((3, 2)), np.ones(3), np.ones(1)])
@pytest.mark.parametrize("op", [lambda x: x * x, F.sum])
def test_the_data_of_the_root_may_not_change_its_shape(now: Any, op: Any) -> None:
    x = Variable(np.array([2.0, 3.0]))
    y = op(x)
    y.data = now
    for start in (y.backward, lambda: grad(y, x), lambda: y.backward(gradient=np.ones(now.shape))):
        with pytest.raises(GraphError, match="was replaced after it was used"):
            start()
    assert x.grad is None


def test_data_that_is_not_an_array_raises() -> None:
    x = Variable(np.array([2.0, 3.0]))
    y = F.sum(x * x)
    x.data = [1.0, 2.0]  # type: ignore[assignment]
    with pytest.raises(GraphError, match=r"and is \[1.0, 2.0\]"):
        y.backward()


@pytest.mark.parametrize("now", [np.ones((3, 2)), np.ones(1), np.ones((2, 1))])
@pytest.mark.parametrize("several", [False, True], ids=["one output", "two outputs"])
def test_an_intermediate_of_another_shape_is_an_error(now: Any, several: bool) -> None:
    x = Variable(np.array([2.0, 3.0]))
    h = F.unstack(F.stack([x, x]))[1] if several else x * x
    h.data = now
    for create_graph in (False, True):
        with pytest.raises(GraphError, match="was replaced"):
            F.sum(h * 1.0).backward(create_graph=create_graph)
    assert x.grad is None
