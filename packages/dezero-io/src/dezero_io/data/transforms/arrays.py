"""Transforms of arrays, applied to whole batches where they can be.

A transform is called with one example. If it has a method ``batch``, a loader calls that with
many at once, stacked along a new first axis; it gives the same as one by one, faster. If its
attribute ``constant`` is true, it gives the same each time: then a data set may be transformed
once and kept on a device.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np

from dezero_core.errors import ArgumentError, ShapeError

from ..collation import collate
from ..host_arrays import host_array


class Compose:
    """Several transforms, one after the other.

    Args:
        transforms: functions of one example; none leave it as it is.
    """

    def __init__(self, transforms: Sequence[Callable[[Any], Any]] = ()) -> None:
        self.transforms = list(transforms)

    @property
    def constant(self) -> bool:
        """Whether all of them give the same each time."""
        return all(getattr(transform, "constant", False) for transform in self.transforms)

    def __call__(self, x: Any) -> Any:
        for transform in self.transforms:
            x = transform(x)
        return x

    def batch(self, xs: Any) -> Any:
        """Every transform on many examples, (B, ...)."""
        for transform in self.transforms:
            xs = transformed(transform, xs)
        return xs


def transformed(transform: Callable[[Any], Any] | None, xs: Any) -> Any:
    """Transform examples (B, ...): together if ``transform`` can, else one by one."""
    if transform is None:
        return xs
    if hasattr(transform, "batch"):
        return transform.batch(xs)
    if len(xs) == 0:
        return xs
    return collate([transform(x) for x in xs], range(len(xs)), "[0]")


class Flatten:
    """All axes joined: (...) to (M,)."""

    constant = True

    def __call__(self, x: Any) -> Any:
        return host_array("Flatten", x).reshape(-1)

    def batch(self, xs: Any) -> Any:
        """Return examples (B, ...) as (B, M), also if B is 0."""
        xs = host_array("Flatten", xs)
        return xs.reshape(len(xs), prod(xs.shape[1:]))


class AsType:
    """Convert an array to another dtype; integers drop fractions.

    Args:
        dtype: a NumPy dtype or its name (default float32); byte order becomes native.

    Raises:
        ArgumentError: an integer dtype cannot hold a number, or the number is NaN. Numbers too
            large for a floating dtype become infinite, with NumPy's warning.
    """

    constant = True

    def __init__(self, dtype: Any = np.float32) -> None:
        self.dtype = np.dtype(dtype).newbyteorder("=")

    def __call__(self, x: Any) -> Any:
        return converted(type(self).__name__, host_array(type(self).__name__, x), self.dtype)

    def batch(self, xs: Any) -> Any:
        """Convert many examples to the dtype."""
        return self(xs)


def converted(name: str, x: Any, dtype: np.dtype[Any]) -> Any:
    """Return a copy of an array in ``dtype``, which must be able to hold its numbers."""
    if x.dtype.kind == "c" and dtype.kind != "c":
        raise ArgumentError(f"{name}: complex numbers do not fit in {dtype}; take x.real or abs(x)")
    if dtype.kind in "iu" and x.size and not np.can_cast(x.dtype, dtype, "safe"):
        low, high, limits = x.min().item(), x.max().item(), np.iinfo(dtype)
        if not (limits.min - 1 < low and high < limits.max + 1):  # so that NaN is refused
            raise ArgumentError(f"{name}: numbers from {low} to {high} do not fit in {dtype}")
    return x.astype(dtype)


ToFloat = AsType
"""The book's name for `AsType`."""


class ToInt(AsType):
    """The integer parts of numbers.

    Args:
        dtype: by name or as NumPy's (default int64).
    """

    def __init__(self, dtype: Any = np.int64) -> None:
        super().__init__(dtype)


class Normalize:
    """Compute (x - mean) / std in floating point.

    The result has the dtype of a floating input; float16 is computed in float32. For integers and
    bools it is float32, computed in float64 if they have 32 bits or more.

    Args:
        mean, std: one number for all elements; one for each channel, the first axis of an
            example; or an array with as many axes as an example, which broadcasts to it.

    Raises:
        ArgumentError: a ``std`` is 0, or a number is infinite or NaN; examples are not numbers.
        ShapeError: an example has another number of channels.
    """

    constant = True

    def __init__(self, mean: Any = 0, std: Any = 1) -> None:
        self.mean, self.std = finite("mean", mean), finite("std", std)
        if not np.all(self.std):
            raise ArgumentError(f"Normalize: std {std} would divide by 0")

    def __call__(self, x: Any) -> Any:
        return self.batch(host_array("Normalize", x)[np.newaxis])[0]

    def batch(self, xs: Any) -> Any:
        """Normalize examples (B, ...) or (B, C, ...)."""
        xs = host_array("Normalize", xs)
        if xs.dtype.kind not in "biuf":
            raise ArgumentError(f"Normalize: examples of dtype {xs.dtype}; expected real numbers")
        dtype = np.result_type(xs.dtype, np.float32)
        ys = xs.astype(dtype, copy=False) - per_channel(self.mean, xs, dtype)
        ys /= per_channel(self.std, xs, dtype)
        return ys.astype(xs.dtype if xs.dtype.kind == "f" else np.float32, copy=False)


def finite(name: str, values: Any) -> Any:
    """Return numbers as a float or an array of float64, if all are finite."""
    numbers = host_array("Normalize", values)
    if numbers.dtype.kind not in "biuf" or not np.all(np.isfinite(numbers)):
        raise ArgumentError(f"Normalize: {name} {values}; expected finite numbers")
    return numbers.astype(np.float64) if numbers.ndim else float(numbers)


def per_channel(values: Any, xs: Any, dtype: Any) -> Any:
    """Reshape numbers to broadcast with examples (B, ...); return a single number unchanged."""
    if isinstance(values, float):
        return values
    example = xs.shape[1:]
    if values.ndim == 1 and example and len(values) in (1, example[0]):
        shape: tuple[int, ...] = (-1, *[1] * (len(example) - 1))
    elif values.ndim == len(example) and all(
        n in (1, m) for n, m in zip(values.shape, example, strict=True)
    ):
        shape = values.shape
    elif values.ndim == 1:
        raise ShapeError(f"Normalize: {len(values)} channels for examples of {example}")
    else:
        raise ShapeError(f"Normalize: numbers of shape {values.shape} for examples of {example}")
    return values.astype(dtype).reshape(shape)
