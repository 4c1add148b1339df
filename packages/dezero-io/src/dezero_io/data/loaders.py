"""A dataset in minibatches: shuffled, or in order side by side."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from operator import index
from typing import Any, ClassVar, Self

import numpy as np

from dezero_core.errors import ArgumentError, WeightsError
from dezero_core.extend import ArrayBackend, generator, get_backend
from dezero_core.hints import require_keywords
from dezero_core.state import accelerator, move, on_device_of

from ..weights.random_state import set_state
from .collation import collate, examples_of, map_arrays
from .datasets.dataset import Dataset
from .epochs import BatchIterator, Epoch
from .host_arrays import host_array, is_table, rows


class DataLoader:
    """Minibatches of a dataset, in a new order each time it is looped over (book step 50).

    Every ``iter(loader)``, and so every ``for``, starts a new pass. It draws its order then, and
    uses the data set and ``batch_size`` of that moment. Loops over one loader may be nested,
    abandoned and run side by side.

    ``next(loader)`` takes batches from a pass of the loader's own. It raises StopIteration after
    the last batch, and the next call starts a new pass. A ``for`` also ends this pass.

    A checkpoint stores the position of one pass: the latest one that is still in use, that is,
    neither finished nor deleted. If no pass is in use, it stores the position at which the last one
    was abandoned, if any. To save another pass, save its iterator instead:
    ``batches = iter(loader); save_checkpoint(path, loader=batches)``.

    Args:
        dataset: a `Dataset`, a NumPy array of rows, or anything with ``len(dataset)`` and
            ``dataset[i]``, such as a list of pairs (example, label). Examples may be tuples,
            lists or dictionaries of parts, arrays, and numbers.
        batch_size: examples per batch, an integer; the last batch may be smaller.
        shuffle: draw a new order for every loop (default).
        gpu: put the batches on the accelerator, as ``to_gpu()`` does.
        generator: what to draw the orders from; DeZero's own (see `dezero_core.seed`) if None.
        collate_fn: converts a list of examples to a batch. If None, examples are stacked part by
            part, and the batch has the type of an example: a tuple for tuples, a dictionary for
            dictionaries, one array for arrays.
        drop_last: leave out a last batch of fewer than ``batch_size`` examples (default False).

    Yields:
        batches: for pairs, (x, t) with ``batch_size`` rows each, in NumPy's dtype of the examples.

    Raises:
        ArgumentError: ``batch_size`` is not an integer of at least 1; ``shuffle``, ``gpu`` or
            ``drop_last`` is not True or False; the data set is empty, or has no length or no
            numbered examples; examples do not stack (raised by the loop).
    """

    _hints: ClassVar[Mapping[str, str]] = {}  # for keywords that the loader does not take

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Make a loader; an unknown keyword is named with a hint before ``__init__`` runs."""
        require_keywords(cls.__name__, cls.__init__, kwargs, None, cls._hints)
        return super().__new__(cls)

    def __init__(
        self,
        dataset: Any,
        batch_size: int,
        shuffle: bool = True,
        gpu: bool = False,
        generator: np.random.Generator | None = None,
        collate_fn: Callable[[list[Any]], Any] | None = None,
        *,
        drop_last: bool = False,
    ) -> None:
        if generator is not None and not isinstance(generator, np.random.Generator):
            raise ArgumentError(
                f"DataLoader: generator is a {type(generator).__name__}; expected a "
                "numpy.random.Generator, such as numpy.random.default_rng(0)"
            )
        self.dataset, self.batch_size = rows(dataset), batch_size
        self.shuffle = flag(type(self).__name__, "shuffle", shuffle)
        self.drop_last = flag(type(self).__name__, "drop_last", drop_last)
        gpu = flag(type(self).__name__, "gpu", gpu)
        self.generator, self.collate_fn = generator, collate_fn
        self.backend: str | None = None
        self.resident: Any = None
        self._resident_source: tuple[Any, ...] = ()
        self._own: BatchIterator | None = None
        self.reset()
        require_dataset(dataset)
        self._require_sizes()
        if gpu:
            self.to_gpu()

    def __init_subclass__(cls) -> None:
        if "__next__" in vars(cls):
            raise ArgumentError(
                f"{cls.__name__}: a subclass of DataLoader cannot define __next__, which loops do "
                "not call; define __iter__, or pass a collate_fn to the loader"
            )

    @property
    def batch_size(self) -> int:
        """The number of examples in a batch; a new value applies from the next loop on."""
        return self._batch_size

    @batch_size.setter
    def batch_size(self, size: int) -> None:
        self._batch_size = positive(type(self).__name__, "batch_size", size)

    @property
    def data_size(self) -> int:
        """The current number of examples in the data set."""
        return len(self.dataset)

    @property
    def max_iter(self) -> int:
        """The number of batches in a loop that begins now."""
        if self.drop_last:
            return self.data_size // self.batch_size
        return math.ceil(self.data_size / self.batch_size)

    @property
    def iteration(self) -> int:
        """The number of batches taken in the pass that a checkpoint stores; 0 without one."""
        epoch = self._current()
        return 0 if epoch is None else epoch.iteration

    @property
    def index(self) -> Any:
        """The order of the pass that a checkpoint stores, int64 (N,); None without one."""
        epoch = self._current()
        return None if epoch is None else epoch.index

    @property
    def gpu(self) -> bool:
        """True if batches go to the accelerator; setting it calls ``to_gpu()`` or ``to_cpu()``."""
        return self.backend is not None and "accelerator" in get_backend(self.backend).capabilities

    @gpu.setter
    def gpu(self, there: bool) -> None:
        if there:
            self.to_gpu()
        else:
            self.to_cpu()

    def __repr__(self) -> str:
        where = "" if self.backend is None else f", on {self.backend!r}"
        return (
            f"{type(self).__name__}({described(self.dataset)}, batch_size={self.batch_size}, "
            f"shuffle={self.shuffle}{where})"
        )

    def __len__(self) -> int:
        return self.max_iter

    def reset(self) -> None:
        """Clear every position: the next loop, and ``next(loader)``, start a new pass."""
        self._in_use: list[Epoch] = []  # those of live iterators, the latest last
        self._left: Epoch | None = None  # the abandoned pass, if none is in use
        self._resumes = False  # whether the next iterator continues ``_left``
        self._own = None

    def __iter__(self) -> BatchIterator:
        """Return a new iterator; the first one after `load_state_dict` continues there."""
        self._own = None
        self._require_sizes()
        if self.resident is not None and not same(self._resident_source, source(self.dataset)):
            self._keep_resident()
        resumed = self._left if self._resumes else None
        epoch = resumed or self._new_epoch()
        self._in_use.append(epoch)
        self._left, self._resumes = None, False
        return BatchIterator(self, epoch)

    def __next__(self) -> Any:
        if self._own is None:
            self._own = iter(self)
        try:
            return next(self._own)
        except StopIteration:
            self._own = None
            raise

    next = __next__

    def _new_epoch(self) -> Epoch:
        """Draw the order of a new pass."""
        draw = self.generator or generator()
        size = self.data_size
        order = draw.permutation(size) if self.shuffle else np.arange(size)
        return Epoch(order, self.batch_size, self.max_iter)

    def _current(self) -> Epoch | None:
        """Return the pass that a checkpoint stores."""
        return self._in_use[-1] if self._in_use else self._left

    def _leave(self, epoch: Epoch) -> None:
        """Record that the iterator of a pass is finished, or was deleted."""
        if epoch in self._in_use:
            self._in_use.remove(epoch)
            if not self._in_use and not epoch.is_over:
                self._left = epoch

    def __getstate__(self) -> dict[str, Any]:
        """Return the state of a copy, which has no iterators yet."""
        epoch = self._current()
        left = None if epoch is None or epoch.is_over else replace(epoch)
        return {**vars(self), "_in_use": [], "_left": left, "_own": None}

    def state_dict(self) -> dict[str, Any]:
        """Return the order and position of a pass, and the generator, for a checkpoint."""
        return self._state(self._current())

    def _state(self, epoch: Epoch | None) -> dict[str, Any]:
        own = None if self.generator is None else dict(self.generator.bit_generator.state)
        if epoch is None:
            size, batch_size = self.data_size, self.batch_size
            place: dict[str, Any] = {"iteration": 0, "index": None}
        else:
            size, batch_size = len(epoch.index), epoch.batch_size
            place = {"iteration": epoch.iteration, "index": epoch.index}
        return {**place, "generator": own, "size": size, "batch_size": batch_size}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Let the next iterator continue with the saved order, at the saved position.

        Raises:
            WeightsError: ``state`` is of a data set of another size, of another type of generator,
                or in the middle of a pass with another ``batch_size``.
        """
        left = self._restored(state)
        self.reset()
        self._left, self._resumes = left, left is not None

    def _restored(self, state: dict[str, Any]) -> Epoch | None:
        """Restore the generator; return the pass in ``state``, or None if there is none."""
        order, iteration = state["index"], int(state["iteration"])
        size = int(state["size"]) if "size" in state else len(order)
        batch_size = int(state.get("batch_size", self.batch_size))  # not in old files
        if size != self.data_size:
            raise WeightsError(
                f"the order is of {size} examples, the data set has {self.data_size}"
            )
        if iteration > 0 and batch_size != self.batch_size:
            raise WeightsError(
                f"the checkpoint is within an epoch of batches of {batch_size}, the loader's "
                f"batch_size is {self.batch_size}; load it with {batch_size} and change it then"
            )
        if iteration < 0 or not (order is None or is_order(order, size)):
            raise WeightsError("the order of the examples is damaged")
        if (state["generator"] is None) != (self.generator is None):
            raise WeightsError("only one of the loaders has a generator of its own")
        if self.generator is not None:
            set_state(self.generator.bit_generator, state["generator"])
        if order is None:
            return None
        return Epoch(order, self.batch_size, self.max_iter, iteration)

    def _require_sizes(self) -> None:
        """Raise `ArgumentError` if there is nothing to loop over."""
        if self.data_size == 0:
            raise ArgumentError(f"{type(self).__name__}: the data set has no examples")
        if self.max_iter == 0:
            raise ArgumentError(
                f"{type(self).__name__}: drop_last leaves no batch of {self.data_size} examples; "
                f"choose a batch_size of at most {self.data_size}"
            )

    def _load(self, indices: Any) -> Any:
        """Return a batch on the device of the loader."""
        if self.resident is not None:
            return self._gathered(indices)
        batch = self._batch(indices)
        if self.backend is None:
            return batch
        backend = get_backend(self.backend)
        return map_arrays(lambda x: move(x, backend), batch)

    def _gathered(self, indices: Any) -> Any:
        """Return a batch of the data set that is stored on the device."""
        assert self.backend is not None
        backend = get_backend(self.backend)
        with on_device_of(self.resident[0]):
            there = move(indices, backend)
            return tuple(
                None if part is None else backend.get_item(part, there) for part in self.resident
            )

    def _indices(self, epoch: Epoch) -> Any:
        """Return the numbers of the next examples."""
        start = epoch.iteration * epoch.batch_size
        return epoch.index[start : start + epoch.batch_size]

    def _batch(self, indices: Any) -> Any:
        """Return a batch of NumPy arrays."""
        if self.collate_fn is not None:
            return self.collate_fn(examples_of(self.dataset, indices))
        if isinstance(self.dataset, Dataset):
            return self.dataset.gather(indices)
        if is_table(self.dataset):
            return host_array("DataLoader", rows(self.dataset)[indices])
        return collate(examples_of(self.dataset, indices), indices)

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
        constant = is_constant(self.dataset) and self.collate_fn is None
        if resident and not constant:
            raise ArgumentError(
                "to_gpu(resident=True): examples must be the same each time: a Dataset of arrays "
                "whose transforms have a method batch, and draw no random numbers"
            )
        if not constant or resident is False:
            return self
        if resident or self._fits(backend):
            self._keep_resident()
        return self

    def _keep_resident(self) -> None:
        """Copy the current data set to the device."""
        assert self.backend is not None
        backend = get_backend(self.backend)
        batch = self.dataset.gather(np.arange(self.data_size))
        self.resident = tuple(None if part is None else move(part, backend) for part in batch)
        self._resident_source = source(self.dataset)

    def _fits(self, backend: ArrayBackend) -> bool:
        """Whether the data set, of which one example is looked at, takes half of what is free."""
        memory = backend.memory()
        if memory is None or self.data_size == 0:
            return False
        each = sum(part.nbytes for part in self.dataset.gather(np.arange(1)) if part is not None)
        return 2 * each * self.data_size <= memory.free + memory.cached


def positive(owner: str, name: str, value: Any) -> int:
    """Return ``value`` as an integer of at least 1, else raise `ArgumentError`."""
    try:
        number = index(value)
    except TypeError:
        number = 0
    if number < 1 or isinstance(value, bool):
        reason = "is below 1" if type(value) is int else "is not an integer of at least 1"
        raise ArgumentError(f"{owner}: {name} {value!r} {reason}")
    return number


def flag(owner: str, name: str, value: Any) -> bool:
    """Return ``value`` as a bool; NumPy's bools, 0 and 1 are accepted."""
    if not isinstance(value, bool | int | np.bool_ | np.integer) or value not in (0, 1):
        raise ArgumentError(
            f"{owner}: {name} is {value!r} ({type(value).__name__}); expected True or False"
        )
    return bool(value)


