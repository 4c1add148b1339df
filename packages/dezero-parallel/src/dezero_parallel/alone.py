"""Define `Alone`, the world of a program that runs in one process."""

from __future__ import annotations

import os
from typing import Any, TypeVar

import numpy as np

from dezero_core import Variable, as_variable
from dezero_core.errors import INSTALL_HINTS, MissingPackage
from dezero_io import Checkpoint, Checkpointer, DataLoader
from dezero_nn.optimizers import Optimizer

from .supervisor import LAUNCHERS

L = TypeVar("L", bound=DataLoader)
O = TypeVar("O", bound=Optimizer)  # noqa: E741


def require_no_launcher() -> None:
    """Raise an error if a launcher started several processes, because each would train alone.

    Raises:
        MissingPackage: a launcher started several processes.
    """
    for name in LAUNCHERS:
        ranks = os.environ.get(name, "")
        if ranks.isdecimal() and int(ranks) > 1:
            raise MissingPackage(
                f"world: a launcher started {ranks} ranks ({name}), and no engine connects them; "
                f"expected dezero-mpi. {INSTALL_HINTS['dezero-mpi']}"
            )


class Alone:
    """Stand for the ranks of a program that runs in one process, with the methods of `World`.

    The methods take the arguments of those of `World`. Loaders, optimizers and models stay as they
    are, except that `load` loads a checkpoint.

    Attributes:
        rank: the number of this process, always 0.
        size: the number of processes, always 1.
        weight: this process's part of the rows of each batch, always 1.0.
    """

    rank, size, weight = 0, 1, 1.0

    def share(self, loader: L, training: bool = True) -> L:
        """Return the loader unchanged: one process loads all rows of each batch."""
        return loader

    def parallel(
        self,
        optimizer: O,
        bucket_bytes: int = 1 << 20,
        shard: bool = False,
        overlap: bool = False,
    ) -> O:
        """Return the optimizer unchanged: its gradients are those of the whole batch."""
        return optimizer

    def sum(self, *numbers: Any) -> Any:
        """Return the arguments as floats: one float for one argument, else a float64 array (N,)."""
        values = [float(number) for number in numbers]
        return values[0] if len(values) == 1 else np.array(values)

    def mean(self, number: Any) -> float:
        """Return the argument, a number or a Variable with one element, as a float."""
        return float(number)

    def all_sum(self, x: Any) -> Variable:
        """Return the argument as a Variable, because there is only one process to sum over."""
        return as_variable(x)

    def synchronize(self, model: Any) -> None:
        """Leave a model as it is: its batch normalisations see the whole batch."""

    def save(self, checkpointer: Checkpointer, step: int, **parts: Any) -> None:
        """Save a checkpoint of the parts, as `Checkpointer.save` does."""
        checkpointer.save(step, **parts)

    def load(self, checkpointer: Checkpointer, **parts: Any) -> Checkpoint | None:
        """Load the newest checkpoint, as `Checkpointer.load` does."""
        return checkpointer.load(**parts)
