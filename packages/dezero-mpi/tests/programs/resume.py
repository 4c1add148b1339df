"""Train with checkpoints; print the weights, a random number of each rank and the order as JSON.

The arguments are the folder of the checkpoints, the step at which rank 1 is killed (0: never), and
the rate of dropout. The model normalises its batches over all ranks, and the learning rate follows
a schedule.
"""

import json
import os
import signal
import sys

import numpy as np

from dezero_core import seed
from dezero_core.extend import rank_generator
from dezero_io import Checkpointer, DataLoader
from dezero_nn import Model
from dezero_nn import functions as F
from dezero_nn import layers as L
from dezero_nn.optimizers import Adam, CosineDecay
from dezero_parallel import world

LAST, EVERY = 24, 5


class Network(Model):
    """Two layers with a batch normalisation and dropout; the first input gives their sizes."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.l0, self.norm = L.Linear(8, nobias=True, dtype="float64"), L.BatchNorm(dtype="float64")
        self.l1, self.rate = L.Linear(3, dtype="float64"), rate

    def forward(self, x: object) -> object:
        return self.l1(F.dropout(F.sigmoid(self.norm(self.l0(x))), self.rate))


def main(folder: str, kill_at: int, rate: float) -> None:
    ranks = world()
    seed(0)
    model, numbers = Network(rate), np.arange(35.0)
    rows = np.sin(np.outer(numbers, np.arange(1.0, 5.0)))
    data = list(zip(rows, numbers.astype(int), strict=True))
    batches = ranks.share(DataLoader(data, 8))
    optimizer = ranks.parallel(Adam(0.01).setup(model))
    schedule = CosineDecay(optimizer, LAST)
    ranks.synchronize(model)
    checkpoints = Checkpointer(folder)
    parts = {"model": model, "optimizer": optimizer, "schedule": schedule, "loader": batches}
    last = ranks.load(checkpoints, **parts)
    step, order = last.step if last else 0, []
    while step < LAST:
        for x, label in batches:
            loss = F.softmax_cross_entropy(model(x), label % 3)
            model.cleargrads()
            loss.backward()
            optimizer.update()
            schedule.step()
            step += 1
            order.append(ranks.sum(label.sum() * ranks.weight * len(label) ** -1))
            if step % EVERY == 0:
                ranks.save(checkpoints, step, **parts)
            if step == kill_at and ranks.rank == ranks.size - 1:
                os.kill(os.getpid(), signal.SIGKILL)
            if step == LAST:
                break
    draws = ranks.sum(*[rank_generator().random() if ranks.rank == r else 0.0 for r in range(4)])
    if ranks.rank == 0:
        weights = [x.data.tolist() for x in model.params()]
        buffers = [model.norm.avg_mean.data.tolist(), model.norm.avg_var.data.tolist()]
        print(json.dumps([[weights, buffers], list(draws), order]), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
