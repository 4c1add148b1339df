"""One pass over the data, with or without learning."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dezero import DataLoader, Model, no_grad, test_mode
from dezero import functions as F
from dezero.cuda import as_numpy
from dezero.optimizers import Optimizer


@dataclass
class Curves:
    """Loss and accuracy after each epoch, on both parts of the data."""

    train_loss: list[float] = field(default_factory=list)
    train_accuracy: list[float] = field(default_factory=list)
    test_loss: list[float] = field(default_factory=list)
    test_accuracy: list[float] = field(default_factory=list)


def train_epoch(
    model: Model, optimizer: Optimizer, batches: DataLoader, step_done: Callable[[], None]
) -> tuple[float, float]:
    """Update ``model`` on every batch; returns the mean loss and accuracy on the way."""
    losses = hits = 0.0
    for x, t in batches:
        y = model(x)
        loss = F.softmax_cross_entropy(y, t)
        model.cleargrads()
        loss.backward()
        optimizer.update()
        losses += float(loss) * len(y)
        hits += float(F.accuracy(y, t)) * len(y)
        step_done()
    return losses / batches.data_size, hits / batches.data_size


def evaluate_model(model: Model, batches: DataLoader) -> tuple[float, float]:
    """Mean loss and accuracy of ``model``, which learns nothing from it."""
    losses = hits = 0.0
    with no_grad(), test_mode():
        for x, t in batches:
            y = model(x)
            losses += float(F.softmax_cross_entropy(y, t)) * len(y)
            hits += float(F.accuracy(y, t)) * len(y)
    return losses / batches.data_size, hits / batches.data_size


def predictions(model: Model, batches: DataLoader) -> Any:
    """The class of each example in order, as the model sees it: a host array (N,)."""
    with no_grad(), test_mode():
        return np.concatenate([as_numpy(F.argmax(model(x), axis=1)) for x, _ in batches])
