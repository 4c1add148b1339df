"""Run the example spiral: a model with batch normalisation, defined in the program."""

import numpy as np

import dezero
import dezero.functions as F
import dezero.layers as L
from dezero import DataLoader, Model, optimizers

ITERATIONS = 60


class ThreeLayers(Model):
    def __init__(self, hidden_size, out_size):
        super().__init__()
        self.l1, self.bn = L.Linear(hidden_size), L.BatchNorm()
        self.l2 = L.Linear(out_size)

    def forward(self, x):
        return self.l2(F.sigmoid(self.bn(self.l1(x))))


def main():
    np.random.seed(0)
    model = ThreeLayers(20, 3)
    optimizer = optimizers.SGD(1.0).setup(model)
    loader = DataLoader(dezero.datasets.Spiral(), 30)
    for _ in range(ITERATIONS):
        for x, t in loader:
            loss = F.softmax_cross_entropy(model(x), t)
            model.cleargrads()
            loss.backward()
            optimizer.update()
    test = dezero.datasets.Spiral(train=False)
    with dezero.no_grad(), dezero.test_mode():
        accuracy = F.accuracy(model(test.data), test.label)
    assert float(accuracy) > 0.8
