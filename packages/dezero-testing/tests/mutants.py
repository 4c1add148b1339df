"""Wrong backends: each is NumPy under another name with one mistake that a library could make."""

from __future__ import annotations

from typing import Any

import numpy as np

from dezero_core.backends import portable
from dezero_core.extend import generator

from .loopback import LoopBackend, as_loop


def host(x: Any) -> Any:
    """Return an array of the backend as a NumPy array."""
    return np.asarray(x).view(np.ndarray)


def sum_takes_the_wrong_axis(backend: LoopBackend) -> None:
    """sum over one axis counts axes from the other end."""

    def sum(x: Any, axis: Any = None, **settings: Any) -> Any:
        axis = np.ndim(x) - 1 - axis % np.ndim(x) if isinstance(axis, int) else axis
        return as_loop(np.sum(host(x), axis=axis, **settings))

    backend.xp.sum = sum


def sum_leaks_float64(backend: LoopBackend) -> None:
    """sum accumulates in double precision and returns float64."""
    backend.xp.sum = lambda x, axis=None, keepdims=False, dtype=None: as_loop(
        np.sum(host(x), axis=axis, keepdims=keepdims, dtype="float64")
    )


def exp_leaks_float64(backend: LoopBackend) -> None:
    """exp returns float64."""
    backend.xp.exp = lambda x: as_loop(np.exp(host(x).astype("float64")))


def scalars_are_strong(backend: LoopBackend) -> None:
    """A Python number beside a float32 array becomes float64."""
    backend.scalar_like = lambda x, y: as_loop(np.asarray(float(x)))


