"""Iterate over a dataset in epochs, each with its own order and position."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

if TYPE_CHECKING:  # avoid an import cycle: loaders.py imports this module
    from .loaders import DataLoader


@dataclass(eq=False)
class Epoch:
    """Store the order of one pass over a dataset, and the current position in the order.

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


class Passes:
    """Record the passes over one loader; a checkpoint stores the current pass.

    Attributes:
        in_use: the passes of existing iterators, in the order in which the passes started.
        abandoned: the latest pass whose iterator was deleted early, if no pass is in use.
        resumes: True if the next iterator continues ``abandoned``.
    """

    def __init__(self, abandoned: Epoch | None = None, resumes: bool = False) -> None:
        self.in_use: list[Epoch] = []
        self.abandoned, self.resumes = abandoned, resumes

    @property
    def current(self) -> Epoch | None:
        """Return the pass that a checkpoint stores, or None."""
        return self.in_use[-1] if self.in_use else self.abandoned

    @property
    def to_continue(self) -> Epoch | None:
        """Return the pass that the next iterator continues, or None if a new pass starts."""
        return self.abandoned if self.resumes else None

    def start(self, epoch: Epoch) -> None:
        """Record a new iterator of a pass."""
        self.in_use.append(epoch)
        self.abandoned, self.resumes = None, False

    def leave(self, epoch: Epoch) -> None:
        """Record that the iterator of a pass is finished, or was deleted."""
        if epoch in self.in_use:
            self.in_use.remove(epoch)
            if not self.in_use and not epoch.is_over:
                self.abandoned = epoch

    def resume(self, epoch: Epoch | None) -> None:
        """Let the next iterator continue a pass that was loaded from a checkpoint."""
        self.abandoned, self.resumes = epoch, epoch is not None

    def copy(self) -> Passes:
        """Return a copy with the same position but without iterators, for a copied loader."""
        epoch = self.current
        abandoned = None if epoch is None or epoch.is_over else replace(epoch)
        return Passes(abandoned, self.resumes)


class BatchIterator:
    """Iterate over the batches of one epoch; ``iter(loader)`` returns this iterator.

    The iterators of a loader are independent. Each iterator can be saved in a checkpoint: the state
    of an iterator is the loader's state at the iterator's position.

    Args:
        loader: the loader of the batches.
        epoch: the order of the examples, and the position at which to begin.
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
            self.loader._passes.leave(epoch)
            raise StopIteration
        indices = self.loader._indices(epoch)
        epoch.iteration += 1
        try:
            return self.loader._load(indices)
        except StopIteration as error:  # uncaught, StopIteration would end the loop
            raise RuntimeError(
                "DataLoader: a transform or collate_fn raised StopIteration"
            ) from error

    def __del__(self) -> None:
        self.loader._passes.leave(self.epoch)

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
