"""Dataset: examples by number."""

from __future__ import annotations

from collections.abc import Callable
from operator import index
from typing import Any

import numpy as np

from dezero_core.errors import ArgumentError, ShapeError

from ..collation import collate, examples_of
from ..host_arrays import host_array, is_table, rows
from ..transforms.arrays import transformed


class Dataset:
    """Base of datasets (book step 49). Subclasses fill ``data`` and ``label`` in ``prepare``.

    Args:
        train: the part to train with (default), else the part to test with.
        transform: applied to each example.
        target_transform: applied to each label.

    Attributes:
        data: the examples, a host array of shape (N, ...).
        label: their labels, a host array of shape (N, ...), or None.
    """

    def __init__(
        self,
        train: bool = True,
        transform: Callable[[Any], Any] | None = None,
        target_transform: Callable[[Any], Any] | None = None,
    ) -> None:
        self.train = train
        self.transform, self.target_transform = transform, target_transform
        self.data: Any = None
        self.label: Any = None
        self.prepare()

    def prepare(self) -> None:
        """Set ``data`` and ``label``."""

    def __repr__(self) -> str:
        try:
            size = f"{len(self)} examples"
        except Exception:  # repr must not fail before prepare()
            size = "no examples yet"
        part = "train" if getattr(self, "train", True) else "test"
        return f"{type(self).__name__}({size}, {part})"

    def __len__(self) -> int:
        if self.data is None:
            raise ArgumentError(f"{type(self).__name__}: data is None; set it in prepare()")
        return len(self.data)

    def __getitem__(self, index: Any) -> tuple[Any, Any]:
        """Return example and label number ``index``; the label is None if there are no labels.

        A slice, a list of numbers or a mask gives a batch, as `gather` does.
        """
        if not is_integer(index):
            return self.gather(np.arange(len(self))[index])
        x = rows(self.data)[index]
        t = None if self.label is None else rows(self.label)[index]
        x = self.transform(x) if self.transform else x
        return x, self.target_transform(t) if self.target_transform and t is not None else t

    def gather(self, indices: Any) -> tuple[Any, Any]:
        """Return examples and labels by their numbers, as arrays.

        Rows of arrays are selected in one step, and transforms that can process whole batches do
        so. Examples are stacked as in `DataLoader`.

        Raises:
            ShapeError: the numbers of examples and labels differ, or the shapes of examples.
            ArgumentError: examples differ in type, length or keys; the message names them.
        """
        own = type(self).__getitem__ is Dataset.__getitem__
        if own and self.label is not None and len(self.label) != len(self.data):
            raise ShapeError(
                f"{type(self).__name__}: {len(self.data)} examples, {len(self.label)} labels"
            )
        if own and is_table(rows(self.data)):
            try:
                return self._gathered(indices)
            except (ArgumentError, ShapeError):
                pass  # one by one, so that the message names the example
        batch: tuple[Any, Any] = collate(examples_of(self, indices), indices)
        return batch

    def _gathered(self, indices: Any) -> tuple[Any, Any]:
        """Return rows of the data and their labels, transformed as one batch."""
        name = type(self).__name__
        x = transformed(self.transform, host_array(name, rows(self.data)[indices]))
        if self.label is None:
            return x, None
        if is_table(rows(self.label)):
            t = host_array(name, rows(self.label)[indices])
        else:
            t = collate(examples_of(rows(self.label), indices), indices, "[1]")
        return x, transformed(self.target_transform, t)


def is_integer(x: Any) -> bool:
    """Return whether ``x`` is the number of one example, by NumPy's rules."""
    try:
        index(x)
    except TypeError:
        return False
    return True
