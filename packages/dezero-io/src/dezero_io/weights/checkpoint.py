"""Save and load checkpoints: everything a training run needs to continue bit for bit.

A checkpoint is a weight file that contains the states of named parts. A part is a model or another
tree of parameters, a NumPy generator, or an object with two methods: ``state_dict()``, which
returns dictionaries and lists of numbers, strings and arrays, and ``load_state_dict(state)``.
Optimizers, schedules and loaders have these two methods. The global random number generators of
DeZero, NumPy and Python are always included. On the CPU, a run that continues from a checkpoint
therefore computes the same bits as one that was not interrupted::

    checkpoints = Checkpointer("run", keep=3)
    parts = dict(model=model, optimizer=optimizer, loader=loader)
    last = checkpoints.load(**parts)
    for step, (x, t) in enumerate(loader, start=last.step if last else 0):
        ...
        checkpoints.save(step + 1, **parts)
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import wraps
from inspect import Parameter
from pathlib import Path
from typing import Any, TypeVar

from dezero_core.errors import ArgumentError, CallError, FormatError, KeyMismatch, WeightsError
from dezero_core.extend import Limits, Stored
from dezero_core.hints import signature_of
from dezero_core.state import FilePath, Snapshot, format_for, limit_for, locate_file, updating

from .parts import Stateful, Weights, is_staged, stateful_parts
from .states import pack, unpack

STATE = "dezero.checkpoint"
"""The name of the metadata entry that contains the states as JSON, without the arrays."""


RANKS = "dezero.ranks"
"""The name under which the states of the ranks are stored among the states of the parts."""


@dataclass(frozen=True)
class Checkpoint:
    """Describe a checkpoint that was loaded.

    Attributes:
        path: the file.
        metadata: the strings that were saved with the checkpoint.
        step: the step number if a `Checkpointer` loaded the checkpoint, else 0.
        rank_states: the state of each rank of a parallel run, as passed to `save_checkpoint`; empty
            if none were saved.
    """

    path: Path
    metadata: Mapping[str, str]
    step: int = 0
    rank_states: tuple[Any, ...] = field(default=(), repr=False)  # the repr of the states is long


F = TypeVar("F", bound=Callable[..., Any])


def parts_by_name(function: F) -> F:
    """Decorate a function so that parts passed as positional arguments raise `CallError`."""
    kinds = [parameter.kind for parameter in signature_of(function).parameters.values()]
    positional = kinds.count(Parameter.POSITIONAL_OR_KEYWORD)

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if len(args) > positional:
            raise CallError(
                f"{function.__qualname__}: got a part of type {type(args[positional]).__name__} "
                "by position; parts are passed by name, such as model=model, optimizer=optimizer"
            )
        return function(*args, **kwargs)

    return call  # type: ignore[return-value]


@parts_by_name
def save_checkpoint(
    path: FilePath,
    *,
    metadata: Mapping[str, str] | None = None,
    rank_states: Sequence[object] = (),
    **parts: object,
) -> None:
    """Write the states of all ``parts`` to one file, or replace an existing file atomically.

    Args:
        path: the file, as for `save_weights`.
        metadata: a dictionary from names to strings, stored in the file (default none).
        rank_states: in a parallel run, what differs between the processes (ranks), such as the
            states of their random generators: one state for each rank, in the order of the ranks.
            `load_checkpoint` returns these states, and does not restore them.
        parts: models, optimizers, schedules, loaders and generators, as keyword arguments; you
            choose the names.

    Raises:
        SaveError: a parameter has no data yet, or a state contains anything but numbers, strings
            and arrays.
        ArgumentError: ``rank_states`` is neither a list nor a tuple.
        OSError: the file cannot be written; an existing file is unchanged.
    """
    if not isinstance(rank_states, list | tuple):
        raise ArgumentError(
            f"save_checkpoint: rank_states is of type {type(rank_states).__name__}; expected a "
            "list with one state for each rank"
        )
    target, file_format = format_for(path)
    states, arrays = packed_states(parts)
    if rank_states:
        states[RANKS] = pack(rank_states, RANKS, arrays)
    strings = {**(metadata or {}), STATE: json.dumps(states)}
    file_format.write(target, Stored(Snapshot(arrays), metadata=strings))


def packed_states(parts: Mapping[str, object]) -> tuple[Any, dict[str, Any]]:
    """Return the states of all parts as JSON, and a dictionary with the arrays in the states.

    The states of models and optimizers are read while the update lock is held, so that no update
    happens between the reads. Other parts are read without the lock, because a part may wait for a
    lock that a training thread holds.
    """
    by_name = stateful_parts(parts)
    arrays: dict[str, Any] = {}
    states = {name: part.state_dict() for name, part in by_name.items() if not is_staged(part)}
    with updating():
        states |= {name: part.state_dict() for name, part in by_name.items() if is_staged(part)}
    return pack({name: states[name] for name in by_name}, "", arrays), arrays


@parts_by_name
def load_checkpoint(
    path: FilePath,
    *,
    max_bytes: int | None = None,
    verify: bool = True,
    **parts: object,
) -> Checkpoint:
    """Restore the states of all ``parts`` from a file: all of them or none.

    Args:
        path: the file, as for `save_checkpoint`.
        max_bytes: the largest total size of the arrays; larger files are refused. The default is
            ten times the size of the largest model among the parts, but at least 4 GiB.
        verify: recompute the SHA-256 of every array (default).
        parts: the parts to restore, as keyword arguments with the names used for saving. The file
            may contain more parts; those are not restored.

    Raises:
        DataMissing: there is no such file.
        FormatError: the file is damaged, or is not a checkpoint.
        LimitError: the arrays in the file take more than ``max_bytes``.
        KeyMismatch: the file has no state for one of the parts.
        WeightsError: a state does not fit its part, because it was saved from another model,
            dataset or type of object.
    """
    target, file_format = locate_file(path)
    by_name = stateful_parts(parts)
    trees = [part for part in by_name.values() if isinstance(part, Weights)]
    if max_bytes is None:
        max_bytes = max([limit_for(tree.named, 10) for tree in trees], default=4 << 30)

    def check(stored: Stored) -> None:
        require_parts_fit(by_name, states_in(stored, target), target)

    stored = file_format.read_checked(target, Limits(max_bytes, verify), check)
    states = states_in(stored, target)
    restore(by_name, states, target)
    metadata = {name: text for name, text in stored.metadata.items() if name != STATE}
    return Checkpoint(target, metadata, rank_states=tuple(states.get(RANKS, ())))


def require_parts_fit(parts: Mapping[str, Stateful], states: Mapping[str, Any], path: Path) -> None:
    """Check that the file has a state for every part, and that each `Staged` part accepts it."""
    missing = [name for name in parts if name not in states]
    if missing:
        found = [name for name in states if name != RANKS]
        raise KeyMismatch(f"{path} has no {', '.join(missing)}; it has {', '.join(found)}")
    for name, part in parts.items():
        if is_staged(part):
            with convert_damage(path, name):
                if isinstance(part, Weights):
                    part.require_fit(states[name], f"{path}: {name!r} does not fit the model")
                else:
                    part.stage_state(states[name])


def restore(parts: Mapping[str, Stateful], states: Mapping[str, Any], path: Path) -> None:
    """Restore the states of all parts; on an error, restore the old states and raise the error."""
    # Staged parts change last, and changing them cannot fail, so their old states are not saved.
    commits = [part.stage_state(states[name]) for name, part in parts.items() if is_staged(part)]
    others = {name: part for name, part in parts.items() if not is_staged(part)}
    before = {name: part.state_dict() for name, part in others.items()}
    try:
        for name, part in others.items():
            with convert_damage(path, name):
                part.load_state_dict(states[name])
    except BaseException:
        for name, part in others.items():
            part.load_state_dict(before[name])
        raise
    with updating():
        for commit in commits:
            commit()


@contextmanager
def convert_damage(path: Path, name: str) -> Iterator[None]:
    """Raise `FormatError` instead of the errors that a state with a wrong structure causes."""
    try:
        yield
    except WeightsError:
        raise
    except (LookupError, TypeError, AttributeError) as error:
        raise FormatError(f"{path}: the state of {name!r} is damaged: {error}") from error


def states_in(stored: Stored, path: Path) -> dict[str, Any]:
    """Return a dictionary from the names of all parts in a file to their states."""
    if STATE not in stored.metadata:
        raise FormatError(f"{path} is not a checkpoint; read weights with load_weights")
    try:
        states = unpack(json.loads(stored.metadata[STATE]), stored.arrays)
    except (ValueError, KeyError, RecursionError) as error:
        raise FormatError(f"{path} is damaged: {error}") from error
    if not isinstance(states, dict):
        raise FormatError(f"{path} is damaged: it has no parts")
    return states
