"""Split the batches of loaders over the ranks, and find the weight of this rank's rows."""

from __future__ import annotations

import gc
from typing import TypeVar

from dezero_core.errors import ArgumentError, CommunicatorError
from dezero_io import DataLoader

from .meetings import Meetings
from .signatures import require_equal, sample

L = TypeVar("L", bound=DataLoader)


class Shares:
    """Hold the loaders that `World.share` has split for training.

    Args:
        meetings: the ranks.
    """

    def __init__(self, meetings: Meetings) -> None:
        self.meetings = meetings
        self.loaders: list[DataLoader] = []
        self._taken: list[int] = []
        self._latest: list[DataLoader] = []

    def add(self, loader: L, training: bool) -> L:
        """Split a loader over the ranks; return it.

        Raises:
            CommunicatorError: the ranks have different datasets or settings.
            ArgumentError: as for `DataLoader.share`; in training, there are more ranks than rows.
        """
        meetings = self.meetings
        found = {
            "loader": type(loader).__name__,
            "examples": str(loader.data_size),
            "batch_size": str(loader.batch_size),
            "drop_last": str(loader.drop_last),
            "training": str(training),
            "SHA-256 of some examples": sample(loader.dataset),
        }
        advice = "give all ranks the same data and settings"
        require_equal(meetings, "world.share", found, "loader", advice)
        rows = min(loader.batch_size, loader.data_size)
        if training and rows < meetings.size:
            raise ArgumentError(
                f"world.share: {meetings.size} ranks, and {rows} rows in the largest batch of "
                f"{loader!r}; expected a row for each rank; start fewer ranks, or choose a larger "
                "batch_size"
            )

        def order(mine: object) -> object:
            return meetings.broadcast("the order of a loop over a loader", mine)

        meetings.together(
            "world.share",
            lambda: loader.share(
                meetings.rank, meetings.size, order if training else None, training
            ),
        )
        if training:
            self.loaders.append(loader)
            self._taken.append(loader.taken)
        return loader

    @property
    def weight(self) -> float:
        """Return this rank's rows divided by all rows of the batch taken last.

        Without a shared loader, all ranks have the same weight.

        Raises:
            CommunicatorError: the program takes batches from several loaders, whose weights differ.
        """
        if len(self.loaders) < 2:
            return self.loaders[0].weight if self.loaders else 1 / self.meetings.size
        taken = [loader.taken for loader in self.loaders]
        pairs = zip(self.loaders, taken, self._taken, strict=True)
        moved = [loader for loader, new, old in pairs if new != old]
        self._taken, self._latest = taken, moved or self._latest or self.loaders
        weights = {loader.weight for loader in self._latest}
        if len(weights) > 1:
            raise CommunicatorError(
                f"{self.meetings}: the batches of {len(self._latest)} loaders give this rank the "
                f"weights {', '.join(map(str, sorted(weights)))}; expected one weight; give the "
                "loaders the same batch_size and drop_last=True"
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
            found = [repr(x) for x in objects if x._passes.in_use and x._share.size == 1]
        for rank, (host, names) in enumerate(
            self.meetings.gather(place, (self.meetings.host, found))
        ):
            if names:
                raise CommunicatorError(
                    f"{place}: rank {rank} on {host} trains on {names[0]}, which is not shared, so "
                    "each rank computes whole batches; write loader = world.share(loader)"
                )
