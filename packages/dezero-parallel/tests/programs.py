"""Define programs that run in one process and on several ranks, and return what must be equal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from dezero_core import seed
from dezero_core.extend import Array, backend_of
from dezero_core.state import named_params
from dezero_io import DataLoader
from dezero_nn import Model
from dezero_nn import functions as F
from dezero_nn import layers as L
from dezero_nn.optimizers import SGD, Adam, Optimizer

RNG = np.random.default_rng(0)
IMAGES, LABELS = RNG.normal(size=(61, 1, 6, 6)), RNG.integers(0, 4, 61)


class MLP(Model):
    """Compute two linear layers in float64."""

    def __init__(self) -> None:
        super().__init__()
        self.l0 = L.Linear(7, in_size=36, dtype="float64")
        self.l1 = L.Linear(4, in_size=7, dtype="float64")

    def forward(self, x: Any) -> Any:
        return self.l1(F.sigmoid(self.l0(x.reshape(len(x), -1))))


class CNN(Model):
    """Compute a convolution and a linear layer in float64."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = L.Conv2d(3, 3, in_channels=1, dtype="float64")
        self.l1 = L.Linear(4, in_size=48, dtype="float64")

    def forward(self, x: Any) -> Any:
        return self.l1(F.relu(self.conv(x)).reshape(len(x), -1))


def made(kind: Callable[[], Model], number: int = 0) -> Model:
    """Return a model whose weights depend on ``number``."""
    seed(number)
    return kind()


MODELS = {"MLP": MLP, "CNN": CNN}
OPTIMIZERS: dict[str, Callable[[], Optimizer]] = {"SGD": lambda: SGD(0.1), "Adam": Adam}


def train(
    world: Any,
    model: Any,
    optimizer: Optimizer,
    steps: int,
    batch_size: int = 12,
    **settings: Any,
) -> tuple[dict[str, Array], list[float]]:
    """Train for some steps; return the weights, and the mean loss of each step."""
    data = list(zip(IMAGES, LABELS, strict=True))
    rng = np.random.default_rng(world.rank)  # rank 0's order counts
    loader = world.share(DataLoader(data, batch_size, generator=rng))
    if backend_of(model.l1.W.data).name == "cuda":
        loader.to_gpu()
    world.parallel(optimizer.setup(model), **settings)
    losses: list[float] = []
    while len(losses) < steps:
        for x, t in loader:
            model.cleargrads()
            loss = F.softmax_cross_entropy(model(x), t)
            loss.backward()
            optimizer.update()
            losses.append(world.mean(loss))
            if len(losses) == steps:
                break
    return weights(model), losses


def weights(model: Model) -> dict[str, Array]:
    """Return copies of the weights."""
    return {key: x.data.copy() for key, x in named_params(model).items()}


def distance(one: dict[str, Array], other: dict[str, Array]) -> float:
    """Return the largest difference of two weights with the same key."""
    assert list(one) == list(other)
    return max(float(abs(one[key] - other[key]).max()) for key in one)