def require_dataset(dataset: Any) -> None:
    """Raise `ArgumentError` if ``dataset`` has no length or no examples by number."""
    kind = type(dataset).__name__
    wanted = "expected len(dataset) and dataset[0], such as a Dataset, a list or an array"
    try:
        len(dataset)
    except TypeError as error:
        raise ArgumentError(
            f"DataLoader: the data set, of type {kind}, has no length; {wanted} (list(...) "
            "converts an iterable)"
        ) from error
    if not hasattr(type(dataset), "__getitem__"):
        raise ArgumentError(
            f"DataLoader: the data set, of type {kind}, has no examples by number; {wanted}"
        )
    if isinstance(dataset, Mapping) and len(dataset) and 0 not in dataset:
        raise ArgumentError(
            f"DataLoader: a dictionary with keys {', '.join(map(repr, list(dataset)[:3]))} has no "
            f"examples by number; {wanted} (list(zip(x, t)) makes pairs of two arrays)"
        )


def is_order(order: Any, size: int) -> bool:
    """Return whether an array contains every number below ``size`` once."""
    order = np.asarray(order)
    return order.dtype.kind in "iu" and np.array_equal(np.sort(order), np.arange(size))


def described(dataset: Any) -> str:
    """Describe a data set in a few words."""
    kind = type(dataset).__name__
    return repr(dataset) if isinstance(dataset, Dataset) else f"{kind} of {len(dataset)}"