def argmax_takes_the_last_of_equals(backend: LoopBackend) -> None:
    """argmax returns the last of equal elements."""

    def argmax(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
        flipped = np.flip(host(x), axis=axis)
        last = np.argmax(flipped, axis=axis, keepdims=keepdims)
        return as_loop((np.size(x) if axis is None else np.shape(x)[axis]) - 1 - last)

    backend.xp.argmax = argmax


def to_numpy_is_stale(backend: LoopBackend) -> None:
    """to_numpy returns the first array of each shape again and again."""
    seen: dict[Any, Any] = {}
    backend.to_numpy = lambda x: seen.setdefault((x.shape, x.dtype.str), np.array(host(x))).copy()


def to_numpy_shares_memory(backend: LoopBackend) -> None:
    """to_numpy returns a view."""
    backend.to_numpy = host


def from_numpy_rounds(backend: LoopBackend) -> None:
    """from_numpy loses half of the digits."""

    def from_numpy(x: Any) -> Any:
        x = np.array(x)
        return as_loop(x.astype("float16").astype(x.dtype) if x.dtype.kind == "f" else x)

    backend.from_numpy = from_numpy


def from_numpy_drops_the_order(backend: LoopBackend) -> None:
    """from_numpy reads arrays that are not contiguous in the order of their memory."""
    backend.from_numpy = lambda x: as_loop(
        np.array(x).ravel(order="K").reshape(np.shape(x)) if np.ndim(x) > 1 else np.array(x)
    )


def broadcast_loses_its_gradient(backend: LoopBackend) -> None:
    """A sum over several axes forgets all but the first: gradients of broadcasts are too small."""

    def sum(x: Any, axis: Any = None, keepdims: bool = False, **settings: Any) -> Any:
        y = np.sum(host(x), axis=axis, keepdims=keepdims, **settings)
        lost = 0.5 if isinstance(axis, tuple) and len(axis) > 1 else 1.0
        return as_loop(y * np.asarray(lost, y.dtype))

    backend.xp.sum = sum


def iadd_forgets(backend: LoopBackend) -> None:
    """iadd returns the sum without writing it."""
    backend.iadd = lambda x, y: x + y


def copies_are_aliases(backend: LoopBackend) -> None:
    """is_view says that a slice shares no memory."""
    backend.is_view = lambda x: False


def scatter_counts_once(backend: LoopBackend) -> None:
    """scatter_add keeps only the last value of a repeated index."""

    def scatter_add(x: Any, index: Any, values: Any) -> Any:
        x[index] += values
        return x

    backend.scatter_add = scatter_add


def indices_do_not_wrap(backend: LoopBackend) -> None:
    """get_item takes negative steps for positive ones."""

    def get_item(x: Any, index: Any) -> Any:
        parts = index if isinstance(index, tuple) else (index,)
        parts = tuple(
            slice(p.start, p.stop, -p.step) if isinstance(p, slice) and (p.step or 1) < 0 else p
            for p in parts
        )
        return as_loop(host(x)[parts if isinstance(index, tuple) else parts[0]])

    backend.get_item = get_item


def padding_is_always_zero(backend: LoopBackend) -> None:
    """pad ignores its fill value."""
    backend.pad = lambda x, widths, value: portable.pad(backend, x, widths, 0.0)


def padding_is_on_one_side(backend: LoopBackend) -> None:
    """pad pads only before the first element."""
    backend.pad = lambda x, widths, value: portable.pad(
        backend, x, tuple((a + b, 0) for a, b in widths), value
    )


def windows_ignore_the_stride(backend: LoopBackend) -> None:
    """sliding_windows ignores the stride and returns the first windows."""

    def sliding_windows(x: Any, kernel: Any, stride: Any, dilation: Any) -> Any:
        right = portable.sliding_windows(backend.xp, x, kernel, stride, dilation)
        dense = portable.sliding_windows(backend.xp, x, kernel, (1, 1), dilation)
        return dense[..., : right.shape[-2], : right.shape[-1]]

    backend.sliding_windows = sliding_windows


def windows_ignore_the_dilation(backend: LoopBackend) -> None:
    """sliding_windows ignores the dilation."""

    def sliding_windows(x: Any, kernel: Any, stride: Any, dilation: Any) -> Any:
        right = portable.sliding_windows(backend.xp, x, kernel, stride, dilation)
        dense = portable.sliding_windows(backend.xp, x, kernel, stride, (1, 1))
        return dense[..., : right.shape[-2], : right.shape[-1]]

    backend.sliding_windows = sliding_windows


def zeros_are_doubles(backend: LoopBackend) -> None:
    """zeros ignores the dtype of its second argument."""
    backend.zeros = lambda shape, y: as_loop(np.zeros(shape))


def random_numbers_repeat(backend: LoopBackend) -> None:
    """uniform returns the same numbers in each call."""
    backend.uniform = lambda shape, dtype: as_loop(
        np.random.default_rng(0).random(shape).astype(dtype)
    )


def random_numbers_ignore_the_seed(backend: LoopBackend) -> None:
    """uniform draws from a generator that seed() does not reset."""
    own = np.random.default_rng()
    backend.uniform = lambda shape, dtype: as_loop(own.random(shape).astype(dtype))


def random_numbers_are_equal_on_all_ranks(backend: LoopBackend) -> None:
    """uniform draws from the generator that is equal on all ranks of a job."""
    backend.uniform = lambda shape, dtype: as_loop(generator().random(shape).astype(dtype))


def where_is_swapped_at_equality(backend: LoopBackend) -> None:
    """where takes the second value where the two are close."""
    backend.xp.where = lambda c, a, b: as_loop(
        np.where(host(c) & (np.abs(host(a) - host(b)) > 0.1), host(a), host(b))
    )


def clip_has_no_top(backend: LoopBackend) -> None:
    """clip ignores its upper bound."""
    backend.xp.clip = lambda x, low=None, high=None: as_loop(
        host(x) if low is None else np.maximum(host(x), np.asarray(low, np.asarray(x).dtype))
    )


def integers_become_floats(backend: LoopBackend) -> None:
    """from_numpy converts integers to float32, so labels and indices are no longer integers."""
    backend.from_numpy = lambda x: as_loop(
        np.array(x).astype("float32") if np.asarray(x).dtype.kind == "i" else np.array(x)
    )


CAUGHT_BY = {
    sum_takes_the_wrong_axis: "arrays/sum over an axis",
    sum_leaks_float64: "arrays/sum",
    exp_leaks_float64: "arrays/exp",
    scalars_are_strong: "arrays/zeros, arange, asarray, scalar_like, dtype",
    argmax_takes_the_last_of_equals: "arrays/argmax of ties",
    to_numpy_is_stale: "arrays/max",
    to_numpy_shares_memory: "transfers/both ways make copies",
    from_numpy_rounds: "arrays/sum",
    from_numpy_drops_the_order: "transfers/values are kept",
    broadcast_loses_its_gradient: "arrays/sum over axes",
    iadd_forgets: "arrays/writing in place",
    copies_are_aliases: "arrays/copies and views",
    scatter_counts_once: "arrays/scatter_add",
    indices_do_not_wrap: "arrays/get_item",
    padding_is_always_zero: "arrays/pad",
    padding_is_on_one_side: "arrays/pad",
    windows_ignore_the_stride: "arrays/sliding_windows",
    windows_ignore_the_dilation: "arrays/sliding_windows",
    zeros_are_doubles: "arrays/zeros, arange, asarray, scalar_like, dtype",
    random_numbers_repeat: "arrays/uniform",
    random_numbers_ignore_the_seed: "arrays/uniform",
    random_numbers_are_equal_on_all_ranks: "arrays/uniform",
    where_is_swapped_at_equality: "arrays/zeros with signs and infinities",
    clip_has_no_top: "arrays/clip",
    integers_become_floats: "arrays/zeros, arange, asarray, scalar_like, dtype",
}
"""The first item of the kit that fails, by mutant."""
