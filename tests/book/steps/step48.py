"""Step 48: classify the spiral, with batches made by hand."""

import math

import numpy as np

import dezero
import dezero.functions as F
from dezero import optimizers
from dezero.models import MLP

ITERATIONS = 300


def main():
    np.random.seed(0)
    batch_size, hidden_size, lr = 30, 10, 1.0
    x, t = dezero.datasets.get_spiral(train=True)
    model = MLP((hidden_size, 3))
    optimizer = optimizers.SGD(lr).setup(model)
    data_size = len(x)
    max_iter = math.ceil(data_size / batch_size)
    losses = []
    for _ in range(ITERATIONS):
        index = np.random.permutation(data_size)
        sum_loss = 0
        for i in range(max_iter):
            batch_index = index[i * batch_size : (i + 1) * batch_size]
            loss = F.softmax_cross_entropy(model(x[batch_index]), t[batch_index])
            model.cleargrads()
            loss.backward()
            optimizer.update()
            sum_loss += float(loss.data) * len(batch_index)
        losses.append(sum_loss / data_size)
    assert losses[0] > 1.0 and losses[-1] < 0.25
    # the boundary that the book draws
    h = 0.05
    xx, yy = np.meshgrid(np.arange(-1.1, 1.1, h), np.arange(-1.1, 1.1, h))
    with dezero.no_grad():
        score = model(np.c_[xx.ravel(), yy.ravel()])
    assert set(np.argmax(score.data, axis=1)) == {0, 1, 2}
