"""Calls for mypy, right and wrong: each wrong one is marked with the error that mypy must give.

``mypy tests/typing/calls.py`` reports nothing, because a mark without its error is an error too.
"""

from collections.abc import Iterator
from typing import Any, assert_type

import numpy as np

from dezero_core import Function, Parameter, Variable
from dezero_core import functions as F
from dezero_io import DataLoader
from dezero_nn import layers as L
from dezero_nn.optimizers import SGD, Optimizer


class Pair(L.Layer):
    """A layer whose ``forward`` takes what its author chose, and returns two results."""

    def forward(self, x: Variable, *, scale: float = 1.0) -> tuple[Variable, Variable]:
        return x * scale, x


class Square(Function):
    """A function whose ``forward`` and ``backward`` name their parameters."""

    def forward(self, x: np.ndarray) -> np.ndarray:
        return x * x

    def backward(self, gy: Variable) -> Variable:
        (x,) = self.inputs
        return gy * 2 * x


class Descent(Optimizer):
    """An optimizer that defines its rule."""

    def delta(self, p: np.ndarray, g: np.ndarray, state: dict[str, Any]) -> np.ndarray:
        return -0.1 * g


x = Variable(np.ones((2, 3), "f"))
p = Parameter(np.ones(3))


def right(loader: DataLoader, optimizer: Optimizer, function: Function) -> None:
    gru = L.GRU(3, num_layers=2, batch_first=True)
    assert_type(gru(x, lengths=[1, 2]), Variable)
    assert_type(gru.apply(print), L.GRU)
    with gru.register_hook(lambda layer, inputs, output: output * 2):
        assert_type(gru.named_layers()["cells/l1"], L.Layer)
    assert_type(x + p, Variable)
    assert_type(x * np.ones(3), Variable)
    array = np.ones((2, 3))
    assert_type(array * x, Variable)
    assert_type(array + x, Variable)
    assert_type(array - x, Variable)
    assert_type(array / x, Variable)
    assert_type(array @ x.T, Variable)
    np.asarray(x)
    assert_type(1 - x / 2.0, Variable)
    assert_type(x ** np.float32(2), Variable)
    assert_type(x // 2, Variable)
    assert_type(7 % x, Variable)
    assert_type(divmod(x, p), tuple[Variable, Variable])
    assert_type(True + x, Variable)
    assert_type(x @ x.T, Variable)
    assert_type(-abs(x), Variable)
    assert_type(x.sum(), Variable)
    assert_type(x.sum(axis=1, keepdims=True), Variable)
    assert_type(x.mean((0, 1)), Variable)
    assert_type(x.max(np.int64(0)), Variable)
    assert_type(x.min([0]), Variable)
    assert_type(x.std(0, correction=1), Variable)
    assert_type(x.argmax(), Variable)
    assert_type(x.pow(2).sqrt().clip(0.0, 1.0), Variable)
    assert_type(x.flatten(1).expand_dims(0).squeeze(), Variable)
    assert_type(x.astype("float64").tanh(), Variable)
    assert_type(x.reshape(3, 2), Variable)
    assert_type(x.reshape((3, 2)), Variable)
    assert_type(x.reshape(shape=[3, -1]), Variable)
    assert_type(x.transpose(1, 0), Variable)
    assert_type(x.transpose(), Variable)
    assert_type(x.T, Variable)
    assert_type(x.dot(x.T), Variable)
    assert_type(x[0, 1:, ..., None], Variable)
    assert_type(x[[1, 0]], Variable)
    assert_type(x[x == 0], Variable)
    assert_type(iter(x), Iterator[Variable])
    assert_type(F.unstack(x, axis=1), tuple[Variable, ...])
    assert_type(x.grad, Variable | None)
    (x == 0).sum()
    (x < [1, 2, 3]).any()
    assert x != None  # noqa: E711
    assert {x: 1}[x] == 1
    first, *_ = x
    assert_type(first, Variable)
    x.backward(create_graph=True, retain_graph=False)
    assert_type(L.Linear(3)(x), Variable)
    assert_type(function(x), Any)
    first, second = Pair()(x, scale=2.0)
    assert_type(second, Variable)
    Descent().setup(L.Linear(3)).step()
    SGD(lr=0.1).setup(L.Linear(3)).update()
    for batch in loader:
        assert_type(batch, Any)


def wrong() -> None:
    x.sum(axs=1)  # type: ignore[call-arg]
    x.mean(axis="0")  # type: ignore[arg-type]
    x.max(0, False, None)  # type: ignore[call-arg]
    x.min(keepdim=True)  # type: ignore[call-arg]
    x.var(0, 1)  # type: ignore[call-arg]
    x.exp(2)  # type: ignore[call-arg]
    x.reshape("3")  # type: ignore[arg-type]
    x.reshape(3.5, 2)  # type: ignore[arg-type]
    x.reshape(2, shape=3, order="C")  # type: ignore[call-arg]
    x.transpose(axes=(1, 0))  # type: ignore[call-arg]
    x.dot()  # type: ignore[call-arg]
    x.T()  # type: ignore[operator]
    x + [1.0]  # type: ignore[operator]
    "loss: " + x  # type: ignore[operator]
    x - None  # type: ignore[arg-type]
    assert x < "a"  # type: ignore[operator]
    x["a"]  # type: ignore[index]
    x.backward(True, True, True)  # type: ignore[call-arg, arg-type]
    x.backward(grad=x)  # type: ignore[call-arg]
    x.shape = (3, 2)  # type: ignore[misc]
    x.no_such_name  # type: ignore[attr-defined]
    F.sum(x, axs=1)  # type: ignore[call-arg]
    F.unstack(x, dim=1)  # type: ignore[call-arg]
    L.Linear(3).forward()  # type: ignore[call-arg]
    SGD().update(x)  # type: ignore[call-arg]
    Variable(np.ones(2), requires_gradient=True)  # type: ignore[call-arg]
