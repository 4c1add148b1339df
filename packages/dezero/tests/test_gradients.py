"""Test the gradient checkers of the book, and the comparison of arrays."""

import numpy as np

from dezero.utils import array_allclose, array_equal, gradient_check, numerical_grad
from dezero_core import Function, Variable
from dezero_core import functions as F
from dezero_core.extend import get_backend


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
