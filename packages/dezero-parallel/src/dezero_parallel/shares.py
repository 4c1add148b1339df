"""Split the batches of loaders over the ranks, and find the weight of this rank's rows."""

from __future__ import annotations

import gc
from typing import TypeVar

from dezero_core.errors import ArgumentError, CommunicatorError
from dezero_io import DataLoader

from .collectives import Collectives
from .signatures import describe_dataset, describe_value, require_equal

L = TypeVar("L", bound=DataLoader)


class Shares:
    """Hold the loaders that `World.share` has split for training.

    Args:
        collectives: the calls that all ranks make together.
    """

    def __init__(self, collectives: Collectives) -> None:
        self.collectives = collectives
        self.loaders: list[DataLoader] = []
        self._taken: list[int] = []
        self._latest: list[DataLoader] = []

    def add(self, loader: L, training: bool) -> L:
        """Split a loader over the ranks; return it.

        Raises:
            CommunicatorError: the ranks have different datasets or settings.
            ArgumentError: as for `DataLoader.share`; in training, there are more ranks than rows.
        """
        collectives = self.collectives
        found = {
            "loader": type(loader).__name__,
            "examples": str(loader.data_size),
            "batch_size": str(loader.batch_size),
            "drop_last": str(loader.drop_last),
            "training": str(training),
            "SHA-256 of some examples": describe_dataset(loader.dataset),
        }
        advice = "give all ranks the same data and settings"
        require_equal(collectives, "world.share", found, "loader", advice)
        rows = min(loader.batch_size, loader.data_size)
        if training and rows < collectives.size:
            raise ArgumentError(
                f"world.share: {collectives.size} ranks, and {rows} rows in the largest batch of "
                f"{loader!r}; expected a row for each rank; start fewer ranks, or choose a larger "
                "batch_size"
            )

        collectives.run_together(
            "world.share",
            lambda: loader.share(
                collectives.rank, collectives.size, self._of_rank_0 if training else None, training
            ),
        )
        if training:
            self.loaders.append(loader)
            self._taken.append(loader.taken)
        return loader

    def _of_rank_0(self, value: object) -> object:
        """Return rank 0's value, such as the order of a loop; send it only if a rank's differs."""
        place = "the order of a loop over a loader"
        if len(set(self.collectives.gather(place, describe_value(value)))) == 1:
            return value
        return self.collectives.broadcast(place, value)

    @property
    def weight(self) -> float:
        """Return this rank's rows divided by all rows of the batch taken last.

        Without a shared loader, all ranks have the same weight.

        Raises:
            CommunicatorError: the program takes batches from several loaders, whose weights differ.
        """
        if len(self.loaders) < 2:
            return self.loaders[0].weight if self.loaders else 1 / self.collectives.size
        taken = [loader.taken for loader in self.loaders]
        pairs = zip(self.loaders, taken, self._taken, strict=True)
        moved = [loader for loader, new, old in pairs if new != old]
        self._taken, self._latest = taken, moved or self._latest or self.loaders
        weights = {loader.weight for loader in self._latest}
        if len(weights) > 1:
            raise CommunicatorError(
                f"{self.collectives}: the batches of {len(self._latest)} loaders give this rank "
                f"the weights {', '.join(map(str, sorted(weights)))}; expected one weight; give "
                "the loaders the same batch_size and drop_last=True"
            )
        return weights.pop()

    def require_shared(self, place: str) -> None:
        """Check that no loop runs over a loader that is not shared, if no loader is shared.

        Raises:
            CommunicatorError: a loop over a loader is in progress, and no loader is shared.
        """
        found = []
        if not self.loaders:
            objects = [x for x in gc.get_objects() if isinstance(x, DataLoader)]
            found = [repr(x) for x in objects if x.is_in_loop and x.ranks == 1]
        for rank, (host, names) in enumerate(
            self.collectives.gather(place, (self.collectives.host, found))
        ):
            if names:
                raise CommunicatorError(
                    f"{place}: rank {rank} on {host} trains on {names[0]}, which is not shared, so "
                    "each rank computes whole batches; write loader = world.share(loader)"
                )
