"""Split the batches of a loader over the processes of a parallel run, which are called ranks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from dezero_core.errors import ArgumentError

from .epochs import Epoch

Broadcast = Callable[[Any], Any]
"""A function that returns the argument of rank 0 on every rank; all ranks call it together."""


@dataclass(frozen=True)
class Share:
    """Describe which rows one rank loads; by default, one process loads all of them.

    Attributes:
        rank: the number of this rank, from 0 to ``size - 1``.
        size: the number of ranks.
        broadcast: a function that returns the argument of rank 0 on every rank, or None.
        training: True if every batch is split, False if the dataset is split.
    """

    rank: int = 0
    size: int = 1
    broadcast: Broadcast | None = None
    training: bool = True

    def part(self, count: int) -> slice:
        """Return this rank's chunk of ``count`` rows; chunk lengths differ by at most one row."""
        return slice(count * self.rank // self.size, count * (self.rank + 1) // self.size)

    def length(self, count: int) -> int:
        """Return the number of rows in this rank's chunk of ``count`` rows."""
        chunk = self.part(count)
        return chunk.stop - chunk.start

    def of_dataset(self, order: NDArray[Any]) -> NDArray[Any]:
        """Return the indices of this rank's loops: in training all, in evaluation its chunk."""
        return order if self.training else order[self.part(len(order))]

    def batch_size(self, whole: int) -> int:
        """Return the batch size of this rank's loops; ``whole`` is that of all ranks together."""
        return whole if self.training else -(-whole // self.size)

    def of_batch(self, indices: NDArray[Any]) -> NDArray[Any]:
        """Return the indices that this rank loads of a training batch, at least one."""
        return indices[self.part(len(indices))] if self.length(len(indices)) else indices[:1]

    def seed(self) -> tuple[int, ...]:
        """Return the part of a seed that differs between ranks; it is empty for rank 0."""
        return (self.rank,) if self.rank else ()

    def agree(self, epoch: Epoch, examples: int) -> None:
        """Replace the order, position and seed of a pass by those of rank 0.

        Raises:
            ArgumentError: the datasets or the batch sizes of this rank and rank 0 differ.
        """
        if self.broadcast is None:
            return
        here = examples, epoch.batch_size, epoch.max_iter
        there, epoch.index, epoch.iteration, epoch.seed = self.broadcast(
            (here, epoch.index, epoch.iteration, epoch.seed)
        )
        if here != there:
            said = "{} examples, batch_size {}, {} batches in a loop"
            raise ArgumentError(
                f"DataLoader: rank {self.rank} has {said.format(*here)}; rank 0 has "
                f"{said.format(*there)}; give all ranks the same dataset and settings"
            )
