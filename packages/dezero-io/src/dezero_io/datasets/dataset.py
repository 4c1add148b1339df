"""Dataset: examples by number."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

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

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        """Example and label number ``index``; the label is None where there are none."""
        x = self.data[index]
        t = None if self.label is None else self.label[index]
        x = self.transform(x) if self.transform else x
        return x, self.target_transform(t) if self.target_transform and t is not None else t

    def batch(self, indices: Any) -> tuple[Any, Any]:
        """Examples and labels by their numbers, as arrays: one gather, if they are in arrays."""
        own = type(self).__getitem__ is Dataset.__getitem__
        if not own or not isinstance(self.data, np.ndarray):
            return stacked([self[int(i)] for i in indices])
        x = transformed(self.transform, self.data[indices])
        if self.label is None:
            return x, None
        return x, transformed(self.target_transform, np.asarray(self.label)[indices])


def stacked(examples: list[tuple[Any, Any]]) -> tuple[Any, Any]:
    """Pairs of example and label as two arrays."""
    xs, ts = zip(*examples, strict=True)
    return np.array(xs), None if ts[0] is None else np.array(ts)
