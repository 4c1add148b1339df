"""Checkpoints: everything a training run needs to go on as if it had never stopped.

A checkpoint is a file of weights with named parts. A part is anything with ``state_dict()``,
which gives dictionaries and lists of numbers, strings and arrays, and ``load_state_dict(state)``:
optimizers, schedules, loaders. A model, and any other tree of parameters, is a part too, and so is
a NumPy generator. What programs draw from without naming it (DeZero's, NumPy's and Python's own
random numbers) is always there. So on the host a run that goes on from a checkpoint is the same,
bit for bit, as one that was not interrupted::

    checkpoints = Checkpointer("run", keep=3)
    parts = dict(model=model, optimizer=optimizer, loader=loader)
    last = checkpoints.load(**parts)
    for step, (x, t) in enumerate(loader, start=last.step if last else 0):
        ...
        checkpoints.save(step + 1, **parts)
"""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from inspect import Parameter
from math import isnan, nan
from numbers import Real
from operator import index
from pathlib import Path
from typing import Any, Protocol, TypeGuard, TypeVar, runtime_checkable

import numpy as np

from dezero_core.errors import (
    ArgumentError,
    CallError,
    FormatError,
    KeyMismatch,
    SaveError,
    UnsupportedType,
    WeightsError,
)
from dezero_core.extend import Limits, Stored, backend_of, get_backend, unwrap
from dezero_core.hints import signature_of
from dezero_core.state import (
    FilePath,
    Snapshot,
    arrays_of,
    file_path,
    format_for,
    limit_for,
    located,
    move,
    named_params,
    require_fit,
    stage_arrays,
    updating,
)

from . import npz
from .random_state import Generators, StatefulGenerator

STATE = "dezero.checkpoint"
"""The name of what is not arrays, in the metadata: JSON."""

ARRAY = "__array__"
"""The key, in that JSON, of the name under which an array is stored."""


@runtime_checkable
class Stateful(Protocol):
    """A part of a checkpoint."""

    def state_dict(self) -> dict[str, Any]:
        """Dictionaries and lists of numbers, strings and arrays."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Become what ``state_dict`` saw; if that cannot be, raise and stay the same."""


class Staged(Stateful, Protocol):
    """A part with large arrays: its state is checked before they are read, and never copied."""

    def stage_state(self, state: dict[str, Any]) -> Callable[[], None]:
        """Check ``state``; return a function that makes it the part's own, arrays included.

        The part does not change until that function is called, which must not fail. In the check
        before a file is read, arrays have the right shape and dtype but no memory.
        """


def is_staged(part: Any) -> TypeGuard[Staged]:
    """Return whether the class that defines ``load_state_dict`` defines ``stage_state`` too.

    If a subclass overrides only ``load_state_dict``, that method loads its state.
    """
    owner = next(kind for kind in type(part).__mro__ if "load_state_dict" in vars(kind))
    return "stage_state" in vars(owner)


