"""Step 45: define a model, and use the ready-made MLP."""

import numpy as np

import dezero.functions as F
import dezero.layers as L
from dezero import Model
from dezero.models import MLP

ITERATIONS = 200


class TwoLayerNet(Model):
    def __init__(self, hidden_size, out_size):
        super().__init__()
        self.l1 = L.Linear(hidden_size)
        self.l2 = L.Linear(out_size)

    def forward(self, x):
        return self.l2(F.sigmoid(self.l1(x)))


def main():
    np.random.seed(0)
    x = np.random.rand(100, 1)
    y = np.sin(2 * np.pi * x) + np.random.rand(100, 1)
    for model in (TwoLayerNet(10, 1), MLP((10, 1))):
        lr, losses = 0.2, []
        for _ in range(ITERATIONS):
            loss = F.mean_squared_error(y, model(x))
            model.cleargrads()
            loss.backward()
            for p in model.params():
                p.data -= lr * p.grad.data
            losses.append(float(loss.data))
        assert losses[-1] < 0.5 * losses[0]
