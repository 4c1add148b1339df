"""Iterate over a dataset in epochs, each with its own order and position."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

if TYPE_CHECKING:  # loaders.py imports this file
    from .loaders import DataLoader


@dataclass(eq=False)
class Epoch:
    """The order of one pass over a dataset, and the position in it.

    Attributes:
        index: the indices of the examples in the order of the pass, int64 of shape (N,).
        batch_size: the number of examples in a batch.
        max_iter: the number of batches.
        iteration: the number of batches already taken.
    """

    index: NDArray[Any]
    batch_size: int
    max_iter: int
    iteration: int = 0

    @property
    def is_over(self) -> bool:
        """Return whether every batch was taken."""
        return self.iteration >= self.max_iter


class BatchIterator:
    """An iterator over the batches of one epoch, returned by ``iter(loader)``.

    Iterators of one loader are independent. Each can be a part of a checkpoint: its state is the
    state of the loader at the position of this iterator.

    Args:
        loader: the loader of the batches.
        epoch: the order, and the position to begin at.
    """

    def __init__(self, loader: DataLoader, epoch: Epoch) -> None:
        self.loader, self.epoch = loader, epoch

    def __iter__(self) -> BatchIterator:
        return self

    def __len__(self) -> int:
        """Return the number of batches in the whole epoch."""
        return self.epoch.max_iter

    def __next__(self) -> Any:
        epoch = self.epoch
        if epoch.is_over:
            self.loader._leave(epoch)
            raise StopIteration
        indices = self.loader._indices(epoch)
        epoch.iteration += 1
        try:
            return self.loader._load(indices)
        except StopIteration as error:  # it would end the loop without an error
            raise RuntimeError(
                "DataLoader: a transform or collate_fn raised StopIteration"
            ) from error

    def __del__(self) -> None:
        self.loader._leave(self.epoch)

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the loader, at the position of this iterator."""
        return self.loader._state(self.epoch)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue with the order and the position of ``state``.

        Raises:
            WeightsError: as for `DataLoader.load_state_dict`.
        """
        loaded = self.loader._restored(state) or self.loader._new_epoch()
        vars(self.epoch).update(vars(loaded))
