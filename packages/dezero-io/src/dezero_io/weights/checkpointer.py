"""Keep the latest checkpoints and the best checkpoint of a run in one folder."""

from __future__ import annotations

import re
import secrets
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import isnan, nan
from numbers import Real
from operator import index
from pathlib import Path
from typing import Any, SupportsIndex

import numpy as np

from dezero_core.errors import ArgumentError, FormatError, WeightsError
from dezero_core.extend import get_backend, unwrap
from dezero_core.hints import hinted
from dezero_core.state import FilePath, file_path, move

from . import npz
from .checkpoint import Checkpoint, load_checkpoint, parts_by_name, save_checkpoint


class Checkpointer:
    """Save the checkpoints of a run in one folder; keep the latest ones and the best one.

    Args:
        folder: the folder, created by the first save.
        keep: the number of latest checkpoints to keep, at least 1 (default 3).
        best: ``"max"`` or ``"min"``: also keep the checkpoint with the largest or smallest
            ``score``; if scores are equal, the earliest checkpoint. A score of NaN is never the
            best.
        writer: whether this process writes checkpoints (default True). In a parallel run, one
            process writes for all; in the others, `save` checks its arguments and writes nothing.

    Raises:
        ArgumentError: ``keep`` is not an integer of at least 1, ``best`` is invalid, ``writer`` is
            neither True nor False, or ``folder`` is a file.
    """

    PATTERN = re.compile(r"step-(\d+)\.npz")

    @hinted
    def __init__(
        self, folder: FilePath, keep: int = 3, best: str | None = None, writer: bool = True
    ) -> None:
        if integer("Checkpointer", "keep", keep) < 1:
            raise ArgumentError(f"Checkpointer: keep {keep} is below 1")
        if best not in (None, "max", "min"):
            raise ArgumentError(f"Checkpointer: best is {best!r}, not 'max', 'min' or None")
        self.folder, self.keep, self.best = file_path(folder), keep, best
        if not isinstance(writer, bool):
            raise ArgumentError(f"Checkpointer: writer is {writer!r}; expected True or False")
        self.writer = writer
        if self.folder.is_file():
            raise ArgumentError(f"Checkpointer: {self.folder} is a file; expected a folder")

    def steps(self) -> list[int]:
        """Return the step numbers of the existing checkpoints, in ascending order."""
        try:
            matches = [self.PATTERN.fullmatch(file.name) for file in self.folder.iterdir()]
        except (FileNotFoundError, NotADirectoryError):
            return []
        return sorted(int(match[1]) for match in matches if match)

    def path(self, step: int) -> Path:
        """Return the path of the checkpoint for ``step``."""
        return self.folder / f"step-{step:09}.npz"

    @parts_by_name
    def save(
        self,
        step: int,
        *,
        score: object = None,
        metadata: Mapping[str, str] | None = None,
        rank_states: Sequence[object] = (),
        **parts: object,
    ) -> Path:
        """Write the checkpoint of ``step``, then delete checkpoints that need not be kept.

        If this process is not the writer, only the arguments are checked.

        Args:
            step: the step number, at least 0. The checkpoint with the largest step number is the
                latest.
            score: a number, or an array or Variable with one element; required if ``best`` is set,
                because ``best`` compares the scores. A score of NaN is never the best.
            metadata, rank_states, parts: as for `save_checkpoint`.

        Returns:
            the path of the checkpoint.

        Raises:
            ArgumentError: ``best`` is set, but ``score`` is missing; ``score`` is not a number;
                ``step`` is not an integer of at least 0. Nothing was written.
            SaveError, OSError: as for `save_checkpoint`; no earlier checkpoint was deleted.
        """
        if self.best and score is None:
            raise ArgumentError("Checkpointer.save: score is missing; best= compares it")
        step = integer("Checkpointer.save", "step", step)
        if step < 0:
            raise ArgumentError(f"Checkpointer.save: step {step} is below 0")
        strings = dict(metadata or {})
        if score is not None:
            strings["score"] = repr(as_score(score))
        if self.writer:
            self.folder.mkdir(parents=True, exist_ok=True)
            save_checkpoint(self.path(step), metadata=strings, rank_states=rank_states, **parts)
            self._prune(step)
        return self.path(step)

    def create_mark(self) -> str:
        """Create an empty file with a random name in the folder, and return the name.

        The processes of a parallel run compare their folders: one process creates the file and
        sends its name to the others, which call `has_mark`. The next call removes the file.

        Raises:
            OSError: the folder or the file cannot be created.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        for earlier in self.folder.glob(".mark-*"):
            earlier.unlink(missing_ok=True)
        name = f".mark-{secrets.token_hex(8)}"  # a new name is in no cache of a network folder
        (self.folder / name).touch()
        return name

    def has_mark(self, mark: str) -> bool:
        """Return whether the folder contains the file that another process created as a mark."""
        return (self.folder / mark).exists()

    @parts_by_name
    def load(self, **parts: Any) -> Checkpoint | None:
        """Load the newest undamaged checkpoint; return None if the folder has no checkpoint.

        A damaged checkpoint is skipped with a warning. Another process may save at the same time:
        if that process removes a file before this process reads it, the newest remaining checkpoint
        is loaded.

        Raises:
            FormatError: every checkpoint is damaged.
            KeyMismatch, WeightsError: the newest undamaged checkpoint does not fit the parts;
                nothing was changed.
        """
        error: FormatError | None = None
        skipped: set[int] = set()
        missed: set[int] = set()
        while steps := [step for step in self.steps() if step not in skipped]:
            step = steps[-1]
            try:
                loaded = load_checkpoint(self.path(step), **parts)
            except FormatError as damage:
                error = damage
                skipped.add(step)
                warnings.warn(f"skipped a checkpoint: {damage}", stacklevel=3)
                continue
            except FileNotFoundError:
                if not self.path(step).exists():
                    skipped.add(step)
                elif step in missed:  # the checkpoint exists, so a part raised the error
                    raise
                missed.add(step)
                continue
            return replace(loaded, step=step)
        if error is not None:
            raise FormatError(f"{self.folder}: every checkpoint is damaged") from error
        return None

    def best_step(self) -> int | None:
        """Return the step of the best existing checkpoint; if scores are equal, the earliest step.

        Return None if no checkpoint has a score, or all scores are NaN. If another process removes
        checkpoints meanwhile, the remaining checkpoints are compared.
        """
        removed: set[int] = set()
        while True:
            scored = {step: self._score(step) for step in self.steps() if step not in removed}
            newly_removed = {step for step, score in scored.items() if score is None}
            if not newly_removed:
                break
            removed |= newly_removed
        scores = {n: score for n, score in scored.items() if score is not None and not isnan(score)}
        if not scores:
            return None
        return (min if self.best == "min" else max)(scores, key=lambda step: scores[step])

    def _score(self, step: int) -> float | None:
        """Return the score of a checkpoint, NaN if it has no score, or None if it was removed."""
        try:
            manifest = npz.read_manifest(self.path(step))
            return float(manifest.metadata["score"]) if manifest else nan
        except FileNotFoundError:
            return None
        except (WeightsError, KeyError, ValueError):
            return nan

    def _prune(self, latest: int) -> None:
        """Delete all checkpoints except the last `keep`, the best, and that of step ``latest``."""
        keep = {latest, *self.steps()[-self.keep :]}
        if self.best and (best := self.best_step()) is not None:
            keep.add(best)
        for step in self.steps():
            if step not in keep:
                self.path(step).unlink(missing_ok=True)


def integer(owner: str, name: str, value: SupportsIndex) -> int:
    """Convert a Python or NumPy integer to an int."""
    try:
        return index(value)
    except TypeError as error:
        raise ArgumentError(f"{owner}: {name} {value!r} is not an integer") from error


def as_score(value: object) -> float:
    """Convert a number, or an array or Variable with one element, to a float."""
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
