"""Define the base class of datasets, which return examples and labels by index."""

from __future__ import annotations

from collections.abc import Callable
from operator import index
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dezero_core.errors import ArgumentError, ShapeError
from dezero_core.hints import hinted

from ..collation import collate, examples_of
from ..host_arrays import host_array, is_table, rows
from ..loader_arguments import as_bool, require_function
from ..transforms.arrays import apply_to_batch


class Dataset:
    """Return examples and labels by index; the base class of datasets (book step 49).

    A subclass sets ``data`` and ``label`` in `prepare`.

    Args:
        train: True for the training set (default), False for the test set.
        transform: a function applied to each example, or None (default).
        target_transform: a function applied to each label, or None (default).

    Attributes:
        data: the examples, a NumPy array of shape (N, ...).
        label: the labels of the examples, a NumPy array of shape (N, ...), or None.

    Raises:
        ArgumentTypeError: a transform is neither a function nor None.
    """

    # The defaults of a subclass whose __init__ does not call Dataset.__init__.
    train = True
    transform: Callable[[Any], Any] | None = None
    target_transform: Callable[[Any], Any] | None = None
    data: Any = None
    label: Any = None

    @hinted
    def __init__(
        self,
        train: bool = True,
        transform: Callable[[Any], Any] | None = None,
        target_transform: Callable[[Any], Any] | None = None,
    ) -> None:
        self.train = as_bool(type(self).__name__, "train", train)
        require_function(type(self).__name__, "transform", transform)
        require_function(type(self).__name__, "target_transform", target_transform)
        self.transform, self.target_transform = transform, target_transform
        self.prepare()

    def prepare(self) -> None:
        """Set ``data`` and ``label``; a subclass overrides this method."""

    def __repr__(self) -> str:
        try:
            size = f"{len(self)} examples"
        except Exception:  # repr must not fail before prepare()
            size = "no examples yet"
        part = "train" if self.train else "test"
        return f"{type(self).__name__}({size}, {part})"

    def __len__(self) -> int:
        return len(self._examples())

    def _examples(self) -> Any:
        """Return ``data``; raise `ArgumentError` if it is None."""
        if self.data is None:
            raise ArgumentError(
                f"{type(self).__name__}: data is None; set it in prepare(), or define __len__ and "
                "__getitem__"
            )
        return self.data

    def __getitem__(self, index: Any) -> tuple[Any, Any]:
        """Return an example and its label; the label is None if the dataset has no labels.

        A slice, a list of integers or a mask selects a batch, as `gather` does.
        """
        if not is_integer(index):
            return self.gather(np.arange(len(self))[index])
        x = rows(self._examples())[index]
        t = None if self.label is None else rows(self.label)[index]
        x = self.transform(x) if self.transform else x
        return x, self.target_transform(t) if self.target_transform and t is not None else t

    def gather(self, indices: NDArray[Any]) -> tuple[Any, Any]:
        """Return the examples and labels at ``indices``, as arrays.

        Rows of arrays are selected in one step, and a transform with a method ``batch`` is applied
        to all rows at once. Examples are stacked as in `DataLoader`.

        Raises:
            ShapeError: the numbers of labels and examples differ, or two examples differ in shape.
            ArgumentError: two examples differ in type, length or keys; the message names both.
        """
        is_plain = type(self).__getitem__ is Dataset.__getitem__
        if is_plain and self.label is not None and len(self.label) != len(self.data):
            raise ShapeError(
                f"{type(self).__name__}: {len(self.data)} examples, {len(self.label)} labels"
            )
        if is_plain and is_table(rows(self.data)):
            try:
                return self._gathered(indices)
            except (ArgumentError, ShapeError):
                pass  # one by one, so that an error message names the example
        batch: tuple[Any, Any] = collate(examples_of(self, indices), indices)
        return batch

    def _gathered(self, indices: NDArray[Any]) -> tuple[Any, Any]:
        """Return rows of the data and their labels, transformed as one batch."""
        name = type(self).__name__
        x = apply_to_batch(self.transform, host_array(name, rows(self.data)[indices]))
        if self.label is None:
            return x, None
        if is_table(rows(self.label)):
            t = host_array(name, rows(self.label)[indices])
        else:
            t = collate(examples_of(rows(self.label), indices), indices, "[1]")
        return x, apply_to_batch(self.target_transform, t)


def is_integer(x: object) -> bool:
    """Return whether ``x`` is an integer index, by NumPy's rules."""
    try:
        index(x)  # type: ignore[arg-type]
    except TypeError:
        return False
    return True
