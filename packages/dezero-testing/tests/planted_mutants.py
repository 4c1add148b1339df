"""Wrong backends, with faults that backend authors planted in MLX, here in the loopback backend.

The kit once missed eight of them: see `MISSED_ONCE`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .loopback import LoopBackend, as_loop
from .mutants import host


def scatter_overwrites(backend: LoopBackend) -> None:
    """scatter_add writes the values over the elements."""

    def scatter_add(x: Any, index: Any, values: Any) -> Any:
        x[index] = values
        return x

    backend.scatter_add = scatter_add


def items_are_singles(backend: LoopBackend) -> None:
    """get_item returns float32 for float64."""

    def get_item(x: Any, index: Any) -> Any:
        y = as_loop(host(x)[index])
        return y.astype("float32") if y.dtype == np.float64 else y

    backend.get_item = get_item


def random_numbers_have_signs(backend: LoopBackend) -> None:
    """uniform draws from [-1, 1)."""
    draw = backend.uniform
    backend.uniform = lambda shape, dtype: 2 * draw(shape, dtype) - 1


def a_copy_is_the_array(backend: LoopBackend) -> None:
    """copy returns its argument."""
    backend.copy = lambda x: x


def iadd_forgets_its_argument(backend: LoopBackend) -> None:
    """iadd returns its first argument without adding to it."""
    backend.iadd = lambda x, y: x


def zeros_are_shared(backend: LoopBackend) -> None:
    """zeros returns the same array whenever shape and dtype are the same."""
    made: dict[Any, Any] = {}
    backend.zeros = lambda shape, y: made.setdefault(
        (shape, y.dtype.str), as_loop(np.zeros(shape, y.dtype))
    )


def chances_are_reversed(backend: LoopBackend) -> None:
    """bernoulli returns True with probability 1 - p."""
    draw = backend.bernoulli
    backend.bernoulli = lambda p, x: draw(1 - p, x)


def host_copies_are_read_only(backend: LoopBackend) -> None:
    """to_numpy returns an array that cannot be written to."""

    def to_numpy(x: Any) -> Any:
        y = np.array(host(x))
        y.flags.writeable = False
        return y

    backend.to_numpy = to_numpy


def where_rounds(backend: LoopBackend) -> None:
    """where computes in float32."""

    def where(c: Any, a: Any, b: Any) -> Any:
        y = np.where(host(c), host(a), host(b))
        return as_loop(y.astype("float32").astype(y.dtype) if y.dtype.kind == "f" else y)

    backend.xp.where = where


def sum_of_three_axes_is_of_two(backend: LoopBackend) -> None:
    """sum over three axes uses only the first slice of the third axis."""

    def sum(x: Any, axis: Any = None, keepdims: bool = False, **settings: Any) -> Any:
        x = host(x)
        if isinstance(axis, tuple) and len(axis) > 2:
            x = np.take(x, [0], axis=axis[2])
        return as_loop(np.sum(x, axis=axis, keepdims=keepdims, **settings))

    backend.xp.sum = sum


def clipped(index: Any) -> Any:
    """Return an index with negative integers replaced by zeros."""
    if isinstance(index, tuple):
        return tuple(clipped(part) for part in index)
    return np.maximum(index, 0) if getattr(index, "dtype", np.dtype(bool)).kind == "i" else index


def negative_indices_scatter_elsewhere(backend: LoopBackend) -> None:
    """scatter_add adds to the first element for a negative index in an array."""
    right = backend.scatter_add
    backend.scatter_add = lambda x, index, values: right(x, clipped(index), values)


def negative_indices_get_others(backend: LoopBackend) -> None:
    """get_item returns the first element for a negative index in an array."""
    right = backend.get_item
    backend.get_item = lambda x, index: right(x, clipped(index))


def indices_beyond_the_end_wrap(backend: LoopBackend) -> None:
    """get_item continues at the start of an axis for an index that is out of range."""
    right = backend.get_item

    def wrapped(index: Any, length: int) -> Any:
        return index % length if getattr(index, "dtype", np.dtype(bool)).kind == "i" else index

    def get_item(x: Any, index: Any) -> Any:
        parts = index if isinstance(index, tuple) else (index,)
        found = tuple(wrapped(part, n) for part, n in zip(parts, x.shape, strict=False))
        return right(x, found + parts[len(found) :])

    backend.get_item = get_item


def maximum_drops_nan(backend: LoopBackend) -> None:
    """maximum returns the other operand if one is NaN."""
    backend.xp.maximum = lambda x, y: as_loop(np.fmax(host(x), host(y)))


def max_drops_nan(backend: LoopBackend) -> None:
    """max ignores NaN."""
    backend.xp.max = lambda x, axis=None, keepdims=False: as_loop(
        np.fmax.reduce(host(x), axis=axis, keepdims=keepdims)
    )


def scalars_are_singles(backend: LoopBackend) -> None:
    """scalar_like rounds a number to float32 before it converts the number to float64."""
    backend.scalar_like = lambda x, y: as_loop(
        np.asarray(np.float32(x) if isinstance(x, float) else x, np.result_type(y.dtype, x))
    )


def the_sign_of_zero_is_one(backend: LoopBackend) -> None:
    """sign returns 1 for 0."""
    backend.xp.sign = lambda x: as_loop(np.copysign(np.ones_like(host(x)), host(x)))


def sum_of_all_loses_the_axes(backend: LoopBackend) -> None:
    """sum(axis=None, keepdims=True) returns an array without axes."""
    backend.xp.sum = lambda x, axis=None, keepdims=False, **settings: as_loop(
        np.sum(host(x), axis=axis, keepdims=keepdims and axis is not None, **settings)
    )


PLANTED = {
    scatter_overwrites: "arrays/scatter_add",
    items_are_singles: "forward/get_item",
    random_numbers_have_signs: "arrays/uniform",
    a_copy_is_the_array: "arrays/copies and views",
    iadd_forgets_its_argument: "arrays/copies and views",
    zeros_are_shared: "arrays/new arrays",
    chances_are_reversed: "dropout/ratio and masks",
    host_copies_are_read_only: "transfers/both ways make copies",
    where_rounds: "forward/where",
    sum_of_three_axes_is_of_two: "arrays/sum over three axes",
}
"""A test of the kit that fails, by mutant."""

MISSED_ONCE = {
    negative_indices_scatter_elsewhere: "arrays/scatter_add",
    negative_indices_get_others: "arrays/get_item",
    indices_beyond_the_end_wrap: "arrays/indices beyond the end",
    maximum_drops_nan: "arrays/maximum of NaN",
    max_drops_nan: "arrays/max of NaN",
    scalars_are_singles: "arrays/scalar_like float64",
    the_sign_of_zero_is_one: "arrays/sign of zeros",
    sum_of_all_loses_the_axes: "arrays/sum keepdims over all axes",
}
"""A test of the kit that fails, by mutant, for mutants that the kit once missed."""
