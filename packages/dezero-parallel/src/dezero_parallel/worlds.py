"""Define `World`, the ranks that train together, and `world`, which finds them."""

from __future__ import annotations

import os
from threading import Lock
from typing import Any, TypeVar

import numpy as np

from dezero_core import Buffer, Parameter, Variable, as_variable
from dezero_core.errors import ArgumentError, CommunicatorError
from dezero_core.extend import Communicator, get_communicator
from dezero_core.state import Snapshot, named_params, stage_arrays, step_keys
from dezero_io import Checkpoint, Checkpointer, DataLoader
from dezero_nn.optimizers import Optimizer

from . import batch_norm, checkpoints
from .alone import Alone, require_no_launcher
from .averaging import Averaging, is_averaged
from .buckets import is_recorded
from .collectives import Collectives
from .cores import split_cores
from .sharding import Sharding
from .shares import Shares
from .signatures import layout, require_equal, versions
from .streams import copy_streams
from .sums import AllSum
from .watcher import Watcher

L = TypeVar("L", bound=DataLoader)
O = TypeVar("O", bound=Optimizer)  # noqa: E741

TIMEOUT = 600.0
"""The time in seconds for which a rank waits, unless the program or DEZERO_TIMEOUT sets another."""


class World:
    """Represent the ranks (processes) of a job, which train the same model on parts of each batch.

    After every update, all ranks have the same parameters. One process with the same batches would
    have these parameters too, except for rounding (docs/adr/0028).

    A program calls `world`. Ranks that are threads of one process, for tests and for teaching, make
    a World of each thread's communicator::

        run_ranks(2, lambda communicator: train(World(communicator)))

    Args:
        communicator: the engine that connects the ranks.
        timeout: the time in seconds for which a rank waits for the others (default 600).
        watches: whether this rank has a process of its own, in which uncaught errors end all ranks
            (default False).

    Attributes:
        rank: the number of this process, from 0 to ``size - 1``.
        size: the number of processes.
        collectives: the calls that all ranks make together, and for which they wait.
    """

    def __init__(
        self, communicator: Communicator, timeout: float = TIMEOUT, watches: bool = False
    ) -> None:
        self.collectives = Collectives(communicator)
        self.rank, self.size = communicator.rank, communicator.size
        self._shares, self._watches = Shares(self.collectives), watches
        self._averagings: list[Averaging] = []
        self._weight = 0.0  # the weight in the step that is recorded
        self.watcher = Watcher(self.collectives, timeout)
        if watches:
            step_keys.append(self.step_key)
            self.watcher.start()
        advice = "install the same versions on all hosts"
        require_equal(self.collectives, "world", versions(), "set of versions", advice)
        if watches:
            copy_streams(self.collectives, "world, random numbers")
            split_cores(self.collectives)

    def __repr__(self) -> str:
        return f"World({self.collectives})"

    @property
    def weight(self) -> float:
        """Return this rank's rows divided by all rows of the batch taken last."""
        return self._weight if is_recorded() else self._shares.weight

    def step_key(self) -> float:
        """Return the weight; a captured step has one graph for each weight.

        The weights of all ranks change in the same calls, so all ranks replay their graphs in the
        same calls, as NCCL requires.
        """
        self._weight = self.weight
        return self._weight

    def share(self, loader: L, training: bool = True) -> L:
        """Let a loader load this rank's rows only; return the loader.

        The ``batch_size`` is that of all ranks together. All ranks follow the order of rank 0.

        Args:
            loader: a loader that no loop uses.
            training: split every batch (default). False splits the dataset, for an evaluation in
                which the ranks need not wait for each other; add up the results by `sum`.

        Raises:
            CommunicatorError: the loaders of the ranks differ.
            ArgumentError: as for `DataLoader.share`; in training, there are more ranks than rows.
        """
        return self._shares.add(loader, training)

    def parallel(
        self,
        optimizer: O,
        bucket_bytes: int = 1 << 20,
        shard: bool = False,
        overlap: bool = False,
    ) -> O:
        """Let an optimizer update with the mean gradients of all ranks; return the optimizer.

        Parameters that have data are copied from rank 0. Parameters that take their shape from the
        first input are drawn from equal random numbers on all ranks, and compared at the first
        update.

        Args:
            optimizer: an optimizer after ``setup``, with the same settings on all ranks.
            bucket_bytes: the largest number of bytes that are summed at once (default 1 MiB).
            shard: store only this rank's part of the optimizer's state (default False).
            overlap: send gradients while `backward` computes others (default False). This does not
                speed up training over MPI. Only the first optimizer of a program overlaps. Between
                `backward` and `update`, the ranks must not call `mean`, `sum` or `all_sum`.
                `backward` through `all_sum`, or through a layer of `synchronize`, sends gradients
                only after the last such sum.

        Raises:
            ArgumentError: ``bucket_bytes`` is below 1, the optimizer is parallel already, it needs
                losses (`LBFGS`), or its rule cannot be sharded (`Muon`).
            CommunicatorError: the models or the settings of the ranks differ.
            GraphError: ``setup`` was not called.
        """
        name = type(optimizer).__name__
        if bucket_bytes < 1:
            raise ArgumentError(
                f"world.parallel: bucket_bytes is {bucket_bytes}; expected 1 or more"
            )
        if type(optimizer).update is not Optimizer.update:
            raise ArgumentError(
                f"world.parallel: {name} decides by losses, which are those of one rank's rows; "
                "expected an optimizer that needs gradients only, such as Adam"
            )
        if any(averaging.optimizer is optimizer for averaging in self._averagings):
            raise ArgumentError(f"world.parallel: this {name} is parallel already; call it once")
        settings = optimizer.state_dict()["settings"]
        found = {"optimizer": name, **{key: repr(value) for key, value in settings.items()}}
        require_equal(
            self.collectives, "world.parallel", found, "optimizer", "create it alike on all ranks"
        )
        named = named_params(optimizer.target)
        found = {key: layout(x) for key, x in named.items()}
        require_equal(
            self.collectives, "world.parallel", found, "model", "create it alike on all ranks"
        )
        self._copy_from_rank_0(named)
        averaging = Averaging(self, optimizer, bucket_bytes, overlap and not self._averagings)
        self._averagings.append(averaging)
        optimizer.add_hook(averaging, first=True)
        vars(optimizer)["accumulate"] = averaging.accumulate
        if shard:
            Sharding(self, optimizer)
        return optimizer

    def _copy_from_rank_0(self, named: dict[str, Any]) -> None:
        """Copy rank 0's parameters and buffers to all ranks, except those without data."""
        known = {key: x for key, x in named.items() if x.data is not None}
        mine = dict(Snapshot({key: x.data for key, x in known.items()})) if not self.rank else {}
        arrays = self.collectives.broadcast("world.parallel, first weights", mine)
        if self.rank:
            stage_arrays(known, arrays.__getitem__)()

    def sum(self, *numbers: Any) -> Any:
        """Return the sums of numbers over all ranks: a float, or for N != 1 a float64 array (N,).

        Args:
            *numbers: N numbers, or Variables with one element.

        Raises:
            CommunicatorError: another rank passes more or fewer numbers.
        """
        found = self.collectives.gather("world.sum", [float(number) for number in numbers])
        counts = [len(row) for row in found]
        if len(set(counts)) > 1:
            raise CommunicatorError(
                f"world.sum: the ranks pass {counts} numbers; expected the same count on all "
                "ranks; pass 0 where a rank has no number"
            )
        totals = [sum(column) for column in zip(*found, strict=True)]
        return totals[0] if len(numbers) == 1 else np.array(totals)

    def mean(self, number: Any) -> float:
        """Return the mean of a number over the examples of the batch taken last, of all ranks.

        Args:
            number: the mean over this rank's examples, a number or a Variable with one element.
        """
        weighted = float(number) * self.weight
        return float(sum(self.collectives.gather("world.mean", weighted if self.weight else 0.0)))

    def count_step(self, steps: int) -> None:
        """Record the number of finished updates, for messages."""
        self.watcher.count_step(steps)

    def save(self, checkpointer: Checkpointer, step: int, **parts: Any) -> None:
        """Let rank 0 write a checkpoint, with the states of the random generators of all ranks.

        Args:
            checkpointer: writes to a folder that all hosts share.
            step: the step number.
            **parts: models, optimizers, schedules and loaders, and ``score`` and ``metadata``, as
                for `Checkpointer.save`.

        Raises:
            CommunicatorError: the weights of the ranks differ, so that a rank has missed an update.
            SaveError, OSError: rank 0 could not write; raised on all ranks.
        """
        checkpoints.save(self, checkpointer, step, parts)

    def load(self, checkpointer: Checkpointer, **parts: Any) -> Checkpoint | None:
        """Load the newest checkpoint on all ranks; return None if there is none.

        The checkpoint may be from another number of ranks. With the same number, the ranks continue
        bit for bit.

        Args:
            checkpointer: reads from a folder that all hosts share.
            **parts: as for `Checkpointer.load`.

        Raises:
            CommunicatorError: a rank does not see the folder of rank 0.
            FormatError, KeyMismatch, WeightsError: as for `Checkpointer.load`; on all ranks.
        """
        return checkpoints.load(self, checkpointer, parts)

    def all_sum(self, x: Variable) -> Variable:
        """Return the sum of a Variable over all ranks, through which gradients flow.

        The gradients are those of the mean loss over the rows of all ranks. All ranks call this
        function together, with arrays of the same shape.
        """
        self.collectives.require_no_open_sums("world.all_sum")
        return AllSum(self)(as_variable(x))

    def synchronize(self, model: Any) -> None:
        """Let the batch normalisations of a model take their statistics over the rows of all ranks.

        Without this call, each rank normalises by its own rows, and the running statistics are
        averaged. With this call, the results are those of one process, at the cost of two more
        sums per layer and direction.

        Args:
            model: a layer, or a list or dictionary of layers.
        """
        batch_norm.synchronize(self, model)

    def require_shared(self, place: str) -> None:
        """Check that the program shares its loaders, if this rank is not a thread; see `Shares`."""
        if self._watches:
            self._shares.require_shared(place)

    def averaged(self) -> dict[str, Parameter | Buffer]:
        """Return the parameters and buffers that must be equal on all ranks."""
        found = {}
        for number, averaging in enumerate(self._averagings):
            for key, x in named_params(averaging.optimizer.target).items():
                if is_averaged(x):
                    found[f"optimizer {number}: {key}"] = x
        return found


