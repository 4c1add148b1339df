"""Step 51: classify MNIST."""

import numpy as np

import dezero
import dezero.functions as F
from dezero import DataLoader
from dezero.models import MLP

ITERATIONS = 3


def main():
    np.random.seed(0)
    batch_size, hidden_size = 100, 1000
    train_set = dezero.datasets.MNIST(train=True)
    test_set = dezero.datasets.MNIST(train=False)
    train_loader = DataLoader(train_set, batch_size)
    test_loader = DataLoader(test_set, batch_size, shuffle=False)
    model = MLP((hidden_size, hidden_size, 10), activation=F.relu)
    optimizer = dezero.optimizers.SGD().setup(model)
    losses = []
    for _ in range(ITERATIONS):
        sum_loss, sum_acc = 0, 0
        for x, t in train_loader:
            y = model(x)
            loss = F.softmax_cross_entropy(y, t)
            acc = F.accuracy(y, t)
            model.cleargrads()
            loss.backward()
            optimizer.update()
            sum_loss += float(loss.data) * len(t)
            sum_acc += float(acc.data) * len(t)
        losses.append(sum_loss / len(train_set))
        sum_acc = 0
        with dezero.no_grad():
            for x, t in test_loader:
                sum_acc += float(F.accuracy(model(x), t).data) * len(t)
    assert losses[-1] < losses[0] and sum_acc / len(test_set) > 0.3
