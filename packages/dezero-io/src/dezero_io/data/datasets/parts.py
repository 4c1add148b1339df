"""Combine datasets: select examples, concatenate datasets, and pair arrays."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from itertools import pairwise
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dezero_core.errors import ArgumentError, ArgumentTypeError, ShapeError
from dezero_core.extend import generator as default_generator
from dezero_core.hints import hinted

from ..collation import collate, examples_of
from ..host_arrays import host_array, rows
from ..loader_arguments import require_dataset, require_generator
from .dataset import Dataset


class DatasetPart(ABC):
    """Base class of datasets that take their examples from other datasets or arrays."""

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def __getitem__(self, index: int) -> Any: ...

    def gather(self, indices: NDArray[Any]) -> Any:
        """Return the batch of examples at ``indices``, as `DataLoader` stacks them."""
        return collate(examples_of(self, indices), indices)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self)} examples)"


class Subset(DatasetPart):
    """Select some examples of a dataset.

    Args:
        dataset: anything with ``len(dataset)`` and ``dataset[i]``.
        indices: the positions of the selected examples in ``dataset``; a position may occur twice.

    Raises:
        ArgumentError: the dataset has no length or no examples at integers; an index is not an
            integer, or is outside the dataset.
    """

    @hinted
    def __init__(self, dataset: Any, indices: ArrayLike) -> None:
        require_dataset(dataset, "Subset")
        self.dataset = rows(dataset)
        self.indices = np.asarray(indices if len(np.shape(indices)) else [indices])
        if self.indices.size == 0:
            self.indices = self.indices.astype(np.int64)
        size = len(self.dataset)
        if self.indices.ndim != 1 or self.indices.dtype.kind not in "iu":
            raise ArgumentError(
                f"Subset: indices are {self.indices.dtype} {self.indices.shape}; expected one axis "
                "of integers"
            )
        outside = self.indices[(self.indices < -size) | (self.indices >= size)]
        if len(outside):
            raise ArgumentError(
                f"Subset: index {outside[0]}, the dataset has {size} examples; expected indices in "
                f"[{-size}, {size})"
            )

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int) -> Any:
        return self.dataset[int(self.indices[index])]

    def gather(self, indices: NDArray[Any]) -> Any:
        if isinstance(self.dataset, Dataset | DatasetPart):
            return self.dataset.gather(self.indices[indices])
        return super().gather(indices)


class ConcatDataset(DatasetPart):
    """Concatenate datasets: the examples of the second dataset follow those of the first.

    Args:
        datasets: one or more datasets, each with ``len(dataset)`` and ``dataset[i]``.

    Raises:
        ArgumentTypeError: ``datasets`` is not a list or another iterable.
        ArgumentError: there are no datasets, or one has no length or no examples at integers.
    """

    @hinted
    def __init__(self, datasets: Iterable[Any]) -> None:
        if not isinstance(datasets, Iterable):
            found = f"datasets is of type {type(datasets).__name__}"
            raise ArgumentTypeError(f"ConcatDataset: {found}; expected a list of datasets")
        self.datasets = [rows(dataset) for dataset in datasets]
        for dataset in self.datasets:
            require_dataset(dataset, "ConcatDataset")
        if not self.datasets:
            raise ArgumentError("ConcatDataset: no datasets; expected at least one")

    def __len__(self) -> int:
        return sum(map(len, self.datasets))

    def __getitem__(self, index: int) -> Any:
        size = len(self)
        if not -size <= index < size:
            raise IndexError(f"ConcatDataset: index {index} of {size} examples")
        index %= size
        for dataset in self.datasets:
            if index < len(dataset):
                return dataset[index]
            index -= len(dataset)
        raise AssertionError


class TensorDataset(DatasetPart):
    """Pair the rows of arrays of equal lengths: example i is a tuple of row i of each array.

    Args:
        arrays: one or more arrays of shape (N, ...).

    Raises:
        ArgumentError: there are no arrays.
        ShapeError: an array has no axis, or the lengths of two arrays differ.
    """

    @hinted
    def __init__(self, *arrays: ArrayLike) -> None:
        if not arrays:
            raise ArgumentError("TensorDataset: no arrays; expected at least one")
        self.arrays = [host_array("TensorDataset", array) for array in arrays]
        shapes = [array.shape for array in self.arrays]
        if any(shape[:1] != shapes[0][:1] or not shape for shape in shapes):
            raise ShapeError(
                f"TensorDataset: arrays of shapes {', '.join(map(str, shapes))}; expected equal "
                "lengths of the first axis"
            )

    def __len__(self) -> int:
        return len(self.arrays[0])

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        return tuple(array[index] for array in self.arrays)

    def gather(self, indices: NDArray[Any]) -> tuple[NDArray[Any], ...]:
        return tuple(array[indices] for array in self.arrays)


def random_split(
    dataset: Any, lengths: Sequence[float], generator: np.random.Generator | None = None
) -> list[Subset]:
    """Split a dataset at random into parts without common examples.

    Args:
        dataset: anything with ``len(dataset)`` and ``dataset[i]``.
        lengths: the numbers of examples of the parts, or fractions whose sum is 1; ``[1.0]``
            is one fraction, ``[1]`` one example. With fractions, the examples that rounding leaves
            over go to the first parts, one to each.
        generator: the generator to draw from; DeZero's if None (see `dezero_core.seed`).

    Returns:
        a `Subset` for each length.

    Raises:
        ArgumentTypeError: ``lengths`` is not a list of numbers, or ``generator`` is not a
            generator.
        ArgumentError: the dataset has no length, a length is negative or not finite, or the sum of
            the lengths is not the number of examples.
    """
    require_dataset(dataset, "random_split")
    require_generator("random_split", generator)
    if not isinstance(lengths, Sequence | np.ndarray) or not all(
        isinstance(n, Real) for n in lengths
    ):
        raise ArgumentTypeError(
            f"random_split: lengths {lengths!r}: expected a list of numbers, such as [0.8, 0.2]"
        )
    size = len(dataset)
    if len(lengths) == 0 or not all(0 <= n < math.inf for n in lengths):
        raise ArgumentError(
            f"random_split: lengths are {list(lengths)}; expected finite numbers of at least 0"
        )
    sizes = [int(n) for n in lengths]
    is_one = math.isclose(sum(lengths), 1)
    has_floats = not all(isinstance(n, Integral) for n in lengths)
    if (is_one and has_floats) or any(n != m for n, m in zip(sizes, lengths, strict=True)):
        if not is_one:
            raise ArgumentError(f"random_split: the fractions {list(lengths)} do not add up to 1")
        sizes = [math.floor(size * fraction) for fraction in lengths]
        for i in range(size - sum(sizes)):
            sizes[i % len(sizes)] += 1
    if sum(sizes) != size:
        raise ArgumentError(
            f"random_split: lengths {sizes} add up to {sum(sizes)}, the dataset has {size} "
            f"examples; expected lengths that add up to {size}, or fractions that add up to 1"
        )
    order = (generator or default_generator()).permutation(size)
    ends = np.cumsum([0, *sizes])
    return [Subset(dataset, order[start:end]) for start, end in pairwise(ends)]
