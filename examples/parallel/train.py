"""Train a small network in one process or in several, and continue from the newest checkpoint.

    python train.py                                   # one process
    mpiexec -n 2 python -m dezero_parallel train.py   # two ranks: the same batches and losses

``python train.py FOLDER EPOCHS`` chooses the folder of the checkpoints, and how long to train. If
the job is stopped, start it again with any number of ranks.
"""

import sys

import dezero
import dezero.functions as F
from dezero import Checkpointer, DataLoader
from dezero.datasets import Spiral
from dezero.models import MLP
from dezero.optimizers import Adam


def main(folder: str = "run", epochs: int = 20) -> None:
    """Train until ``epochs`` epochs are complete; rank 0 prints the mean loss of each epoch."""
    world = dezero.world()
    dezero.seed(0)
    model = MLP((30, 3), F.relu)
    batches = world.share(DataLoader(Spiral(), batch_size=30))
    optimizer = world.parallel(Adam().setup(model))

    checkpoints = Checkpointer(folder, keep=2)
    parts = {"model": model, "optimizer": optimizer, "loader": batches}
    last = world.load(checkpoints, **parts)
    for epoch in range(last.step if last else 0, epochs):
        losses = []
        for x, t in batches:
            loss = F.softmax_cross_entropy(model(x), t)
            model.cleargrads()
            loss.backward()
            optimizer.update()
            losses.append(world.mean(loss))
        world.save(checkpoints, epoch + 1, **parts)
        if world.rank == 0:
            print(f"epoch {epoch + 1}: loss {sum(losses) / len(losses):.4f}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:2], *map(int, sys.argv[2:3]))
