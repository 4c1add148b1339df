"""Train networks of the benchmarks on all ranks; rank 0 prints the losses as JSON.

python benchmark.py
mpiexec -n 2 python -m dezero_parallel benchmark.py
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import dezero_core
from dezero_core.functions import reshape
from dezero_io import DataLoader
from dezero_nn import CNN, SGD, AdamW, ClipGrad, softmax_cross_entropy
from dezero_parallel import Alone, World, world

sys.path.append(str(Path(__file__).parents[4] / "benchmarks"))
import transformers

EPOCHS = 2


def gpt() -> tuple[Any, Any, list[Any], int]:
    """Return the benchmarks' GPT with fewer channels, its optimizer, its data and a batch size."""
    sizes = transformers.Sizes(B=40, T=16, C=32, heads=4, blocks=2, V=80)
    model = transformers.dezero_gpt(sizes, 0.0)
    ids, t = transformers.tokens(sizes)
    optimizer = AdamW(3e-4).setup(model)
    optimizer.add_hook(ClipGrad(1.0))
    return model, optimizer, list(zip(ids, t, strict=True)), 12


def cnn() -> tuple[Any, Any, list[Any], int]:
    """Return the benchmarks' CNN without dropout, its optimizer, its data and a batch size."""
    model, draw = CNN(10, dropout_ratio=0.0), np.random.default_rng(0)
    images = draw.random((50, 1, 28, 28), dtype=np.float32)
    data = list(zip(images, draw.integers(0, 10, 50), strict=True))
    return model, SGD(0.01).setup(model), data, 16


def losses(ranks: World | Alone, network: Callable[[], Any]) -> list[float]:
    """Train for two epochs, and return the mean loss of each step over the whole batch."""
    dezero_core.seed(0)
    model, optimizer, data, batch_size = network()
    optimizer = ranks.parallel(optimizer)
    batches = ranks.share(DataLoader(data, batch_size))
    found = []
    for _ in range(EPOCHS):
        for x, t in batches:
            scores = model(x)
            loss = softmax_cross_entropy(reshape(scores, (-1, scores.shape[-1])), t.reshape(-1))
            model.cleargrads()
            loss.backward()
            optimizer.update()
            found.append(ranks.mean(loss))
    return found


def main() -> None:
    ranks = world()
    found = {network.__name__: losses(ranks, network) for network in (gpt, cnn)}
    if ranks.rank == 0:
        print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
