"""Step 28: minimise the Rosenbrock function by gradient descent."""

import numpy as np

import dezero

if not dezero.is_simple_core:
    from dezero.core_simple import Variable, setup_variable

    setup_variable()

ITERATIONS = 1000


def rosenbrock(x0, x1):
    return 100 * (x1 - x0**2) ** 2 + (x0 - 1) ** 2


def main():
    x0, x1 = Variable(np.array(0.0)), Variable(np.array(2.0))
    lr = 0.001
    for i in range(ITERATIONS):
        y = rosenbrock(x0, x1)
        x0.cleargrad()
        x1.cleargrad()
        y.backward()
        if i == 0:
            assert (x0.grad, x1.grad) == (-2.0, 400.0)
        x0.data -= lr * x0.grad
        x1.data -= lr * x1.grad
    np.testing.assert_allclose([x0.data, x1.data], [0.6837, 0.4660], rtol=1e-3)
