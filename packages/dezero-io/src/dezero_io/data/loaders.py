"""Load batches of a dataset, shuffled or as parallel sequences."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from dezero_core.errors import ArgumentError
from dezero_core.extend import generator, get_backend
from dezero_core.hints import hinted
from dezero_core.state import accelerator, drawing_from, move, require_no_recording

from .collation import collate, examples_of, map_arrays
from .datasets.dataset import Dataset
from .datasets.parts import DatasetPart
from .deferred import Positions
from .epochs import BatchGenerator, BatchIterator, Epoch, Passes, seed_from
from .host_arrays import host_array, is_table, rows
from .loader_arguments import (
    Sampler,
    as_bool,
    integer,
    order_of,
    require_dataset,
    require_evaluation,
    require_fork,
    require_function,
    require_generator,
    require_sampler,
)
from .loader_state import restore_generator, state_of
from .resident import ResidentData, fits_in_memory, is_constant
from .share import Broadcast, Share


class DataLoader:
    """Yield the batches of a dataset, in a new order for every loop (book step 50).

    Every ``iter(loader)``, and so every ``for`` loop, starts a new pass. The order of the examples
    is drawn when the pass starts, for the current size of the dataset and the current
    ``batch_size``. Loops over one loader may be nested, abandoned or interleaved.

    ``next(loader)`` takes batches from one pass that the loader stores. After the last batch,
    ``next(loader)`` raises StopIteration, and the next call starts a new pass. A ``for`` loop over
    the loader also ends the pass of ``next(loader)``.

    A checkpoint stores the position of one pass: the latest pass whose iterator is neither finished
    nor deleted. If there is no such pass, the checkpoint stores the position at which the last pass
    was abandoned, if any. To save a different pass, save the iterator of that pass instead:
    ``batches = iter(loader); save_checkpoint(path, loader=batches)``.

    Args:
        dataset: a `Dataset`, a NumPy array of rows, or anything with ``len(dataset)`` and
            ``dataset[i]``, such as a list of pairs (example, label). An example is an array, a
            number, or a tuple, list or dictionary of these.
        batch_size: the number of examples per batch; the last batch may be smaller.
        shuffle: draw a new order for every loop (default, unless there is a ``sampler``).
        gpu: copy the batches to the accelerator, as ``to_gpu()`` does (default False).
        generator: the random generator for the orders; if None, DeZero's (see `dezero_core.seed`).
        collate_fn: converts a list of examples to a batch. If None, examples are stacked part by
            part, and the batch has the type of an example: a tuple for tuples, a dictionary for
            dictionaries, one array for arrays.
        drop_last: omit the last batch if it has fewer than ``batch_size`` examples (default False).
        num_workers: the number of processes that load batches while the program computes; 0
            (default) loads in the calling thread. The processes are forked when a loop begins, and
            return arrays through shared memory. The order of the examples, and the random numbers
            that transforms draw from DeZero's generator, are the same for any number of workers.
            Each worker has its own copy of the dataset: changes to it end with the loop.
        sampler: the order of the examples, instead of ``shuffle``: a sequence of indices, or an
            object with ``__len__`` whose ``__iter__`` yields the indices of one pass, such as
            `WeightedRandomSampler`. An index may occur several times or never.

    Yields:
        batches. If the examples are pairs, each batch is a pair (x, t) of arrays with
        ``batch_size`` rows and the dtype of the examples.

    Raises:
        ArgumentError: ``batch_size`` is not an integer of at least 1; ``num_workers`` is negative,
            or above 0 on a platform without fork; ``shuffle``, ``gpu`` or ``drop_last`` is not True
            or False; the dataset is empty, or has no length or no examples at integer indices;
            ``sampler`` has no length, or yields an index outside the dataset (raised in the loop);
            examples cannot be stacked (raised in the loop).
        RuntimeError: a worker process was killed (raised in the loop).

    An error in a worker process is raised in the loop, with the worker's traceback as a note.
    """

    _hints: ClassVar[dict[str, str]] = {
        "batch_sampler": "a sampler yields single indices: pass sampler and batch_size",
        "persistent_workers": "each loop starts its workers by fork, which takes milliseconds",
        "pin_memory": "gpu=True copies the batches to the accelerator",
        "prefetch_factor": "each worker loads two batches in advance",
        "timeout": "a worker that was killed ends the loop with an error",
        "worker_init_fn": "transforms draw the same numbers for any number of workers",
    }
    """A dictionary from keywords of PyTorch's loader to hints."""

    @hinted
    def __init__(
        self,
        dataset: Any,
        batch_size: int,
        shuffle: bool | None = None,
        gpu: bool = False,
        generator: np.random.Generator | None = None,
        collate_fn: Callable[[list[Any]], Any] | None = None,
        *,
        drop_last: bool = False,
        num_workers: int = 0,
        sampler: Sampler | None = None,
    ) -> None:
        require_generator("DataLoader", generator)
        require_function("DataLoader", "collate_fn", collate_fn)
        self.dataset, self.batch_size = rows(dataset), batch_size
        shuffle = sampler is None if shuffle is None else shuffle
        self.shuffle = as_bool(type(self).__name__, "shuffle", shuffle)
        self.sampler = require_sampler(sampler, self.shuffle)
        self.num_workers = num_workers
        self._share, self._weight, self._taken = Share(), 1.0, 0
        self.drop_last = as_bool(type(self).__name__, "drop_last", drop_last)
        gpu = as_bool(type(self).__name__, "gpu", gpu)
        self.generator, self.collate_fn = generator, collate_fn
        self.backend: str | None = None
        self.resident: ResidentData | None = None
        self.deferred = False
        self._next_batches: BatchIterator | None = None
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
        """Return the number of examples in a batch; a new value applies from the next loop on."""
        return self._batch_size

    @batch_size.setter
    def batch_size(self, size: int) -> None:
        self._batch_size = integer(type(self).__name__, "batch_size", size, least=1)

    @property
    def num_workers(self) -> int:
        """Return the number of worker processes; a new value applies from the next loop on."""
        return self._num_workers

    @num_workers.setter
    def num_workers(self, count: int) -> None:
        self._num_workers = integer(type(self).__name__, "num_workers", count, least=0)
        require_fork(type(self).__name__, self._num_workers)

    @property
    def data_size(self) -> int:
        """Return the current number of examples in the dataset."""
        return len(self.dataset)

    @property
    def max_iter(self) -> int:
        """Return the number of batches in a loop that begins now."""
        size = self.data_size if self.sampler is None else len(self.sampler)
        size = size if self._share.training else self._share.length(size)
        batch_size = self._share.batch_size(self.batch_size)
        return size // batch_size if self.drop_last else math.ceil(size / batch_size)

    @property
    def iteration(self) -> int:
        """Return the number of batches taken in the pass that a checkpoint stores, or 0."""
        epoch = self._passes.current
        return 0 if epoch is None else epoch.iteration

    @property
    def index(self) -> NDArray[Any] | None:
        """Return the order of the pass that a checkpoint stores, int64 (N,), or None."""
        epoch = self._passes.current
        return None if epoch is None else epoch.index

    @property
    def is_in_loop(self) -> bool:
        """Return whether an iterator of the loader is neither finished nor deleted."""
        return bool(self._passes.in_use)

    @property
    def ranks(self) -> int:
        """Return the number of processes that `share` splits the batches over, or 1."""
        return self._share.size

    @property
    def taken(self) -> int:
        """Return the number of batches taken from the loader, in all loops since its creation."""
        return self._taken

    @property
    def weight(self) -> float:
        """Return this rank's rows divided by all rows of the batch taken last; see `share`.

        The weight is 1.0 if the loader is not shared, or if it splits the dataset for evaluation. A
        captured step cannot read the weight, because its graph would contain that of one batch.
        """
        require_no_recording(
            "reading DataLoader.weight", "read it before the step, and pass it as an argument"
        )
        return self._weight

    @property
    def gpu(self) -> bool:
        """Return whether batches are copied to the accelerator; can be set to True or False."""
        return self.backend is not None and "accelerator" in get_backend(self.backend).capabilities

    @gpu.setter
    def gpu(self, on_accelerator: bool) -> None:
        if on_accelerator:
            self.to_gpu()
        else:
            self.to_cpu()

    def __repr__(self) -> str:
        where = "" if self.backend is None else f", on {self.backend!r}"
        if self._share.size > 1:
            where += f", rank {self._share.rank} of {self._share.size}"
        return (
            f"{type(self).__name__}({describe(self.dataset)}, batch_size={self.batch_size}, "
            f"shuffle={self.shuffle}{where})"
        )

    def __len__(self) -> int:
        return self.max_iter

    def reset(self) -> None:
        """Forget the positions of all passes: the next loop or ``next`` starts a new pass."""
        self._passes, self._next_batches = Passes(), None

    def __iter__(self) -> BatchIterator:
        """Return a new iterator; the first one after `load_state_dict` continues the saved pass."""
        self._next_batches = None
        self._require_sizes()
        if self.resident is not None and not self.resident.is_copy_of(self.dataset):
            self._copy_dataset()
        epoch = self._passes.to_continue or self._new_epoch()
        self._passes.start(epoch)
        return BatchIterator(self, epoch)

    def __next__(self) -> Any:
        if self._next_batches is None:
            self._next_batches = iter(self)
        try:
            return next(self._next_batches)
        except StopIteration:
            self._next_batches = None
            raise

    next = __next__

    def _new_epoch(self) -> Epoch:
        """Draw the order of a new pass."""
        rng = self.generator or generator()
        size = self.data_size
        if self.sampler is not None:
            with drawing_from(lambda: rng):
                order = self._share.of_dataset(order_of(self.sampler, size))
        else:
            order = self._share.of_dataset(np.arange(size))
            order = rng.permutation(order) if self.shuffle else order
        self._passes.started += 1
        seed = seed_from(rng), self._passes.started
        return Epoch(order, self._share.batch_size(self.batch_size), self.max_iter, seed=seed)

    def __getstate__(self) -> dict[str, Any]:
        """Return the attributes for a copy of the loader; the copy has no iterators."""
        return {**vars(self), "_passes": self._passes.copy(), "_next_batches": None}

    def state_dict(self) -> dict[str, Any]:
        """Return the order and position of a pass, and the generator's state, for a checkpoint."""
        return self._state(self._passes.current)

    def _state(self, epoch: Epoch | None) -> dict[str, Any]:
        """Return the state of the loader at the current position in an epoch."""
        return state_of(self, epoch)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Let the next iterator continue with the saved order, at the saved position.

        Raises:
            WeightsError: ``state`` is from a dataset of a different size, a different type of
                generator, or an unfinished pass with a different ``batch_size``.
        """
        epoch = self._restored(state)
        self.reset()
        self._passes.resume(epoch)
        self._passes.started = int(state.get("passes", 0))  # missing in old checkpoints

    def _restored(self, state: dict[str, Any]) -> Epoch | None:
        """Set the generator's state; return the saved pass, or None if no pass was saved."""
        return restore_generator(self, state)

    def _require_sizes(self) -> None:
        """Check that a loop would have at least one batch."""
        if self.data_size == 0:
            raise ArgumentError(f"{type(self).__name__}: the dataset has no examples")
        count = self.data_size if self.sampler is None else len(self.sampler)
        if count == 0:
            raise ArgumentError(f"{type(self).__name__}: the sampler has no indices")
        if self.max_iter == 0 and self._share.training:
            raise ArgumentError(
                f"{type(self).__name__}: drop_last leaves no batch of {count} examples; "
                f"choose a batch_size of at most {count}"
            )

    def _load(
        self,
        epoch: Epoch,
        iteration: int,
        in_workers: Callable[[int], Any],
        positions: Callable[[int], Positions],
    ) -> Any:
        """Return one batch of an epoch on the loader's device."""
        if self.resident is not None:
            batch = self.resident.batch(positions(iteration))
            return batch if self.deferred else tuple(x if x is None else x.data for x in batch)
        load = in_workers if self.num_workers else partial(self._host_batch, epoch)
        loaded = load(iteration)
        if self.backend is None:
            return loaded
        backend = get_backend(self.backend)
        return map_arrays(lambda x: move(x, backend), loaded)

    def _indices(self, epoch: Epoch, iteration: int) -> NDArray[Any]:
        """Return the indices of the examples that this rank loads of a batch; see `share`."""
        indices, share = self._all_indices(epoch, iteration), self._share
        return indices if share.size == 1 or not share.training else share.of_batch(indices)

    def _weight_of(self, epoch: Epoch, iteration: int) -> float:
        """Return this rank's rows divided by all rows of a batch."""
        if not self._share.training:
            return 1.0
        rows = len(self._all_indices(epoch, iteration))
        return self._share.length(rows) / rows

    def _seed(self, epoch: Epoch, iteration: int) -> tuple[int, ...]:
        """Return the seed of the random numbers that transforms draw for a batch on this rank."""
        return (*epoch.seed, iteration, *self._share.seed())

    def _all_indices(self, epoch: Epoch, iteration: int) -> NDArray[Any]:
        """Return the indices of the examples in a batch, those of other ranks included."""
        start = iteration * epoch.batch_size
        return epoch.index[start : start + epoch.batch_size]

    def _host_batch(self, epoch: Epoch, iteration: int) -> Any:
        """Return a batch of NumPy arrays; transforms draw the random numbers of this batch."""
        with drawing_from(BatchGenerator(self._seed(epoch, iteration))):
            return self._batch(self._indices(epoch, iteration))

    def _batch(self, indices: NDArray[Any]) -> Any:
        """Return a batch of NumPy arrays."""
        if self.collate_fn is not None:
            return self.collate_fn(examples_of(self.dataset, indices))
        if isinstance(self.dataset, Dataset | DatasetPart):
            return self.dataset.gather(indices)
        if is_table(self.dataset):
            return host_array("DataLoader", rows(self.dataset)[indices])
        return collate(examples_of(self.dataset, indices), indices)

    def share(
        self, rank: int, size: int, broadcast: Broadcast | None = None, training: bool = True
    ) -> Self:
        """Load only the rows that belong to one of several ranks (processes); return self.

        ``batch_size`` is the number of rows that all ranks load together.

        In training, all ranks make the same number of steps. From a batch of B rows, a rank loads
        the rows from ``B * rank // size`` to ``B * (rank + 1) // size``. The attribute ``weight``
        is the number of these rows divided by B. To compute the mean over the whole batch, multiply
        each rank's mean by its ``weight``, and add the results of all ranks. If no row belongs to a
        rank, the rank loads one row, with ``weight`` 0. Random transforms draw different numbers on
        each rank. Any number of ranks can continue from a checkpoint that rank 0 saved.

        In evaluation, each rank goes through its own part of the dataset in
        ``ceil(batch_size / size)`` rows per step, so that every example occurs exactly once. Ranks
        may make different numbers of steps; if there are more ranks than examples, some parts are
        empty. Add up sums over examples: a mean of the ranks' means is not the mean over the
        dataset.

        Args:
            rank: the number of this rank, from 0 to ``size - 1``.
            size: the number of ranks.
            broadcast: a function that returns on every rank what rank 0 passed to it, such as the
                broadcast of a communicator. In training, each loop calls the function once, before
                its first batch, so that all ranks follow the order of rank 0. If None (default),
                all ranks must draw the same orders, from generators in the same state.
            training: split every batch (default); False splits the dataset, for evaluation.

        Raises:
            ArgumentError: ``rank`` is not below ``size``; ``broadcast`` is neither a function nor
                None; the loader is shared already; a loop over the loader is in progress;
                ``training`` is False, and ``broadcast`` or ``drop_last`` is given, the sampler is
                not a sequence of indices, or the loader was restored inside a pass. The loop raises
                ArgumentError if the dataset or a setting differs from that of rank 0.
        """
        name = f"{type(self).__name__}.share"
        size = integer(name, "size", size, least=1)
        rank = integer(name, "rank", rank, least=0)
        if rank >= size:
            raise ArgumentError(f"{name}: rank is {rank}; expected a number below size, {size}")
        if self._share != Share():
            raise ArgumentError(
                f"{name}: the loader is shared already, as rank {self._share.rank} of "
                f"{self._share.size}; make a new loader"
            )
        if self._passes.in_use:
            raise ArgumentError(
                f"{name}: a loop over the loader is in progress; share the loader before its loops"
            )
        if not (broadcast is None or callable(broadcast)):
            raise ArgumentError(f"{name}: broadcast is {broadcast!r}; expected a function or None")
        training = as_bool(name, "training", training)
        if not training:
            require_evaluation(name, broadcast, self.drop_last, self.sampler)
            if self._passes.to_continue is not None:
                raise ArgumentError(
                    f"{name}: training=False, but the loader was restored inside a pass over the "
                    "whole dataset; call reset() first"
                )
        self._share = Share(rank, size, broadcast, training)
        self._weight = 1 / size if training else 1.0
        return self

    def to(self, name: str) -> DataLoader:
        """Copy batches to backend ``name`` from now on; return self."""
        get_backend(name)
        self.backend, self.resident, self.deferred = name, None, False
        return self

    def to_cpu(self) -> DataLoader:
        """Yield NumPy arrays from now on; return self."""
        self.backend, self.resident, self.deferred = None, None, False
        return self

    def to_gpu(self, resident: bool | None = None, deferred: bool = False) -> DataLoader:
        """Copy batches to the registered accelerator from now on; return self.

        If the dataset is resident, the order of a pass is copied to the device once, so that its
        batches copy nothing from the host.

        Args:
            resident: copy the whole transformed dataset to the device once, and gather the batches
                there. By default, True if the dataset takes at most half of the device's free
                memory and its transforms are deterministic, else False.
            deferred: yield Variables instead of arrays, and gather the rows of a Variable when a
                program first reads its ``data``. A captured step (`dezero_cuda.capture`) gathers
                the rows inside its graph. The dataset is then resident. Default False.

        Raises:
            ArgumentError: ``resident`` or ``deferred`` is True, but examples may differ from one
                pass to the next; ``deferred`` is True, and ``resident`` is False.
            MissingPackage, DeviceError: there is no accelerator.
        """
        deferred = as_bool("to_gpu", "deferred", deferred)
        if deferred and resident is False:
            raise ArgumentError(
                "to_gpu(deferred=True): resident is False, but rows are gathered from a resident "
                "dataset; leave resident out"
            )
        resident = True if deferred else resident
        backend = accelerator()
        constant = is_constant(self.dataset) and self.collate_fn is None
        if resident and not constant:
            name = "deferred" if deferred else "resident"
            raise ArgumentError(
                f"to_gpu({name}=True): examples must be the same each time: a Dataset of arrays "
                "whose transforms have a method batch, and draw no random numbers"
            )
        self.to(backend.name)
        self.deferred = deferred
        if not constant or resident is False:
            return self
        if resident or fits_in_memory(self.dataset, backend):
            self._copy_dataset()
        return self

    def _copy_dataset(self) -> None:
        """Copy the current dataset to the device."""
        assert self.backend is not None
        self.resident = ResidentData(self.dataset, self.backend)


