"""Test that the gradient checker finds wrong gradients and reports their index."""

import numpy as np
import pytest

from dezero_core import Function, Variable
from dezero_core import functions as F
from dezero_core.extend import get_backend
from dezero_core.testing import (
    GradientError,
    array_allclose,
    array_equal,
    check_gradients,
    gradient_check,
    numerical_grad,
)


class WrongSecond(Function):
    """y = x**2, with a correct first derivative and without a second."""

    def forward(self, x):
        return x * x

    def backward(self, gy):
        return gy * (2 * self.inputs[0].data if isinstance(gy, Variable) else 2 * self.inputs[0])


def test_correct_gradients_pass(backend: str) -> None:
    x, y = np.array([[0.3, 0.7]]), np.array([0.2])
    check_gradients(lambda a, b: F.sin(a) * F.exp(b) / a, x, y, order=3, backend=backend)
    check_gradients(F.sum, x.astype("float32"))


def test_a_wrong_gradient_is_reported_with_its_index() -> None:
    def wrong(x: Variable) -> Variable:
        return F.where(np.array([False, True]), x.data * x, x * x)

    with pytest.raises(GradientError, match=r"wrong: order 1, input 0, index \(1,\)") as caught:
        check_gradients(wrong, np.array([2.0, 3.0]))
    assert "analytic" in str(caught.value)
    assert isinstance(caught.value, AssertionError)


def test_a_wrong_second_derivative_is_found() -> None:
    x = np.array([2.0])
    check_gradients(lambda x: WrongSecond()(x), x, order=1)
    with pytest.raises(GradientError, match="gradient of input 0: order 2, input 0"):
        check_gradients(lambda x: WrongSecond()(x), x)


def test_a_missing_gradient_counts_as_zero() -> None:
    with pytest.raises(GradientError, match="analytic 0, numeric 1.08"):
        check_gradients(lambda x: F.mul(x.data, 2.0), np.array([1.0]), name="lost", atol=1e-3)


def test_integers_are_passed_unchanged() -> None:
    def pick(x: Variable, t: Variable) -> Variable:
        assert t.dtype == np.int64
        return x * t

    check_gradients(pick, np.array([1.0, 2.0]), np.array([3, 4]))


def test_the_gradient_checkers_of_the_book(backend: str) -> None:
    library = get_backend(backend)
    x = library.from_numpy(np.array([1.0, 2.0], "float32"))
    np.testing.assert_allclose(numerical_grad(lambda x: x * x, x), [2.0, 4.0], rtol=1e-6)
    np.testing.assert_allclose(numerical_grad(F.sin, Variable(x)), np.cos([1.0, 2.0]), rtol=1e-6)
    assert gradient_check(F.exp, x)
    assert gradient_check(lambda x, n, power: x**power * n, Variable(x), 2.0, power=3)
    assert not gradient_check(lambda x: F.exp(x) + Halved()(x), x)
    assert library.to_numpy(x).dtype == np.float32, "the input is unchanged"


class Halved(Function):
    """y = x, with half of the correct gradient."""

    def forward(self, x):
        return x * 1.0

    def backward(self, gy):
        return gy * 0.5


def test_comparing_arrays(backend: str) -> None:
    library = get_backend(backend)
    a = library.from_numpy(np.array([1.0, 2.0]))
    assert array_equal(a, Variable(a)) and not array_equal(a, a + 1.0)
    assert array_allclose(a, a + 1e-6) and not array_allclose(a, a + 1e-3)
    assert array_allclose(2.0, np.array(2.0))
