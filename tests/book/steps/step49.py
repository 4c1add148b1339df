"""Step 49: read the spiral as a dataset, and define a dataset."""

import math

import numpy as np

import dezero
import dezero.functions as F
from dezero import optimizers
from dezero.models import MLP

ITERATIONS = 60


class BigData(dezero.Dataset):
    """Examples that are read when they are asked for."""

    def __getitem__(self, index):
        return np.full(2, float(index)), index % 3

    def __len__(self):
        return 1000000


def main():
    np.random.seed(0)
    batch_size, hidden_size, lr = 30, 10, 1.0
    train_set = dezero.datasets.Spiral()
    assert train_set[0][0].shape == (2,) and len(train_set) == 300
    assert BigData()[999999][1] == 0
    model = MLP((hidden_size, 3))
    optimizer = optimizers.SGD(lr).setup(model)
    data_size = len(train_set)
    max_iter = math.ceil(data_size / batch_size)
    for _ in range(ITERATIONS):
        index = np.random.permutation(data_size)
        sum_loss = 0
        for i in range(max_iter):
            batch = [train_set[j] for j in index[i * batch_size : (i + 1) * batch_size]]
            batch_x = np.array([example[0] for example in batch])
            batch_t = np.array([example[1] for example in batch])
            loss = F.softmax_cross_entropy(model(batch_x), batch_t)
            model.cleargrads()
            loss.backward()
            optimizer.update()
            sum_loss += float(loss.data) * len(batch_t)
    assert sum_loss / data_size < 0.8
