"""Step 43: train a network of two layers, whose parameters are plain Variables."""

import numpy as np

import dezero.functions as F
from dezero import Variable

ITERATIONS = 10000


def main():
    np.random.seed(0)
    x = np.random.rand(100, 1)
    y = np.sin(2 * np.pi * x) + np.random.rand(100, 1)
    W1, b1 = Variable(0.01 * np.random.randn(1, 10)), Variable(np.zeros(10))
    W2, b2 = Variable(0.01 * np.random.randn(10, 1)), Variable(np.zeros(1))

    def predict(x):
        x = F.linear(x, W1, b1)
        x = F.sigmoid(x)
        return F.linear(x, W2, b2)

    lr, losses = 0.2, []
    for _ in range(ITERATIONS):
        loss = F.mean_squared_error(y, predict(x))
        for p in (W1, b1, W2, b2):
            p.cleargrad()
        loss.backward()
        for p in (W1, b1, W2, b2):
            p.data -= lr * p.grad.data
        losses.append(float(loss.data))
    np.testing.assert_allclose(losses[::1000][:3], [0.8473695850105871, 0.2514286285183607,
                                                    0.2475948546674987], rtol=1e-6)  # fmt: skip
    assert losses[-1] < 0.08
