"""Step 44: train the same network with layers that store their parameters."""

import numpy as np

import dezero.functions as F
import dezero.layers as L

ITERATIONS = 200


def main():
    np.random.seed(0)
    x = np.random.rand(100, 1)
    y = np.sin(2 * np.pi * x) + np.random.rand(100, 1)
    l1, l2 = L.Linear(10), L.Linear(1)

    def predict(x):
        return l2(F.sigmoid(l1(x)))

    lr, losses = 0.2, []
    for _ in range(ITERATIONS):
        loss = F.mean_squared_error(y, predict(x))
        l1.cleargrads()
        l2.cleargrads()
        loss.backward()
        for layer in (l1, l2):
            for p in layer.params():
                p.data -= lr * p.grad.data
        losses.append(float(loss.data))
    assert losses[-1] < 0.5 * losses[0]