def source(dataset: Any) -> tuple[Any, ...]:
    """Return the objects that determine the examples of a `Dataset` of arrays."""
    return (
        dataset, dataset.data, dataset.label, dataset.transform, dataset.target_transform
    )  # fmt: skip


def same(before: Sequence[Any], now: Sequence[Any]) -> bool:
    """Return whether all objects are identical to those before."""
    return all(a is b for a, b in zip(before, now, strict=True))


def is_constant(dataset: Any) -> bool:
    """Return whether examples are rows of arrays with deterministic transforms."""
    if not isinstance(dataset, Dataset) or type(dataset).__getitem__ is not Dataset.__getitem__:
        return False
    label = dataset.label
    on_device = [x for x in (dataset.data, label) if x is not None]
    if not all(is_table(x) and x.dtype.kind in "biufc" for x in on_device):
        return False
    transforms = [dataset.transform, dataset.target_transform]
    return all(t is None or getattr(t, "constant", False) for t in transforms)


class SeqDataLoader(DataLoader):
    """Batches of sequences, in order (book step 60).

    Row i of the batches walks through the dataset one example at a time, beginning at
    ``i * (N // batch_size)``. Loops and checkpoints are those of `DataLoader`.

    Args:
        dataset: as for `DataLoader`, of N examples.
        batch_size: how many places the dataset is walked through from, at most N.
        gpu: put the batches on the accelerator.
        collate_fn: as for `DataLoader`.

    Yields:
        ceil(N / batch_size) batches with ``batch_size`` rows.

    Raises:
        ArgumentError: as for `DataLoader`, and if ``batch_size`` is above N.
    """

    _hints: ClassVar[Mapping[str, str]] = {
        "drop_last": "every batch has batch_size rows",
        "shuffle": "the examples stay in order",
        "generator": "the examples stay in order",
    }

    def __init__(
        self,
        dataset: Any,
        batch_size: int,
        gpu: bool = False,
        collate_fn: Callable[[list[Any]], Any] | None = None,
    ) -> None:
        super().__init__(dataset, batch_size, shuffle=False, gpu=gpu, collate_fn=collate_fn)

    def _require_sizes(self) -> None:
        super()._require_sizes()
        if self.batch_size > self.data_size:
            raise ArgumentError(
                f"SeqDataLoader: batch_size {self.batch_size} for {self.data_size} examples"
            )

    def _indices(self, epoch: Epoch) -> Any:
        size = len(epoch.index)
        starts = np.arange(epoch.batch_size) * (size // epoch.batch_size)
        return (starts + epoch.iteration) % size
