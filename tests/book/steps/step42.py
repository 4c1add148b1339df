"""Step 42: fit a line by linear regression."""

import numpy as np

import dezero.functions as F
from dezero import Variable

ITERATIONS = 100


def main():
    np.random.seed(0)
    x = Variable(np.random.rand(100, 1))
    y = Variable(5 + 2 * x.data + np.random.rand(100, 1))
    W, b = Variable(np.zeros((1, 1))), Variable(np.zeros(1))

    def predict(x):
        return F.matmul(x, W) + b

    def mean_squared_error(x0, x1):
        diff = x0 - x1
        return F.sum(diff**2) / len(diff)

    lr = 0.1
    for _ in range(ITERATIONS):
        loss = mean_squared_error(y, predict(x))
        W.cleargrad()
        b.cleargrad()
        loss.backward()
        W.data -= lr * W.grad.data
        b.data -= lr * b.grad.data
    np.testing.assert_allclose([W.data[0, 0], b.data[0]], [2.11807369, 5.46608905], rtol=1e-6)
    assert abs(float(loss.data) - 0.07908606512411756) < 1e-8
