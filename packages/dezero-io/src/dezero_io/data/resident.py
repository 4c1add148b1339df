"""Store a whole dataset on a device, and gather batches on that device."""

from __future__ import annotations

from itertools import accumulate
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dezero_core.extend import ArrayBackend, get_backend
from dezero_core.state import move, on_device_of

from .datasets.dataset import Dataset
from .deferred import DeferredRows, Positions
from .host_arrays import is_table


class ResidentData:
    """Store a transformed copy of a dataset on a device.

    Args:
        dataset: a dataset for which `is_constant` is true.
        name: the name of the backend.
    """

    def __init__(self, dataset: Dataset, name: str) -> None:
        backend = get_backend(name)
        batch = dataset.gather(np.arange(len(dataset)))
        self.parts: tuple[Any, ...] = tuple(
            None if part is None else move(part, backend) for part in batch
        )
        self._name, self._source = name, source_of(dataset)

    def is_copy_of(self, dataset: object) -> bool:
        """Return whether this is a copy of ``dataset`` with its current data and transforms."""
        return isinstance(dataset, Dataset) and all(
            a is b for a, b in zip(self._source, source_of(dataset), strict=True)
        )

    def order(self, batches: list[NDArray[Any]]) -> ResidentOrder:
        """Copy the indices of all batches of a pass to the device."""
        with on_device_of(self.parts[0]):
            indices = move(np.concatenate(batches), get_backend(self._name))
        return ResidentOrder(indices, [0, *accumulate(map(len, batches))])

    def batch(self, positions: Positions) -> tuple[DeferredRows | None, ...]:
        """Return a batch on the device, whose rows are not gathered yet."""
        return tuple(None if part is None else DeferredRows(part, positions) for part in self.parts)


class ResidentOrder(NamedTuple):
    """Store the indices of all batches of a pass on a device.

    Attributes:
        indices: the indices of the examples, one batch after the other.
        starts: the position of the first index of each batch, then the number of indices.
    """

    indices: Any
    starts: list[int]

    def positions(self, iteration: int) -> Positions:
        """Return the positions of one batch."""
        return Positions(self.indices, self.starts[iteration], self.starts[iteration + 1])


def source_of(dataset: Dataset) -> tuple[Any, ...]:
    """Return the objects that determine the examples of a dataset."""
    return (
        dataset, dataset.data, dataset.label, dataset.transform, dataset.target_transform
    )  # fmt: skip


def is_constant(dataset: object) -> bool:
    """Return whether a dataset consists of arrays and its transforms are deterministic."""
    if not isinstance(dataset, Dataset) or type(dataset).__getitem__ is not Dataset.__getitem__:
        return False
    label = dataset.label
    arrays = [x for x in (dataset.data, label) if x is not None]
    if not all(is_table(x) and x.dtype.kind in "biufc" for x in arrays):
        return False
    transforms = [dataset.transform, dataset.target_transform]
    return all(t is None or getattr(t, "constant", False) for t in transforms)


def fits_in_memory(dataset: Dataset, backend: ArrayBackend) -> bool:
    """Return whether a dataset takes at most half of the device's free memory.

    The size of the dataset is estimated from the first example. Half of the memory is left for the
    model; this fraction is not tuned.
    """
    memory = backend.memory()
    if memory is None or len(dataset) == 0:
        return False
    each = sum(part.nbytes for part in dataset.gather(np.arange(1)) if part is not None)
    return 2 * each * len(dataset) <= memory.free + memory.cached
