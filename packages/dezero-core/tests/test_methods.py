"""Test that methods of Variables compute what the functions compute, with gradients."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from dezero_core import Variable
from dezero_core import functions as F
from dezero_core.errors import ArgumentTypeError, ShapeError
from dezero_core.extend import get_backend

X = np.array([[0.5, 2.0, 1.5], [3.0, 0.1, 0.7]], "float32")

PAIRS: list[tuple[Callable[[Any], Any], Callable[[Any], Any]]] = [
    (lambda x: x.abs(), F.abs),
    (lambda x: x.exp(), F.exp),
    (lambda x: x.log(), F.log),
    (lambda x: x.sqrt(), F.sqrt),
    (lambda x: x.tanh(), F.tanh),
    (lambda x: x.pow(2), lambda x: F.pow(x, 2)),
    (lambda x: x.clip(0.2, 1.0), lambda x: F.clip(x, 0.2, 1.0)),
    (lambda x: x.astype("float64"), lambda x: F.astype(x, "float64")),
    (lambda x: x.prod(0), lambda x: F.prod(x, 0)),
    (lambda x: x.var(1, correction=1), lambda x: F.var(x, 1, correction=1)),
    (lambda x: x.std(keepdims=True), lambda x: F.std(x, keepdims=True)),
    (lambda x: x.expand_dims(-1), lambda x: F.expand_dims(x, -1)),
    (lambda x: x.expand_dims(0).squeeze(), F.pos),
    (lambda x: x.flatten(), lambda x: F.reshape(x, 6)),
    (lambda x: x.flatten(1), F.flatten),
    (lambda x: F.flatten(x, -2), lambda x: F.reshape(x, 6)),
    (lambda x: F.flatten(x, 2), lambda x: F.expand_dims(x, 2)),
    (lambda x: x.reshape(1, 2, 3).flatten(0, 1), lambda x: x),
    (lambda x: F.flatten(x.reshape(1, 2, 3, 1), -3, -2), lambda x: x.reshape(1, 6, 1)),
    (lambda x: x.matmul(x.T), lambda x: x @ x.T),
    (lambda x: x // 0.4 + x % 0.4, lambda x: F.floor_divide(x, 0.4) + F.remainder(x, 0.4)),
]


@pytest.mark.parametrize(("method", "function"), PAIRS)
def test_methods_equal_functions(method: Any, function: Any) -> None:
    results = []
    for call in (method, function):
        x = Variable(X)
        y = call(x)
        F.sum(y * y).backward()
        results.append((y.data, x.grad.data))
    for ours, expected in zip(*results, strict=True):
        assert ours.dtype == expected.dtype and np.array_equal(ours, expected)


def test_indices_and_conversions(backend: str) -> None:
    library = get_backend(backend)
    x = Variable(library.from_numpy(X))
    assert x.argmax(1).tolist() == [1, 0] and x.argmin(axis=1, keepdims=True).tolist() == [[0], [1]]
    assert x.tolist() == X.tolist() and x.sum().tolist() == x.sum().item()
    assert type(x.numpy()) is np.ndarray and np.array_equal(x.numpy(), X)
    assert (x.numpy() is x.data) == (backend == "numpy")
    assert (x > 1).shape == x.shape and x.size == 6


@pytest.mark.parametrize("name", ["flatten", "reshape", "transpose"])
def test_errors_of_python_name_the_method(name: str) -> None:
    with pytest.raises(TypeError, match=rf"^Variable\.{name}\(\) got an unexpected keyword"):
        getattr(Variable(X), name)(order="F")


def test_flatten_explains_a_wrong_axis() -> None:
    assert Variable(np.array(2.0)).flatten().shape == (1,)
    assert Variable(np.zeros((2, 0, 3))).flatten().shape == (0,)
    with pytest.raises(ShapeError, match=r"flatten: start_axis 3 for shape \(2, 3\)"):
        Variable(X).flatten(3)
    for start, end in ((1, 0), (0, 2), (0, -3), (2, 0)):
        with pytest.raises(ShapeError, match=rf"flatten: end_axis {end} for shape \(2, 3\)"):
            Variable(X).flatten(start, end)
    with pytest.raises(ArgumentTypeError, match="flatten: start_axis 'C'"):
        Variable(X).flatten("C")  # type: ignore[arg-type]
