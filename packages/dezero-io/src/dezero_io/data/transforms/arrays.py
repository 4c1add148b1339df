"""Transform arrays, one example at a time or a whole batch at once.

A transform is called with one example. If a transform has a method ``batch``, a loader calls that
method with many examples, stacked along a new first axis. The result is the same as for single
examples, but faster to compute. If the attribute ``constant`` of a transform is true, the transform
is deterministic, so a loader may transform a dataset once and store it on a device.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import prod
from reprlib import repr as shortened
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from dezero_core.errors import ArgumentError, ArgumentTypeError, ShapeError
from dezero_core.hints import hinted

from ..collation import collate
from ..host_arrays import host_array


class Compose:
    """Apply several transforms in order.

    Args:
        transforms: functions of one example; without functions the example is unchanged.

    Raises:
        ArgumentTypeError: ``transforms`` is not a list or another iterable of functions.
    """

    @hinted
    def __init__(self, transforms: Iterable[Callable[[Any], Any]] = ()) -> None:
        is_list = isinstance(transforms, Iterable)
        self.transforms = list(transforms) if is_list else []
        if not is_list or not all(map(callable, self.transforms)):
            raise ArgumentTypeError(
                f"Compose: got {transforms!r}; expected a list of transforms, which are functions"
            )

    @property
    def constant(self) -> bool:
        """Return whether every transform is deterministic."""
        return all(getattr(transform, "constant", False) for transform in self.transforms)

    def __call__(self, x: Any) -> Any:
        for transform in self.transforms:
            x = transform(x)
        return x

    def batch(self, xs: NDArray[Any]) -> Any:
        """Apply every transform to a batch of shape (B, ...)."""
        for transform in self.transforms:
            xs = apply_to_batch(transform, xs)
        return xs


def apply_to_batch(transform: Callable[[Any], Any] | None, xs: NDArray[Any]) -> Any:
    """Transform a batch (B, ...) at once if ``transform`` has ``batch``, else each example."""
    if transform is None:
        return xs
    if hasattr(transform, "batch"):
        return transform.batch(xs)
    if len(xs) == 0:
        return xs
    return collate([transform(x) for x in xs], range(len(xs)), "[0]")


class Flatten:
    """Reshape an array of any shape to one axis, (M,)."""

    constant = True

    def __call__(self, x: ArrayLike) -> NDArray[Any]:
        return host_array("Flatten", x).reshape(-1)

    def batch(self, xs: ArrayLike) -> NDArray[Any]:
        """Reshape a batch (B, ...) to (B, M); B may be 0."""
        arrays = host_array("Flatten", xs)
        return arrays.reshape(len(arrays), prod(arrays.shape[1:]))


class AsType:
    """Convert an array to another dtype; conversion to an integer dtype drops fractions.

    Args:
        dtype: a NumPy dtype or its name (default float32); the result has native byte order.

    Raises:
        ArgumentError: a value does not fit in an integer dtype, or is NaN. Values too large for a
            floating dtype become infinite, with NumPy's warning.
    """

    constant = True

    @hinted
    def __init__(self, dtype: DTypeLike = np.float32) -> None:
        self.dtype = native_dtype(type(self).__name__, dtype)

    def __call__(self, x: ArrayLike) -> NDArray[Any]:
        return cast_array(type(self).__name__, host_array(type(self).__name__, x), self.dtype)

    def batch(self, xs: ArrayLike) -> NDArray[Any]:
        """Convert a whole batch to the dtype."""
        return self(xs)


def native_dtype(name: str, dtype: DTypeLike) -> np.dtype[Any]:
    """Return a NumPy dtype in native byte order; raise `ArgumentError` for any other value."""
    try:
        if dtype is None:  # NumPy's default dtype
            raise TypeError
        return np.dtype(dtype).newbyteorder("=")
    except (TypeError, ValueError):
        raise ArgumentError(
            f"{name}: dtype {shortened(dtype)}; expected a dtype of NumPy, such as 'float32'"
        ) from None


def cast_array(name: str, x: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return a copy of an array in ``dtype``; raise `ArgumentError` if a value does not fit."""
    if x.dtype.kind == "c" and dtype.kind != "c":
        raise ArgumentError(f"{name}: complex numbers do not fit in {dtype}; take x.real or abs(x)")
    if dtype.kind in "iu" and x.size and not np.can_cast(x.dtype, dtype, "safe"):
        low, high, limits = x.min().item(), x.max().item(), np.iinfo(dtype)
        if not (limits.min - 1 < low and high < limits.max + 1):  # also refuses NaN
            raise ArgumentError(f"{name}: numbers from {low} to {high} do not fit in {dtype}")
    return x.astype(dtype)


ToFloat = AsType
"""An alias of `AsType`, named as in the book."""


class ToInt(AsType):
    """Convert an array to integers, dropping fractions.

    Args:
        dtype: an integer dtype of NumPy or its name (default int64).
    """

    @hinted
    def __init__(self, dtype: DTypeLike = np.int64) -> None:
        super().__init__(dtype)


class Normalize:
    """Compute (x - mean) / std in floating point.

    For a floating-point input, the result has the dtype of the input; float16 is computed in
    float32. For an integer or boolean input, the result is float32; integers of 32 bits or more are
    computed in float64.

    Args:
        mean, std: a number (default 0 and 1); one number per channel (the first axis of an
            example); or an array with as many axes as an example, which broadcasts to the example.

    Raises:
        ArgumentError: an element of ``std`` is 0; ``mean`` or ``std`` is infinite or NaN; examples
            are not real numbers.
        ShapeError: ``mean`` or ``std`` does not broadcast to an example.
    """

    constant = True

    @hinted
    def __init__(self, mean: ArrayLike = 0, std: ArrayLike = 1) -> None:
        self.mean, self.std = as_finite("mean", mean), as_finite("std", std)
        if not np.all(self.std):
            raise ArgumentError(f"Normalize: std {std!r} would divide by 0")

    def __call__(self, x: ArrayLike) -> NDArray[Any]:
        return self.batch(host_array("Normalize", x)[np.newaxis])[0]

    def batch(self, xs: ArrayLike) -> NDArray[Any]:
        """Normalize a batch (B, ...) or (B, C, ...)."""
        x = host_array("Normalize", xs)
        if x.dtype.kind not in "biuf":
            raise ArgumentError(f"Normalize: examples of dtype {x.dtype}; expected real numbers")
        dtype = np.result_type(x.dtype, np.float32)
        y = x.astype(dtype, copy=False) - per_channel(self.mean, x, dtype)
        y /= per_channel(self.std, x, dtype)
        return y.astype(x.dtype if x.dtype.kind == "f" else np.float32, copy=False)


def as_finite(name: str, values: ArrayLike) -> float | NDArray[Any]:
    """Return finite numbers as a float or a float64 array, else raise `ArgumentError`."""
    numbers = host_array("Normalize", values)
    if numbers.dtype.kind not in "biuf" or not np.all(np.isfinite(numbers)):
        raise ArgumentError(f"Normalize: {name} {values!r}; expected finite numbers")
    return numbers.astype(np.float64) if numbers.ndim else float(numbers)


def per_channel(
    values: float | NDArray[Any], xs: NDArray[Any], dtype: np.dtype[Any]
) -> float | NDArray[Any]:
    """Reshape ``values`` to broadcast to a batch (B, ...); return a float unchanged."""
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
        raise ShapeError(f"Normalize: {len(values)} values for examples of shape {example}")
    else:
        raise ShapeError(
            f"Normalize: mean or std of shape {values.shape} for examples of shape {example}"
        )
    return values.astype(dtype).reshape(shape)