class SeqDataLoader(DataLoader):
    """Yield the batches of parallel sequences, in order (book step 60).

    Row i of each batch belongs to sequence i, which goes through the dataset one example at a time,
    beginning at ``i * (N // batch_size)``. Loops and checkpoints work as in `DataLoader`.

    Args:
        dataset: a dataset of N examples, as for `DataLoader`.
        batch_size: the number of sequences, at most N.
        gpu: copy the batches to the accelerator (default False).
        collate_fn, num_workers: as for `DataLoader`.

    Yields:
        ceil(N / batch_size) batches with ``batch_size`` rows.

    Raises:
        ArgumentError: as for `DataLoader`, and if ``batch_size`` is above N.
    """

    _hints: ClassVar[dict[str, str]] = DataLoader._hints | {
        "drop_last": "every batch has batch_size rows",
        "shuffle": "the examples stay in order",
        "generator": "the examples stay in order",
        "sampler": "the examples stay in order",
    }

    @hinted
    def __init__(
        self,
        dataset: Any,
        batch_size: int,
        gpu: bool = False,
        collate_fn: Callable[[list[Any]], Any] | None = None,
        *,
        num_workers: int = 0,
    ) -> None:
        super().__init__(
            dataset, batch_size, False, gpu, collate_fn=collate_fn, num_workers=num_workers
        )

    def _require_sizes(self) -> None:
        super()._require_sizes()
        if self.batch_size > self.data_size:
            raise ArgumentError(
                f"SeqDataLoader: batch_size {self.batch_size} for {self.data_size} examples; "
                "expected at least one example for each row; choose a smaller batch_size"
            )

    def share(
        self, rank: int, size: int, broadcast: Broadcast | None = None, training: bool = True
    ) -> Self:
        """Load only the sequences (rows) that belong to one of several ranks; return self.

        In training and in evaluation, a rank loads the rows from ``batch_size * rank // size`` to
        ``batch_size * (rank + 1) // size`` of each batch, so all ranks make the same number of
        steps, and ``weight`` is the number of these rows divided by ``batch_size``.

        Args:
            rank, size, broadcast, training: as for `DataLoader.share`.

        Raises:
            ArgumentError: as for `DataLoader.share`; ``training`` is False, and there are more
                ranks than sequences.
        """
        name = "SeqDataLoader.share"
        if as_bool(name, "training", training):
            return super().share(rank, size, broadcast)
        require_evaluation(name, broadcast, self.drop_last, self.sampler)
        if self.batch_size < integer(name, "size", size, least=1):
            raise ArgumentError(
                f"{name}: training=False, batch_size {self.batch_size} for {size} ranks; each rank "
                f"needs a sequence to evaluate; start at most {self.batch_size} ranks"
            )
        return super().share(rank, size)

    def _all_indices(self, epoch: Epoch, iteration: int) -> NDArray[Any]:
        size = len(epoch.index)
        starts = np.arange(epoch.batch_size) * (size // epoch.batch_size)
        return (starts + iteration) % size


def describe(dataset: Any) -> str:
    """Return a short description of a dataset."""
    name = type(dataset).__name__
    return (
        repr(dataset) if isinstance(dataset, Dataset | DatasetPart) else f"{name} of {len(dataset)}"
    )
