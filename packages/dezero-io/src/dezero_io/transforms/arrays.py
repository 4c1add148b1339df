"""Transforms of arrays, applied to whole batches where they can be.

A transform is called with one example. If it has a method ``batch``, a loader calls that with
many at once, stacked along a new first axis; it gives the same as one by one, faster. If its
attribute ``constant`` is true, it gives the same each time: then a data set may be transformed
once and kept on a device.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from dezero_core.errors import ArgumentError, ShapeError


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
    """Examples (B, ...) transformed: at once if ``transform`` can, else one by one."""
    if transform is None or len(xs) == 0:
        return xs
    if hasattr(transform, "batch"):
        return transform.batch(xs)
    return np.array([transform(x) for x in xs])


class Flatten:
    """All axes joined: (...) to (M,)."""

    constant = True

    def __call__(self, x: Any) -> Any:
        return x.reshape(-1)

    def batch(self, xs: Any) -> Any:
        """(B, ...) to (B, M)."""
        return xs.reshape(len(xs), -1)


class AsType:
    """The same numbers in another dtype.

    Args:
        dtype: by name or as NumPy's (default float32).
    """

    constant = True

    def __init__(self, dtype: Any = np.float32) -> None:
        self.dtype = dtype

    def __call__(self, x: Any) -> Any:
        return x.astype(self.dtype)

    def batch(self, xs: Any) -> Any:
        """The same for many examples."""
        return self(xs)


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
    """(x - mean) / std.

    Args:
        mean, std: one number for all elements, or one for each channel, the first axis of an
            example. Float dtypes are kept.

    Raises:
        ArgumentError: some ``std`` is 0.
    """

    constant = True

    def __init__(self, mean: float | Sequence[float] = 0, std: float | Sequence[float] = 1) -> None:
        if not np.all(np.asarray(std)):
            raise ArgumentError(f"Normalize: std {std} would divide by 0")
        self.mean, self.std = mean, std

    def __call__(self, x: Any) -> Any:
        return self.batch(x[np.newaxis])[0]

    def batch(self, xs: Any) -> Any:
        """Examples (B, ...) or (B, C, ...)."""
        return (xs - per_channel(self.mean, xs)) / per_channel(self.std, xs)


def per_channel(values: Any, xs: Any) -> Any:
    """Numbers for the channels of (B, C, ...) in a shape that broadcasts; one number as it is."""
    if isinstance(values, int | float):
        return values
    if xs.ndim < 2 or len(values) not in (1, xs.shape[1]):
        raise ShapeError(f"Normalize: {len(values)} channels for examples of {xs.shape[1:]}")
    dtype = xs.dtype if xs.dtype.kind == "f" else np.float32
    return np.asarray(values, dtype).reshape(-1, *[1] * (xs.ndim - 2))
