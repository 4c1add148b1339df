"""Activation functions of very large and small numbers, and their wrong arguments."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from dezero_core import Variable
from dezero_core.errors import ArgumentError, ArgumentTypeError, CallError, ShapeError
from dezero_nn import functions as F
from dezero_nn import layers as L
from dezero_nn.functions.activation import add_relu
from dezero_testing import OpCase

FAR = np.array([-1e4, -50.0, 0.0, 50.0, 1e4])
SMALL = np.exp(-50.0)
VALUES: dict[str, tuple[Callable[..., Any], list[float], list[float]]] = {
    "softplus": (F.softplus, [0, SMALL, np.log(2), 50, 1e4], [0, SMALL, 0.5, 1, 1]),
    "logsigmoid": (F.logsigmoid, [-1e4, -50, -np.log(2), -SMALL, 0], [1, 1, 0.5, SMALL, 0]),
    "mish": (F.mish, [0, -50 * SMALL, 0, 50, 1e4], [0, -49 * SMALL, 0.6, 1, 1]),
    "elu": (F.elu, [-1, -1, 0, 50, 1e4], [0, SMALL, 1, 1, 1]),
    "celu": (lambda x: F.celu(x, 0.5), [-0.5, -0.5, 0, 50, 1e4], [0, SMALL**2, 1, 1, 1]),
    "softsign": (F.softsign, [-1e4 / 10001, -50 / 51, 0, 50 / 51, 1e4 / 10001],
                 [10001**-2.0, 51**-2.0, 1, 51**-2.0, 10001**-2.0]),
    "relu6": (F.relu6, [0, 0, 0, 6, 6], [0, 0, 0, 0, 0]),
    "hardtanh": (F.hardtanh, [-1, -1, 0, 1, 1], [0, 0, 1, 0, 0]),
    "hardswish": (F.hardswish, [0, 0, 0, 50, 1e4], [0, 0, 0.5, 1, 1]),
}  # fmt: skip


def test_the_end_of_a_residual_block_equals_two_ops(backend: str) -> None:
    def block(x: Any, y: Any) -> Any:
        return add_relu(x, y) + x * y

    def reference(x: Any, y: Any) -> Any:
        return np.maximum(x + y, 0) + x * y

    row = OpCase("add_relu", block, reference, [((3, 2), (3, 2)), ((3, 2), (2,)), ((), ())])
    row.check(backend)


@pytest.mark.parametrize("name", sorted(VALUES))
def test_values_and_derivatives_far_from_zero(name: str) -> None:
    function, values, slopes = VALUES[name]
    x = Variable(FAR)
    y = function(x)
    y.sum().backward(create_graph=True)
    assert x.grad is not None
    np.testing.assert_allclose(y.data, values, rtol=1e-12, atol=1e-300)
    np.testing.assert_allclose(x.grad.data, slopes, rtol=1e-12, atol=1e-300)
    first = x.grad
    if first.requires_grad:
        x.cleargrad()
        first.sum().backward()
        assert np.isfinite(x.grad.data).all()


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_half_precision_is_computed_in_single_precision(dtype: str) -> None:
    x = np.linspace(-4, 4, 33).astype(dtype)
    for function in (F.mish, F.softplus, F.elu, F.selu, F.logsigmoid):
        y = function(x)
        assert y.dtype == dtype
        np.testing.assert_allclose(y.data, function(x.astype("float64")).data.astype(dtype), 2e-6)


def test_prelu_does_not_multiply_infinite_positive_elements() -> None:
    x, a = Variable(np.array([np.inf, -1.0])), Variable(np.array([0.5]))
    F.prelu(x, a).sum().backward()
    assert x.grad is not None
    assert a.grad is not None
    np.testing.assert_array_equal(x.grad.data, [1.0, 0.5])
    np.testing.assert_array_equal(a.grad.data, [-1.0])


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: F.glu(np.ones((2, 3))), ShapeError, r"glu: axis 1 of shape \(2, 3\): .*even"),
        (lambda: F.glu(np.ones((2, 4)), 2), ShapeError, "axis 2 does not exist"),
        (lambda: F.swiglu(np.ones(3)), ShapeError, "swiglu: axis 0"),
        (lambda: F.swiglu(np.array(1.0)), ShapeError, "axis -1 does not exist"),
        (lambda: F.prelu(np.ones((2, 3)), np.ones(2)), ShapeError, r"a \(2,\): .*\(1,\) or \(3,\)"),
        (lambda: F.hardtanh(1.0, 2.0, 1.0), ArgumentError, "min_val 2.0 is above"),
        (lambda: F.softplus(1.0, beta=0), ArgumentError, "beta 0"),
        (lambda: F.celu(1.0, 0), ArgumentError, "alpha 0"),
        (lambda: F.elu(1.0, "1"), ArgumentTypeError, "elu: alpha '1'"),
        (lambda: F.softmin(np.ones(2), dim=0), CallError, "write axis"),
        (lambda: F.softmin(np.ones(2), 1), ShapeError, "axis 1"),
    ],
)
def test_wrong_arguments(call: Callable[[], Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        call()


def test_layers_call_their_functions() -> None:
    x = np.sin(np.arange(8.0)).reshape(2, 2, 2).astype("float32")
    for layer, y in [
        (L.LeakyReLU(), F.leaky_relu(x, 0.01)),
        (L.ELU(0.5), F.elu(x, 0.5)),
        (L.Softplus(2.0, 0.1), F.softplus(x, 2.0, 0.1)),
        (L.Hardtanh(0.0, 0.5), F.hardtanh(x, 0.0, 0.5)),
        (L.Softmax(), F.softmax(x, 2)),
        (L.LogSoftmax(0), F.log_softmax(x, 0)),
        (L.GLU(0), F.glu(x, 0)),
        (L.PReLU(2), F.leaky_relu(x, 0.25)),
        (L.Flatten(), Variable(x).reshape(2, 4)),
        (L.Identity(), Variable(x)),
    ]:
        np.testing.assert_array_equal(layer(x).data, y.data)


def test_prelu_is_trained_and_checks_its_arguments() -> None:
    layer = L.PReLU(3, init=0.5, dtype="float64")
    assert repr(layer) == "PReLU(channels=3, init=0.5; a (3,))"
    layer(np.array([[-1.0, -2.0, 3.0]])).sum().backward()
    assert layer.a.grad is not None
    np.testing.assert_array_equal(layer.a.grad.data, [-1.0, -2.0, 0.0])
    with pytest.raises(ShapeError, match=r"prelu: x \(1, 2\) and a \(3,\)"):
        layer(np.ones((1, 2)))
    with pytest.raises(ArgumentError, match="PReLU: channels 0 is below 1"):
        L.PReLU(0)
    with pytest.raises(ArgumentTypeError, match="LeakyReLU: slope '1'"):
        L.LeakyReLU("1")  # type: ignore[arg-type]