_found: list[World | Alone] = []
_lock = Lock()  # held while the ranks connect, which they do once


def world(engine: str = "auto", timeout: float | None = None, force: bool = False) -> World | Alone:
    """Return the ranks of this job, or `Alone` if no launcher started this process.

    Call the function first of all, because an earlier error of one rank does not end the others.
    Every call returns the same object.

    Args:
        engine: the name of the engine; ``"auto"`` (default) takes the one whose launcher started
            this process.
        timeout: the time in seconds for which a rank waits for the others; 600 by default.
        force: return a `World` even for one rank, to measure what it costs (default False); an
            `Alone` of an earlier call is replaced.

    Raises:
        CommunicatorError: the ranks have different versions of DeZero, Python or NumPy; the
            launcher belongs to another MPI; or this process was forked from a rank.
        ArgumentError: ``timeout`` is not above 0.
        MissingPackage: a launcher started several processes, and no installed engine connects them.
        PluginError, UnknownName: as for `dezero_core.extend.get_communicator`.
    """
    if timeout is not None:
        os.environ["DEZERO_TIMEOUT"] = str(time_limit(timeout))  # engines read the variable
    with _lock:
        if not _found or (force and isinstance(_found[0], Alone)):
            seconds, communicator = time_limit(timeout), get_communicator(engine)
            if communicator is None:
                require_no_launcher()
            if communicator is None or (communicator.size == 1 and not force):
                _found[:] = [Alone()]
            else:
                _found[:] = [World(communicator, seconds, watches=True)]
    found = _found[0]
    if isinstance(found, World):
        if found.collectives.is_forked():
            raise CommunicatorError(
                f"world: this process was forked from {found.collectives}; expected the rank's own "
                "process, not a worker; call world() outside of the forked function"
            )
        if timeout is not None:
            found.watcher.timeout = time_limit(timeout)
    return found


def time_limit(timeout: float | None) -> float:
    """Return the time limit in seconds: the argument, or else DEZERO_TIMEOUT, or else `TIMEOUT`.

    Raises:
        ArgumentError: the limit is not a number above 0.
    """
    text = os.environ.get("DEZERO_TIMEOUT", TIMEOUT) if timeout is None else timeout
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not seconds > 0:
        raise ArgumentError(f"world: timeout is {text!r}; expected seconds above 0")
    return seconds
