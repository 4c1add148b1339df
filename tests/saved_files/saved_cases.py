"""Define small models and runs of every type that can be saved, for `write.py` and its test.

Do not change the definitions: files written by earlier versions are loaded into them. Add an entry
for a new type of layer, optimizer or part.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import dezero
from dezero import DataLoader, Parameter
from dezero import functions as F
from dezero import layers as L
from dezero.datasets import Spiral
from dezero.models import CNN, MLP, Sequential
from dezero.optimizers import (
    SGD,
    AdaDelta,
    AdaGrad,
    Adam,
    AdamW,
    CosineDecay,
    MomentumSGD,
    RMSprop,
    StepDecay,
    WarmUp,
)
from dezero_core import Buffer

ROWS = np.linspace(-1, 1, 6, dtype="float32").reshape(2, 3)
STEPS = np.linspace(-1, 1, 12, dtype="float32").reshape(2, 2, 3)
IMAGES = np.linspace(-1, 1, 72, dtype="float32").reshape(2, 1, 6, 6)
IDS = np.array([[0, 2], [1, 1]])


class Images(dezero.Model):
    """Compute a network with every layer for images."""

    def __init__(self) -> None:
        self.conv, self.bn = L.Conv2d(2, 3), L.BatchNorm()
        self.up, self.ln = L.Deconv2d(1, 2, stride=2), L.LayerNorm()
        self.fc = L.Linear(2)

    def forward(self, x: Any) -> Any:
        return self.fc(F.flatten(self.ln(self.up(F.relu(self.bn(self.conv(x)))))))


class Recurrent(dezero.Model):
    """Compute scores from the states of a recurrent layer."""

    def __init__(self, layer: Any) -> None:
        self.rnn, self.fc = layer, L.Linear(2)

    def forward(self, x: Any) -> Any:
        self.rnn.reset_state()
        return self.fc(self.rnn(x))


def tree() -> Any:
    """Return parameters and buffers of several dtypes, in lists and dictionaries."""
    return {
        "half": [Parameter(np.arange(4, dtype="float16") / 8)],
        "double": {"W": Parameter(np.linspace(0, 1, 6).reshape(2, 3))},
        "counts": Buffer(np.arange(3)),
        "one": Parameter(np.array(0.1)),
    }


MODELS: dict[str, tuple[Callable[[], Any], Any]] = {
    "mlp": (lambda: MLP((4, 2)), ROWS),
    "sequential": (lambda: Sequential(L.Linear(3, nobias=True), F.relu, L.Linear(2)), ROWS),
    "cnn": (lambda: CNN(3, (2, 3), 4), IMAGES),
    "images": (Images, IMAGES),
    "lstm": (lambda: Recurrent(L.LSTM(3)), STEPS),
    "gru": (lambda: Recurrent(L.GRU(3)), STEPS),
    "rnn": (lambda: Recurrent(L.RNN(3)), STEPS),
    "embedding": (lambda: Sequential(L.EmbedID(3, 4), L.Linear(2)), IDS),
    "tree": (tree, None),
}
"""A function that creates a model, and an input for it, by name."""

OPTIMIZERS: dict[str, Callable[[], Any]] = {
    "sgd": SGD,
    "momentum": MomentumSGD,
    "adagrad": AdaGrad,
    "rmsprop": RMSprop,
    "adadelta": AdaDelta,
    "adam": Adam,
    "adamw": AdamW,
}


def outputs(model: Any, x: Any) -> Any:
    """Return the output of a model in test mode."""
    with dezero.no_grad(), dezero.test_mode():
        return model(x).data


def optimizer_parts() -> dict[str, Any]:
    """Return a model and an optimizer for each type of optimizer."""
    parts: dict[str, Any] = {}
    for name, make in OPTIMIZERS.items():
        model = MLP((2,), in_size=3)
        parts |= {f"{name}_model": model, name: make().setup(model)}
    return parts


def train_optimizers(parts: dict[str, Any], steps: int) -> list[float]:
    """Run ``steps`` updates with every optimizer; return the losses."""
    losses: list[float] = []
    for name in OPTIMIZERS:
        model = parts[f"{name}_model"]
        for _ in range(steps):
            losses.append(step(model, parts[name], ROWS, np.array([0, 1])))
    return losses


class Net(dezero.Model):
    """Compute a network with random numbers (dropout) and buffers (batch normalisation)."""

    def __init__(self) -> None:
        self.l1, self.bn, self.l2 = L.Linear(4), L.BatchNorm(), L.Linear(3)

    def forward(self, x: Any) -> Any:
        return self.l2(F.dropout(F.relu(self.bn(self.l1(x))), 0.3))


def run_parts() -> dict[str, Any]:
    """Return the parts of a run with schedules, shuffled batches and generators."""
    model = Net()
    adam, decay = Adam().setup(model), MomentumSGD().setup(model)
    return {
        "model": model,
        "optimizer": adam,
        "schedule": WarmUp(adam, 3, then=CosineDecay(adam, 100)),
        "other": StepDecay(decay, 2),
        "loader": DataLoader(Spiral(), 90, generator=np.random.default_rng(3)),
        "shared": DataLoader([(row, 0) for row in ROWS], 1),
        "own": np.random.default_rng(4),
    }


def train_run(parts: dict[str, Any]) -> Iterator[float]:
    """Yield the loss of each step, over endless epochs of four batches."""
    while True:
        for x, t in parts["loader"]:
            x = x + parts["own"].normal(0, 0.01, x.shape).astype("float32")
            loss = step(parts["model"], parts["optimizer"], x, t)
            parts["schedule"].step()
            parts["other"].step()
            yield loss


def step(model: Any, optimizer: Any, x: Any, t: Any) -> float:
    """Update the model once; return the loss before the update."""
    loss = F.softmax_cross_entropy(model(x), t)
    model.cleargrads()
    loss.backward()
    optimizer.update()
    return float(loss.data)


TRAIN = ("train", "--data", "spiral", "--seed", "1", "--batch-size", "100")
"""The command that writes checkpoints, without ``--epochs`` and ``--checkpoint``."""

SMALL = ("mlp", lambda classes: MLP((8, classes), F.relu))
"""A small network in place of the command's, whose checkpoints take 90 KB."""
