"""Test that the gradient checker finds wrong gradients and reports their index."""

import numpy as np
import pytest

from dezero_core import Function, Variable
from dezero_core import functions as F
from dezero_testing.gradients import GradientError, check_gradients


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


class Infinite(Function):
    """y = x, with an infinite gradient."""

    def forward(self, x):
        return x * 1.0

    def backward(self, gy):
        return gy * np.inf


class InfiniteSecond(WrongSecond):
    """y = x**2, with a correct first derivative and an infinite second."""

    def backward(self, gy):
        return gy * Infinite()(self.inputs[0]) * 2.0


def test_an_infinite_second_derivative_is_found() -> None:
    with pytest.raises(GradientError, match="order 2, input 0, index .*: analytic inf"):
        check_gradients(lambda x: InfiniteSecond()(x), np.array([2.0]))


def test_a_missing_gradient_counts_as_zero() -> None:
    with pytest.raises(GradientError, match="analytic 0, numeric 1.08"):
        check_gradients(lambda x: F.mul(x.data, 2.0), np.array([1.0]), name="lost", atol=1e-3)


def test_integers_are_passed_unchanged() -> None:
    def pick(x: Variable, t: Variable) -> Variable:
        assert t.dtype == np.int64
        return x * t

    check_gradients(pick, np.array([1.0, 2.0]), np.array([3, 4]))
