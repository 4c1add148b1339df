"""Iterate over a dataset in epochs, each with its own order, position and random numbers."""

from __future__ import annotations

import copy
import random
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dezero_core.state import require_no_recording

if TYPE_CHECKING:
    from .deferred import Positions
    from .loaders import DataLoader  # loaders.py imports this module
    from .resident import ResidentOrder
    from .workers import Workers


@dataclass(eq=False)
class Epoch:
    """Store the order of one pass over a dataset, and the current position in the order.

    Attributes:
        index: the indices of the examples in the order of the pass, int64 of shape (N,).
        batch_size: the number of examples in a batch.
        max_iter: the number of batches.
        iteration: the number of batches already taken.
        seed: the seed of the random numbers that transforms draw in this pass.
    """

    index: NDArray[Any]
    batch_size: int
    max_iter: int
    iteration: int = 0
    seed: tuple[int, ...] = ()

    @property
    def is_over(self) -> bool:
        """Return whether every batch was taken."""
        return self.iteration >= self.max_iter


class BatchGenerator:
    """Create the random generator of one batch, when the first number is drawn.

    Args:
        seed: the seed of the generator, equal in the main process and in every worker process.
    """

    def __init__(self, seed: tuple[int, ...]) -> None:
        self._seed = seed
        self._generator: np.random.Generator | None = None

    def __call__(self) -> np.random.Generator:
        if self._generator is None:
            self._generator = np.random.default_rng(self._seed)
        return self._generator


def seed_from(generator: np.random.Generator) -> int:
    """Return an integer that depends on the state of a generator, without changing the state."""
    return int(copy.deepcopy(generator.bit_generator).random_raw())


class Passes:
    """Record the passes over one loader; a checkpoint stores the current pass.

    Attributes:
        in_use: the passes of existing iterators, in the order in which the passes started.
        abandoned: the latest pass whose iterator was deleted early, if no pass is in use.
        resumes: True if the next iterator continues ``abandoned``.
        started: the number of passes that were started.
    """

    def __init__(self, abandoned: Epoch | None = None, resumes: bool = False) -> None:
        self.in_use: list[Epoch] = []
        self.abandoned, self.resumes, self.started = abandoned, resumes, 0

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
        copied = Passes(abandoned, self.resumes)
        copied.started = self.started
        return copied


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
        self._workers: Workers | None = None
        self._order: ResidentOrder | None = None
        self._agreed = False

    def __iter__(self) -> BatchIterator:
        return self

    def __len__(self) -> int:
        """Return the number of batches in the whole epoch."""
        return self.epoch.max_iter

    def __next__(self) -> Any:
        require_no_recording(
            "taking a batch of a DataLoader", "take it before the step, and pass it as an argument"
        )
        epoch, loader = self.epoch, self.loader
        if not self._agreed:
            loader._share.agree(epoch, loader.data_size)
            self._agreed = True
        if epoch.is_over:
            self._leave()
            raise StopIteration
        iteration = epoch.iteration
        epoch.iteration += 1
        loader._taken += 1
        if loader._share.size > 1:
            loader._weight = loader._weight_of(epoch, iteration)
        try:
            return loader._load(epoch, iteration, self._in_workers, self._positions)
        except StopIteration as error:  # uncaught, StopIteration would end the loop
            raise RuntimeError(
                "DataLoader: a transform or collate_fn raised StopIteration"
            ) from error

    def _positions(self, iteration: int) -> Positions:
        """Return the positions of a batch; copy the order of the pass to the device once."""
        if self._order is None:
            loader = self.loader
            assert loader.resident is not None
            batches = [loader._indices(self.epoch, i) for i in range(self.epoch.max_iter)]
            self._order = loader.resident.order(batches)
        return self._order.positions(iteration)

    def _in_workers(self, iteration: int) -> Any:
        """Return a batch that a worker process loads; start the processes if none are running."""
        if self._workers is None:
            from .workers import Workers  # imports multiprocessing, which programs rarely need

            loader, epoch = self.loader, self.epoch
            self._workers = Workers(
                lambda i: load_in_worker(loader, epoch, i),
                lambda i: loader._indices(epoch, i),
                range(iteration, epoch.max_iter),
                loader.num_workers,
            )
        try:
            return self._workers.take()
        except BaseException:  # after an interrupt too, the next batch comes from new processes
            self._stop_workers()
            raise

    def _stop_workers(self) -> None:
        if self._workers is not None:
            self._workers.stop()
            self._workers = None

    def _leave(self) -> None:
        self._stop_workers()
        self.loader._passes.leave(self.epoch)

    def __del__(self) -> None:
        if hasattr(self, "_workers"):
            self._leave()

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the loader, at the position of this iterator."""
        return self.loader._state(self.epoch)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue with the order and the position of ``state``.

        Raises:
            WeightsError: as for `DataLoader.load_state_dict`.
        """
        self._stop_workers()
        self._order, self._agreed = None, False
        loaded = self.loader._restored(state) or self.loader._new_epoch()
        vars(self.epoch).update(vars(loaded))


def load_in_worker(loader: DataLoader, epoch: Epoch, iteration: int) -> Any:
    """Load a batch in a worker, after seeding the global generators of Python and NumPy.

    Forked processes would otherwise draw the same numbers as each other in every pass.
    """
    seed = np.random.SeedSequence(loader._seed(epoch, iteration))
    np.random.seed(seed.generate_state(4))  # noqa: NPY002 (it is the global one that programs use)
    random.seed(int(seed.generate_state(1)[0]))
    return loader._host_batch(epoch, iteration)
