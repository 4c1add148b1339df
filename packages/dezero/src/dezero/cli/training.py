"""Train or evaluate a model in one pass over the data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dezero import DataLoader, Model, Variable, no_grad, test_mode
from dezero import functions as F
from dezero.cuda import as_numpy
from dezero.optimizers import Optimizer
from dezero_core.errors import WeightsError
from dezero_nn.layers.training import without_flags
from dezero_parallel import Alone, World

ALONE = Alone()
"""The world of one process."""


@dataclass
class Curves:
    """Store the loss and accuracy of each epoch, and what the run trains, for checkpoints.

    ``loss_sum`` and ``hits`` (the number of correct predictions) are sums over the examples of the
    current epoch. A sequence with a label at each position counts as one example: its hit is the
    part of its labels that are predicted correctly.

    ``model`` and ``data`` describe what the run trains, such as ``"--model mlp"``. They are empty
    in the checkpoints of earlier versions, which may continue with any model and data that fit.
    """

    train_loss: list[float] = field(default_factory=list)
    train_accuracy: list[float] = field(default_factory=list)
    test_loss: list[float] = field(default_factory=list)
    test_accuracy: list[float] = field(default_factory=list)
    loss_sum: float = 0.0
    hits: float = 0.0
    model: str = ""
    data: str = ""

    @property
    def epochs(self) -> int:
        """Return the number of complete epochs."""
        return len(self.test_loss)

    def state_dict(self) -> dict[str, Any]:
        """Return all values to store in a checkpoint."""
        return asdict(self)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the values that ``state_dict`` returned; `stage_state` checks them."""
        self.stage_state(state)()

    def stage_state(self, state: dict[str, Any]) -> Callable[[], None]:
        """Check the values that ``state_dict`` returned; return a function that restores them.

        Raises:
            WeightsError: the values are of a run that trains another model, or on other data.
        """
        values = vars(Curves(**state))
        run = {"model": self.model, "data": self.data}
        for name, own in run.items():
            if values[name] and values[name] != own:
                raise WeightsError(
                    f"the checkpoint is of a run with {values[name]}, and this run has {own}; use "
                    "the --model and --data of that run, or a new folder for --checkpoint"
                )
        return lambda: vars(self).update(values, **run)


def scores_and_labels(model: Model, x: Any, t: Any) -> tuple[Variable, Variable]:
    """Return the scores of a model, shape (N, C), and the labels, shape (N,).

    If an example is a sequence with a label at each position, N is the number of positions of all
    sequences; else, N is the number of examples.
    """
    y = model(x)
    return F.reshape(y, (-1, y.shape[-1])), F.reshape(t, (-1,))


def train_epoch(
    model: Model,
    optimizer: Optimizer,
    batches: DataLoader,
    curves: Curves,
    step_done: Callable[[], None],
    world: World | Alone = ALONE,
) -> None:
    """Train on the remaining batches of an epoch; append its mean loss and accuracy to ``curves``.

    The means are over the examples of all ranks.

    A model in evaluation mode is switched to training mode. If the model is in training mode
    already, its layers keep their modes.
    """
    if not model.training:
        model.train()
    for x, t in batches:
        y, t = scores_and_labels(model, x, t)
        loss = F.softmax_cross_entropy(y, t)
        model.cleargrads()
        loss.backward()
        optimizer.update()
        rows = x.shape[0] if batches.weight else 0  # with weight 0, another rank owns the row
        loss_sum, hits = world.sum(float(loss) * rows, float(F.accuracy(y, t)) * rows)
        curves.loss_sum += loss_sum
        curves.hits += hits
        step_done()
    curves.train_loss.append(curves.loss_sum / batches.data_size)
    curves.train_accuracy.append(curves.hits / batches.data_size)
    curves.loss_sum = curves.hits = 0.0


def evaluate_model(
    model: Model, batches: DataLoader, world: World | Alone = ALONE
) -> tuple[float, float]:
    """Return the mean loss and accuracy of ``model`` without training it.

    Args:
        model: the model.
        batches: a loader; if there are several ranks, it yields this rank's part of the examples.
        world: the ranks, whose sums of losses and hits are added up (default: one process).
    """
    losses = hits = 0.0
    with no_grad(), test_mode(), without_flags():
        for x, t in batches:
            y, t = scores_and_labels(model, x, t)
            losses += float(F.softmax_cross_entropy(y, t)) * x.shape[0]
            hits += float(F.accuracy(y, t)) * x.shape[0]
    losses, hits = world.sum(losses, hits)
    return losses / batches.data_size, hits / batches.data_size


def predictions(model: Model, batches: DataLoader) -> NDArray[np.int64]:
    """Return the predicted class of each example in order, integers (N,)."""
    with no_grad(), test_mode(), without_flags():
        return np.concatenate([as_numpy(F.argmax(model(x), axis=1)) for x, _ in batches])
