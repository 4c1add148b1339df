"""Run the example mnist on the smaller digits: Adam, weight decay, a wide network."""

import numpy as np

import dezero
import dezero.functions as F
from dezero import DataLoader, optimizers
from dezero.models import MLP

ITERATIONS = 5


def main():
    np.random.seed(0)
    train_set, test_set = dezero.datasets.Digits(), dezero.datasets.Digits(train=False)
    train_loader = DataLoader(train_set, 100)
    test_loader = DataLoader(test_set, 100, shuffle=False)
    model = MLP((1000, 1000, 10), activation=F.relu)
    optimizer = optimizers.Adam().setup(model)
    optimizer.add_hook(dezero.optimizers.WeightDecay(1e-4))
    if dezero.cuda.gpu_enable:
        for mover in (train_loader, test_loader, model):
            mover.to_gpu()
    for _ in range(ITERATIONS):
        for x, t in train_loader:
            loss = F.softmax_cross_entropy(model(x), t)
            model.cleargrads()
            loss.backward()
            optimizer.update()
    sum_acc = 0
    with dezero.no_grad():
        for x, t in test_loader:
            sum_acc += float(F.accuracy(model(x), t).data) * len(t)
    assert sum_acc / len(test_set) > 0.9
