"""Step 46: train with optimizers."""

import numpy as np

import dezero.functions as F
from dezero import optimizers
from dezero.models import MLP

ITERATIONS = 200


def main():
    np.random.seed(0)
    x = np.random.rand(100, 1)
    y = np.sin(2 * np.pi * x) + np.random.rand(100, 1)
    for optimizer in (optimizers.SGD(0.2), optimizers.MomentumSGD(0.2)):
        model = MLP((10, 1))
        optimizer.setup(model)
        losses = []
        for _ in range(ITERATIONS):
            loss = F.mean_squared_error(y, model(x))
            model.cleargrads()
            loss.backward()
            optimizer.update()
            losses.append(float(loss.data))
        assert losses[-1] < 0.5 * losses[0]
