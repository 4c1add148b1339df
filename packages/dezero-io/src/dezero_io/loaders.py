"""A dataset in minibatches: shuffled, or in order side by side."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from dezero_core.errors import ArgumentError, WeightsError
from dezero_core.extend import (
    ArrayBackend,
    accelerator,
    generator,
    get_backend,
    move,
    on_device_of,
)

from .datasets.dataset import Dataset, stacked
from .generators import set_state


class DataLoader:
    """Minibatches of a dataset, in a new order each time it is looped over (book step 50).

    Args:
        dataset: a `Dataset`, or any sequence of pairs (example, label).
        batch_size: examples a batch; the last one may be smaller.
        shuffle: draw a new order for every loop (default).
        gpu: put the batches on the accelerator, as ``to_gpu()`` does.
        generator: what to draw the orders from; DeZero's own (see `dezero_core.seed`) if None.

    Yields:
        pairs (x, t) of arrays with ``batch_size`` rows.

    Raises:
        ArgumentError: ``batch_size`` is below 1.
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int,
        shuffle: bool = True,
        gpu: bool = False,
        generator: np.random.Generator | None = None,
    ) -> None:
        if batch_size < 1:
            raise ArgumentError(f"DataLoader: batch_size {batch_size} is below 1")
        self.dataset, self.batch_size, self.shuffle = dataset, batch_size, shuffle
        self.data_size = len(dataset)
        self.max_iter = math.ceil(self.data_size / batch_size)
        self.generator = generator
        self.backend: str | None = None
        self.resident: tuple[Any, Any] | None = None
        if gpu:
            self.to_gpu()
        self.reset()

    def reset(self) -> None:
        """Go back to the first batch, of a new order if ``shuffle``."""
        self.iteration = 0
        self._goes_on = False
        if self.shuffle:
            self.index = (self.generator or generator()).permutation(self.data_size)
        else:
            self.index = np.arange(self.data_size)

    def __len__(self) -> int:
        return self.max_iter

    def __iter__(self) -> DataLoader:
        """Every loop begins anew, also after one that was left in the middle.

        Not the first one after `load_state_dict`: it goes on where the other was.
        """
        if self.iteration > 0 and not self._goes_on:
            self.reset()
        self._goes_on = False
        return self

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint must hold: the order, the place in it, and an own generator's state."""
        own = None if self.generator is None else dict(self.generator.bit_generator.state)
        return {"iteration": self.iteration, "index": self.index, "generator": own}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on in the order, and at the place, that ``state_dict`` saw.

        Raises:
            WeightsError: it is of a data set of another size, or of another kind of generator.
        """
        if len(state["index"]) != self.data_size:
            raise WeightsError(
                f"the order is of {len(state['index'])} examples, the data set has {self.data_size}"
            )
        if (state["generator"] is None) != (self.generator is None):
            raise WeightsError("only one of the loaders has a generator of its own")
        if self.generator is not None:
            set_state(self.generator.bit_generator, state["generator"])
        self.iteration, self.index = int(state["iteration"]), state["index"]
        self._goes_on = True

    def __next__(self) -> tuple[Any, Any]:
        if self.iteration >= self.max_iter:
            self.reset()
            raise StopIteration
        indices = self._indices()
        self.iteration += 1
        if self.resident is not None:
            return self._gathered(indices)
        x, t = self._batch(indices)
        if self.backend is not None:
            backend = get_backend(self.backend)
            x, t = move(x, backend), None if t is None else move(t, backend)
        return x, t

    def _gathered(self, indices: Any) -> tuple[Any, Any]:
        """A batch of the data set that is kept on the device."""
        assert self.resident is not None and self.backend is not None
        backend = get_backend(self.backend)
        x, t = self.resident
        with on_device_of(x):
            there = move(indices, backend)
            return backend.get_item(x, there), None if t is None else backend.get_item(t, there)

    next = __next__

    def _indices(self) -> Any:
        """The numbers of the examples that come next."""
        start = self.iteration * self.batch_size
        return self.index[start : start + self.batch_size]

    def _batch(self, indices: Any) -> tuple[Any, Any]:
        if hasattr(self.dataset, "batch"):
            x, t = self.dataset.batch(indices)
            return x, t
        return stacked([self.dataset[int(i)] for i in indices])

    def to(self, name: str) -> DataLoader:
        """Yield batches on backend ``name``; returns self."""
        get_backend(name)
        self.backend, self.resident = name, None
        return self

    def to_cpu(self) -> DataLoader:
        """Yield batches on the host; returns self."""
        self.backend, self.resident = None, None
        return self

    def to_gpu(self, resident: bool | None = None) -> DataLoader:
        """Yield batches on the registered accelerator; returns self.

        Args:
            resident: copy the whole data set there once, transformed, and gather the batches
                there; by default if it takes at most half of the free memory. Not where a
                transform may give something else each time: every batch is copied then.

        Raises:
            ArgumentError: ``resident`` is asked for, and examples are not the same each time.
            MissingPackage, DeviceError: there is no accelerator.
        """
        backend = accelerator()
        self.to(backend.name)
        constant = is_constant(self.dataset)
        if resident and not constant:
            raise ArgumentError(
                "to_gpu(resident=True): examples must be the same each time: a Dataset of arrays "
                "whose transforms have a method batch, and draw no random numbers"
            )
        if not constant or resident is False:
            return self
        if resident or self._fits(backend):
            x, t = self.dataset.batch(np.arange(self.data_size))
            self.resident = move(x, backend), None if t is None else move(t, backend)
        return self

    def _fits(self, backend: ArrayBackend) -> bool:
        """Whether the data set, of which one example is looked at, takes half of what is free."""
        memory = backend.memory()
        if memory is None or self.data_size == 0:
            return False
        each = sum(part.nbytes for part in self.dataset.batch(np.arange(1)) if part is not None)
        return 2 * each * self.data_size <= memory.free + memory.cached


def is_constant(dataset: Any) -> bool:
    """Whether examples are rows of an array that are transformed the same way each time."""
    rows = isinstance(getattr(dataset, "data", None), np.ndarray) and hasattr(dataset, "batch")
    own = type(dataset).__getitem__ is not Dataset.__getitem__ if rows else True
    transforms = [getattr(dataset, name, None) for name in ("transform", "target_transform")]
    return not own and all(t is None or getattr(t, "constant", False) for t in transforms)


class SeqDataLoader(DataLoader):
    """Batches of sequences, in order (book step 60).

    Row i of the batches walks through the dataset one example at a time, beginning at
    ``i * (N // batch_size)``.

    Args:
        dataset: a `Dataset`, or any sequence of pairs (example, label), N of them.
        batch_size: how many places the dataset is walked through from, at most N.
        gpu: put the batches on the accelerator.

    Yields:
        pairs (x, t) of arrays with ``batch_size`` rows, ceil(N / batch_size) times.

    Raises:
        ArgumentError: ``batch_size`` is below 1 or above N.
    """

    def __init__(self, dataset: Any, batch_size: int, gpu: bool = False) -> None:
        super().__init__(dataset, batch_size, shuffle=False, gpu=gpu)
        if batch_size > self.data_size:
            raise ArgumentError(
                f"SeqDataLoader: batch_size {batch_size} for {self.data_size} examples"
            )

    def _indices(self) -> Any:
        starts = np.arange(self.batch_size) * (self.data_size // self.batch_size)
        return (starts + self.iteration) % self.data_size