class Weights:
    """A tree of parameters and buffers as a part.

    Args:
        tree: a layer, or a dictionary or list of layers and parameters.
    """

    def __init__(self, tree: Any) -> None:
        self.named = named_params(tree)

    def state_dict(self) -> dict[str, Any]:
        """Return the arrays by key, without copying or moving them."""
        return arrays_of(self.named)

    def require_fit(
        self, state: dict[str, Any], title: str = "the checkpoint does not fit the model"
    ) -> None:
        """Raise the error of `load_weights` for ``state``; its message begins with ``title``."""
        require_fit(self.named, Stored(state), title)

    def stage_state(self, state: dict[str, Any]) -> Callable[[], None]:
        """Move the arrays to the devices of the parameters; return a function that assigns them."""
        self.require_fit(state)
        return stage_arrays(self.named, state.__getitem__)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Give every parameter its array, where it is."""
        self.stage_state(state)()


@dataclass(frozen=True)
class Checkpoint:
    """What was loaded.

    Attributes:
        path: the file.
        metadata: the strings it was saved with.
        step: its number, as `Checkpointer` counts; 0 for others.
    """

    path: Path
    metadata: Mapping[str, str]
    step: int = 0


F = TypeVar("F", bound=Callable[..., Any])


def parts_by_name(function: F) -> F:
    """Decorate a function that takes parts by name; a positional part raises `CallError`."""
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
    path: FilePath, *, metadata: Mapping[str, str] | None = None, **parts: Any
) -> None:
    """Write the state of all ``parts`` to one file, which replaces an earlier one when complete.

    Args:
        path: the file, as for `save_weights`.
        metadata: strings by name.
        parts: models, optimizers, schedules, loaders, generators, by names of your own.

    Raises:
        SaveError: a parameter has no data yet, or a state holds something else than said above.
        OSError: the file cannot be written; an earlier one is untouched.
    """
    target, file_format = format_for(path)
    skeleton, arrays = collected(parts)
    strings = {**(metadata or {}), STATE: json.dumps(skeleton)}
    file_format.write(target, Stored(Snapshot(arrays), metadata=strings))


def collected(parts: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    """Return the states of all parts as JSON, and their arrays.

    The states of models and optimizers are taken between two updates, under the lock of updates.
    Parts of other types are asked without it: they may wait for a lock of a training thread.
    """
    given = stateful(parts)
    arrays: dict[str, Any] = {}
    states = {name: part.state_dict() for name, part in given.items() if not is_staged(part)}
    with updating():
        states |= {name: part.state_dict() for name, part in given.items() if is_staged(part)}
    return packed({name: states[name] for name in given}, "", arrays), arrays


@parts_by_name
def load_checkpoint(
    path: FilePath,
    *,
    max_bytes: int | None = None,
    verify: bool = True,
    **parts: Any,
) -> Checkpoint:
    """Give all ``parts`` the states they were saved with: all of them or none.

    Args:
        path: the file, as for `save_checkpoint`.
        max_bytes: refuse files whose arrays take more; by default ten times what the models among
            the parts take, at least 4 GiB.
        verify: recompute the SHA-256 of every array (default).
        parts: by the names they were saved under. Others in the file are left out.

    Raises:
        DataMissing: there is no such file.
        FormatError: it is damaged, or no checkpoint.
        KeyMismatch: it lacks a part.
        WeightsError: a part is of another model, data set or kind.
    """
    target, file_format = located(path)
    given = stateful(parts)
    trees = {name: part for name, part in given.items() if isinstance(part, Weights)}
    staged = {name: part for name, part in given.items() if is_staged(part)}
    others = {name: part for name, part in given.items() if name not in staged}
    if max_bytes is None:
        max_bytes = max([limit_for(tree.named, 10) for tree in trees.values()], default=4 << 30)

    def check(stored: Stored) -> None:
        states = states_in(stored, target)
        lacking = [name for name in given if name not in states]
        if lacking:
            raise KeyMismatch(f"{target} has no {', '.join(lacking)}; it has {', '.join(states)}")
        for name, part in staged.items():
            with damage_named(target, name):
                if isinstance(part, Weights):
                    part.require_fit(states[name], f"{target}: {name!r} does not fit the model")
                else:
                    part.stage_state(states[name])

    stored = file_format.read_checked(target, Limits(max_bytes, verify), check)
    states = states_in(stored, target)
    # Large states come last: they only swap references, so the old arrays need no copies.
    commits = [part.stage_state(states[name]) for name, part in staged.items()]
    before = {name: part.state_dict() for name, part in others.items()}
    try:
        for name, part in others.items():
            with damage_named(target, name):
                part.load_state_dict(states[name])
    except BaseException:
        for name, part in others.items():
            part.load_state_dict(before[name])
        raise
    with updating():
        for commit in commits:
            commit()
    metadata = {name: text for name, text in stored.metadata.items() if name != STATE}
    return Checkpoint(target, metadata)


@contextmanager
def damage_named(path: Path, name: str) -> Iterator[None]:
    """Raise `FormatError` instead of the errors that a state with a wrong structure causes."""
    try:
        yield
    except WeightsError:
        raise
    except (LookupError, TypeError, AttributeError) as error:
        raise FormatError(f"{path}: the state of {name!r} is damaged: {error}") from error


def stateful(parts: Mapping[str, Any]) -> dict[str, Stateful]:
    """Every part as one that has a state, and the generators nobody names."""
    found: dict[str, Stateful] = {"generators": Generators()}
    for name, part in parts.items():
        if name in found:
            raise ArgumentError(f"a part cannot be called {name!r}")
        if isinstance(part, np.random.Generator):
            found[name] = StatefulGenerator(part)
        elif isinstance(part, Stateful):
            found[name] = part
        else:
            found[name] = Weights(part)
    return found


def states_in(stored: Stored, path: Path) -> dict[str, Any]:
    """The states of all parts of a checkpoint that was read."""
    if STATE not in stored.metadata:
        raise FormatError(f"{path} is no checkpoint; weights are read by load_weights")
    try:
        states = unpacked(json.loads(stored.metadata[STATE]), stored.arrays)
    except (ValueError, KeyError, RecursionError) as error:
        raise FormatError(f"{path} is damaged: {error}") from error
    if not isinstance(states, dict):
        raise FormatError(f"{path} is damaged: it has no parts")
    return states


def packed(node: Any, path: str, arrays: dict[str, Any]) -> Any:
    """A state as JSON; its arrays go into ``arrays``, under their paths."""
    if isinstance(node, Mapping):
        return {
            str(name): packed(child, f"{path}/{name}" if path else str(name), arrays)
            for name, child in node.items()
        }
    if isinstance(node, list | tuple):
        return [packed(child, f"{path}/{i}", arrays) for i, child in enumerate(node)]
    if isinstance(node, np.generic):
        node = node.item()
    if node is None or isinstance(node, bool | int | float | str):
        return node
    if path in arrays:
        raise SaveError(f"two arrays have the path {path!r}")
    try:
        backend_of(node)
    except UnsupportedType as error:
        kind = type(node).__name__
        raise SaveError(f"{path} is a {kind}: states hold numbers, strings and arrays") from error
    arrays[path] = node
    return {ARRAY: path}


def unpacked(node: Any, arrays: Mapping[str, Any]) -> Any:
    """The state that `packed` saw; tuples have become lists."""
    if isinstance(node, dict):
        if set(node) == {ARRAY}:
            return arrays[node[ARRAY]]
        return {name: unpacked(child, arrays) for name, child in node.items()}
    if isinstance(node, list):
        return [unpacked(child, arrays) for child in node]
    return node


class Checkpointer:
    """Checkpoints of one run in one folder: the latest few, and the best.

    Args:
        folder: is made at the first save.
        keep: the number of latest checkpoints to keep, at least 1 (default 3).
        best: ``"max"`` or ``"min"``: also keep the checkpoint with the largest or smallest
            ``score``, the earliest of equal ones. NaN is never the best.

    Raises:
        ArgumentError: ``keep`` is not an integer of at least 1, ``best`` is invalid, or ``folder``
            is a file.
    """

    PATTERN = re.compile(r"step-(\d+)\.npz")

    def __init__(self, folder: FilePath, keep: int = 3, best: str | None = None) -> None:
        if integer("Checkpointer", "keep", keep) < 1:
            raise ArgumentError(f"Checkpointer: keep {keep} is below 1")
        if best not in (None, "max", "min"):
            raise ArgumentError(f"Checkpointer: best is {best!r}, not 'max', 'min' or None")
        self.folder, self.keep, self.best = file_path(folder), keep, best
        if self.folder.is_file():
            raise ArgumentError(f"Checkpointer: {self.folder} is a file; expected a folder")

    def steps(self) -> list[int]:
        """The numbers of the checkpoints that are there, ascending."""
        try:
            found = [self.PATTERN.fullmatch(file.name) for file in self.folder.iterdir()]
        except (FileNotFoundError, NotADirectoryError):
            return []
        return sorted(int(match[1]) for match in found if match)

    def path(self, step: int) -> Path:
        """The file of a step."""
        return self.folder / f"step-{step:09}.npz"

    @parts_by_name
    def save(
        self,
        step: int,
        *,
        score: Any = None,
        metadata: Mapping[str, str] | None = None,
        **parts: Any,
    ) -> Path:
        """Write the checkpoint of ``step``, then remove those that are not to be kept.

        Args:
            step: the step number, at least 0; the largest is the latest.
            score: the quality, required with ``best``: a number, or an array or Variable with one
                element. NaN is stored, but never the best.
            metadata, parts: as for `save_checkpoint`.

        Raises:
            ArgumentError: ``best`` needs a ``score``; ``score`` is not a number; ``step`` is not an
                integer of at least 0. Nothing was written.
            SaveError, OSError: as for `save_checkpoint`; all earlier ones are there.
        """
        if self.best and score is None:
            raise ArgumentError("Checkpointer.save: score is missing; best= compares it")
        step = integer("Checkpointer.save", "step", step)
        if step < 0:
            raise ArgumentError(f"Checkpointer.save: step {step} is below 0")
        strings = dict(metadata or {})
        if score is not None:
            strings["score"] = repr(as_score(score))
        self.folder.mkdir(parents=True, exist_ok=True)
        save_checkpoint(self.path(step), metadata=strings, **parts)
        self._prune(step)
        return self.path(step)

    @parts_by_name
    def load(self, **parts: Any) -> Checkpoint | None:
        """Go on from the newest checkpoint that is whole; None if there is none at all.

        A damaged checkpoint is skipped with a warning. Another process may save at the same time:
        if it removes a file before this process reads it, the newest remaining one is loaded.

        Raises:
            FormatError: all are damaged.
            KeyMismatch, WeightsError: the newest whole one does not fit; nothing was changed.
        """
        error: FormatError | None = None
        passed: set[int] = set()
        missed: set[int] = set()
        while steps := [step for step in self.steps() if step not in passed]:
            step = steps[-1]
            try:
                found = load_checkpoint(self.path(step), **parts)
            except FormatError as damage:
                error = damage
                passed.add(step)
                warnings.warn(f"passed over: {damage}", stacklevel=3)
                continue
            except FileNotFoundError:
                if not self.path(step).exists():
                    passed.add(step)
                elif step in missed:  # nobody is saving it again: another file is missing
                    raise
                missed.add(step)
                continue
            return Checkpoint(found.path, found.metadata, step)
        if error is not None:
            raise FormatError(f"{self.folder}: every checkpoint is damaged") from error
        return None

    def best_step(self) -> int | None:
        """Return the step of the best existing checkpoint, the earliest of equal ones.

        Return None if no checkpoint has a score, or all scores are NaN. If another process
        removes files meanwhile, the remaining ones are compared.
        """
        gone: set[int] = set()
        while True:
            scored = {step: self._score(step) for step in self.steps() if step not in gone}
            missed = {step for step, score in scored.items() if score is None}
            if not missed:
                break
            gone |= missed
        scores = {n: score for n, score in scored.items() if score is not None and not isnan(score)}
        if not scores:
            return None
        return (min if self.best == "min" else max)(scores, key=lambda step: scores[step])

    def _score(self, step: int) -> float | None:
        """Return the score of a checkpoint; NaN if it has none, None if the file is gone."""
        try:
            manifest = npz.read_manifest(self.path(step))
            return float(manifest.metadata["score"]) if manifest else nan
        except FileNotFoundError:
            return None
        except (WeightsError, KeyError, ValueError):
            return nan

    def _prune(self, latest: int) -> None:
        keep = {latest, *self.steps()[-self.keep :]}
        if self.best and (best := self.best_step()) is not None:
            keep.add(best)
        for step in self.steps():
            if step not in keep:
                self.path(step).unlink(missing_ok=True)


def integer(owner: str, name: str, value: Any) -> int:
    """Return an integer of Python or NumPy as an int."""
    try:
        return index(value)
    except TypeError as error:
        raise ArgumentError(f"{owner}: {name} {value!r} is not an integer") from error


def as_score(value: Any) -> float:
    """Return a number, or an array or Variable with one element, as a float."""
    x = unwrap(value)
    try:
        if isinstance(x, Real):
            return float(x)
        x = move(x, get_backend("numpy"))
        return float(np.asarray(x).reshape(()).astype(np.float64, casting="same_kind"))
    except (TypeError, ValueError) as error:
        raise ArgumentError(
            f"Checkpointer.save: score {value!r}; expected one real number"
        ) from error
