"""Express PyTorch functions with DeZero's, if that takes more than a line of the table.

Arguments have PyTorch's names and order. Tensors arrive as Variables or NumPy arrays.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import torch

from dezero_core import Buffer, using_config
from dezero_core import functions as C
from dezero_nn import functions as N
from dezero_nn.functions.dropout import Dropout

SEED = 42
"""The seed that op_db sets before a function that draws random numbers."""


def axes(dim: Any) -> Any:
    """Return the axes of a reduction: PyTorch's () means all."""
    return None if dim is None or dim == () else dim


def flat(shape: tuple[Any, ...]) -> tuple[int, ...]:
    """Return a shape given as one tuple or as several integers."""
    return tuple(shape[0]) if len(shape) == 1 and not isinstance(shape[0], int) else shape


def part(x: Any, axis: int, index: Any) -> Any:
    """Return ``x`` indexed along one axis; a 0-d array is treated as one element."""
    if x.ndim == 0:
        return C.reshape(C.get_item(C.reshape(x, (1,)), index), ())
    return C.get_item(x, (slice(None),) * (axis % x.ndim) + (index,))


def moved(x: Any, source: Any, destination: Any) -> Any:
    """Return ``x`` with axes moved to other positions."""
    sources = [a % x.ndim for a in np.atleast_1d(source).tolist()]
    destinations = [a % x.ndim for a in np.atleast_1d(destination).tolist()]
    order = [a for a in range(x.ndim) if a not in sources]
    for to, a in sorted(zip(destinations, sources, strict=True)):
        order.insert(to, a)
    return C.transpose(x, tuple(order))


def tiled(x: Any, counts: tuple[int, ...]) -> Any:
    """Return ``x`` repeated along its axes, new axes first."""
    counts = (1,) * (x.ndim - len(counts)) + counts
    shape = (1,) * (len(counts) - x.ndim) + tuple(x.shape)
    pairs = [n for pair in zip(shape, strict=True) for n in (1, *pair)]
    full = [n for pair in zip(counts, shape, strict=True) for n in pair]
    result = [c * n for c, n in zip(counts, shape, strict=True)]
    return C.reshape(C.broadcast_to(C.reshape(x, tuple(pairs)), tuple(full)), tuple(result))


def rolled(x: Any, shifts: Any, dims: Any = ()) -> Any:
    """Return ``x`` rolled along axes, or flattened and rolled if there are none."""
    shifts, dims = np.atleast_1d(shifts), np.atleast_1d(dims)
    if dims.size == 0:
        return C.reshape(rolled(C.reshape(x, (-1,)), shifts, 0), x.shape)
    for shift, axis in zip(shifts.tolist(), dims.tolist(), strict=True):
        n = x.shape[axis]
        x = part(x, axis, (np.arange(n) - shift) % max(n, 1))
    return x


def rotated(x: Any, k: int = 1, dims: Any = (0, 1)) -> Any:
    """Return ``x`` rotated by ``k`` quarter turns from the first towards the second axis."""
    first, second = (d % x.ndim for d in dims)
    for _ in range(k % 4):
        order = list(range(x.ndim))
        order[first], order[second] = second, first
        x = part(C.transpose(x, tuple(order)), first, slice(None, None, -1))
    return x


def split(x: Any, sizes: Any, dim: int = 0) -> Any:
    """Split into parts of one size (the last may be smaller), or of the listed sizes."""
    n = x.shape[dim]
    if isinstance(sizes, int):
        sizes = [min(sizes, n - start) for start in range(0, n, sizes)]
    stops = np.cumsum(sizes).tolist()
    pairs = zip([0, *stops[:-1]], stops, strict=True)
    return tuple(part(x, dim, slice(start, stop)) for start, stop in pairs)


def chunk(x: Any, chunks: int, dim: int = 0) -> Any:
    return split(x, -(-x.shape[dim] // chunks), dim)


def hsplit(x: Any, where: Any) -> Any:
    axis = 0 if x.ndim == 1 else 1
    if isinstance(where, int):
        return split(x, x.shape[axis] // where, axis)
    bounds = [0, *where, x.shape[axis]]
    return tuple(part(x, axis, slice(a, b)) for a, b in pairwise(bounds))


def cat(xs: Any, dim: int = 0) -> Any:
    """Join arrays; PyTorch omits those of shape (0,)."""
    kept = [x for x in xs if x.shape != (0,)] or xs
    return C.concat(kept, dim)


def at_least_2d(x: Any) -> Any:
    return C.reshape(x, (1,) * (2 - x.ndim) + tuple(x.shape)) if x.ndim < 2 else x


def column_stack(xs: Any) -> Any:
    return C.concat([C.reshape(x, (-1, 1)) if x.ndim < 2 else x for x in xs], 1)


def dstack(xs: Any) -> Any:
    two = [at_least_2d(x) for x in xs]
    return C.concat([C.expand_dims(x, 2) if x.ndim == 2 else x for x in two], 2)


def gather(x: Any, dim: int, index: Any) -> Any:
    """Return ``x[i, ..., index[i, ..., k], ...]`` along one axis."""
    if x.ndim == 0 or index.size == 0:
        elements = C.get_item(C.reshape(x, (-1,)), np.reshape(index, -1))
        return C.reshape(elements, index.shape)
    places = list(np.ogrid[tuple(slice(n) for n in index.shape)])
    places[dim] = index
    return C.get_item(x, tuple(places))


def take_along_dim(x: Any, index: Any, dim: Any = None) -> Any:
    if dim is None:
        return C.get_item(C.reshape(x, (-1,)), np.reshape(index, -1))
    shape = [max(a, b) for a, b in zip(x.shape, index.shape, strict=True)]
    shape[dim] = index.shape[dim]
    full = shape.copy()
    full[dim] = x.shape[dim]
    return gather(C.broadcast_to(x, tuple(full)), dim, np.broadcast_to(index, shape))


def narrow(x: Any, dim: int, start: Any, length: int) -> Any:
    first = int(start) + (x.shape[dim] if start < 0 else 0)
    return part(x, dim, slice(first, first + length))


def masked_select(x: Any, mask: Any) -> Any:
    shape = np.broadcast_shapes(x.shape, mask.shape)
    return C.get_item(C.broadcast_to(x, shape), np.broadcast_to(mask, shape))


def flip(x: Any, dims: Any) -> Any:
    flipped = {d % x.ndim for d in dims}
    steps = (-1 if axis in flipped else 1 for axis in range(x.ndim))
    return C.get_item(x, tuple(slice(None, None, step) for step in steps))


def index_add(x: Any, dim: int, index: Any, source: Any, alpha: Any = 1) -> Any:
    if x.ndim == 0:
        return C.reshape(
            index_add(C.reshape(x, (1,)), 0, index, C.reshape(source, (-1,)), alpha), ()
        )
    place = (slice(None),) * (dim % x.ndim) + (index,)
    return C.add_at(x, place, scaled(source, alpha))


def pad(x: Any, widths: Any, mode: Any = "constant", value: Any = None) -> Any:
    """Pad by PyTorch's widths: one sequence, the last axis first; negative widths remove."""
    value, mode = (value or 0, mode) if isinstance(mode, str) else (mode, "constant")
    value = value if x.dtype.kind == "f" else int(value)
    pairs = [(a, b) for a, b in zip(widths[::2], widths[1::2], strict=True)][::-1]
    pairs = [(0, 0)] * (x.ndim - len(pairs)) + pairs
    x = x[
        tuple([slice(max(-a, 0), n - max(-b, 0)) for (a, b), n in zip(pairs, x.shape, strict=True)])
    ]
    pairs = [(max(a, 0), max(b, 0)) for a, b in pairs]
    return C.pad(x, pairs, value, mode={"replicate": "edge", "circular": "wrap"}.get(mode, mode))


def hstack(xs: Any) -> Any:
    one = [C.reshape(x, (1,)) if x.ndim == 0 else x for x in xs]
    return C.concat(one, 0 if one[0].ndim == 1 else 1)


def diagonal(x: Any, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Any:
    x = moved(x, (dim1, dim2), (-2, -1))
    rows, columns = x.shape[-2:]
    n = max(0, min(rows + min(offset, 0), columns - max(offset, 0)))
    steps = np.arange(n)
    return C.get_item(x, (..., steps - min(offset, 0), steps + max(offset, 0)))


def squeezed(x: Any, dim: Any = None) -> Any:
    """Remove axes of length 1; PyTorch keeps longer ones that are listed."""
    if dim is None:
        return C.squeeze(x)
    named = {a % x.ndim for a in np.atleast_1d(dim).astype(int).tolist()} if x.ndim else set()
    ones = tuple(sorted(a for a in named if x.shape[a] == 1))
    return C.squeeze(x, ones) if ones else x[...]


def swapped(x: Any, a: int, b: int) -> Any:
    order = list(range(x.ndim))
    if order:
        order[a], order[b] = order[b], order[a]
    return C.transpose(x, tuple(order))


def masked_fill(x: Any, mask: Any, value: Any) -> Any:
    return C.where(mask, bool(value) if x.dtype == bool else value, x)


def sum_to_size(x: Any, *shape: Any) -> Any:
    summed = x.dtype == bool and (x.shape != flat(shape) or x.shape == ())
    return C.sum_to(C.astype(x, "int64") if summed else x, flat(shape))


def clamp(x: Any, low: Any = None, high: Any = None) -> Any:
    """Clip as PyTorch does, which converts integers to the dtype of ``x``; NumPy promotes both."""
    low, high = (b if b is None or x.dtype.kind != "f" or not hasattr(b, "dtype")
                 else C.astype(b, x.dtype) for b in (low, high))  # fmt: skip
    return C.clip(x, low, high)


def power(x: Any, y: Any) -> Any:
    """Return ``x**y``; NumPy refuses integers to negative integer powers."""
    return x ** (C.astype(y, "float64") if y.dtype == "int64" else y)


def flattened(x: Any, start_dim: int = 0, end_dim: int = -1) -> Any:
    if x.ndim == 0:
        return C.reshape(x, (1,))
    return C.flatten(x, start_dim, end_dim)


def unflattened(x: Any, dim: int, sizes: tuple[int, ...]) -> Any:
    dim %= max(x.ndim, 1)
    return C.reshape(x, (*x.shape[:dim], *sizes, *x.shape[dim + 1 :]))


def expanded(x: Any, *shape: Any) -> Any:
    sizes = flat(shape)
    own = (1,) * (len(sizes) - x.ndim) + tuple(x.shape)
    kept = tuple(n if size == -1 else size for n, size in zip(own, sizes, strict=True))
    return C.broadcast_to(x, kept)


def tensordot(x: Any, y: Any, dims: Any = 2) -> Any:
    """Contract as PyTorch does, which broadcasts axes of length 1."""
    if isinstance(dims, int):
        dims = list(range(x.ndim - dims, x.ndim)), list(range(dims))
    for a, b in zip(*dims, strict=True):
        if x.shape[a] == 1:
            y = C.sum(y, b, keepdims=True)
        elif y.shape[b] == 1:
            x = C.sum(x, a, keepdims=True)
    return C.tensordot(x, y, dims)


def scaled(x: Any, factor: Any) -> Any:
    """Multiply by a number, which PyTorch first converts to the dtype of integers and bools."""
    if factor == 1 or x.dtype.kind == "f":
        return x if factor == 1 else C.mul(x, factor)
    return C.mul(x, np.asarray(int(factor)).astype(x.dtype))


def added(first: Any, product: Any, beta: Any = 1, alpha: Any = 1) -> Any:
    """Return ``beta * first + alpha * product``."""
    return C.add(scaled(first, beta), scaled(product, alpha))


def moment(
    function: Callable[..., Any],
    x: Any,
    dim: Any = None,
    unbiased: Any = None,
    keepdim: bool = False,
    correction: Any = 1,
) -> Any:
    """Return the variance or the standard deviation, with PyTorch's two forms of the arguments."""
    if isinstance(dim, bool):
        dim, unbiased = None, dim
    correction = (1 if unbiased else 0) if unbiased is not None else correction
    correction = 1 if correction is None else correction
    return function(x, axes(dim), correction=correction, keepdims=keepdim)


def product(x: Any, dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Any:
    """Return the product over one or all axes, perhaps in another dtype."""
    if dtype is None:
        return C.prod(x, dim, keepdim)
    return C.astype(C.prod(C.astype(x, dtype), dim, keepdim), dtype)


def cumulative(function: Callable[..., Any], x: Any, dim: int, dtype: Any = None) -> Any:
    """Return cumulative sums or products; a 0-d array is treated as one element."""
    x = x if dtype is None else C.astype(x, dtype)
    return C.reshape(function(C.reshape(x, (1,)), 0), ()) if x.ndim == 0 else function(x, dim)


def sorted_with_indices(
    x: Any, dim: Any = -1, descending: bool = False, stable: bool = False
) -> Any:
    """Return the sorted elements and, if their order is defined (stable), the indices.

    A 0-d array is treated as one element.
    """
    if isinstance(dim, bool):
        dim, descending = -1, dim
    rows = C.reshape(x, (1,)) if x.ndim == 0 else x
    results = C.sort(rows, dim, descending), C.argsort(rows, dim, descending)
    return [C.reshape(y, x.shape) for y in (results if stable else results[:1])]


def topk(x: Any, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> Any:
    """Return the largest or smallest elements, without indices, which are undefined for ties.

    A 0-d array is treated as one element.
    """
    if x.ndim > 0:
        return C.topk(x, k, dim, largest=largest)[:1]
    return [C.reshape(C.topk(C.reshape(x, (1,)), k, dim, largest=largest)[0], ())]


def vector_norm(
    x: Any, ord: float = 2, dim: Any = None, keepdim: bool = False, dtype: Any = None
) -> Any:
    """Return the norm, perhaps of ``x`` in another dtype."""
    return C.vector_norm(x if dtype is None else C.astype(x, dtype), ord, axes(dim), keepdim)


def pair(n: Any) -> tuple[int, int]:
    n = (n,) if isinstance(n, int) else tuple(n)
    return (n * 2)[:2]


def batched(x: Any, op: Callable[[Any], Any], ndim: int = 4) -> Any:
    """Apply ``op`` to a batch; one example without its axis becomes a batch of one."""
    return op(x) if x.ndim == ndim else C.squeeze(op(C.expand_dims(x, 0)), 0)


def extended(x: Any, extra: Any, value: float) -> Any:
    """Return images with ``extra`` rows below and columns to the right."""
    for axis, n in zip((2, 3), extra, strict=True):
        if n:
            shape = [*x.shape]
            shape[axis] = n
            x = C.concat([x, np.full(shape, value, x.dtype)], axis)
    return x


def counts(size: Any, k: Any, s: Any, p: Any, d: Any, ceil_mode: bool) -> list[int]:
    """Return how many windows fit; with ``ceil_mode`` the last may extend past the end."""
    found = []
    for n, K, S, P, D in zip(size, k, s, p, d, strict=True):
        count = (n + 2 * P - D * (K - 1) - 1 + (S - 1 if ceil_mode else 0)) // S + 1
        found.append(count - (ceil_mode and (count - 1) * S >= n + P))
    return found


def overhang(size: Any, k: Any, s: Any, p: Any, number: Any) -> list[int]:
    """Return how many rows and columns the last windows need beyond the padding."""
    each = zip(size, k, s, p, number, strict=True)
    return [max(0, (c - 1) * S + K - n - 2 * P) for n, K, S, P, c in each]


def places(size: Any, k: Any, s: Any, p: Any, d: Any, number: Any) -> Any:
    """Return rows (OH, 1, KH, 1) and columns (1, OW, 1, KW) of windows, and which exist."""
    (rows, columns) = (
        np.arange(c)[:, None] * S - P + np.arange(K) * D
        for K, S, P, D, c in zip(k, s, p, d, number, strict=True)
    )
    rows, columns = rows[:, None, :, None], columns[None, :, None, :]
    exist = (rows >= 0) & (rows < size[0]) & (columns >= 0) & (columns < size[1])
    return rows.clip(0, size[0] - 1), columns.clip(0, size[1] - 1), exist


def lowest(dtype: Any) -> Any:
    return -np.inf if dtype.kind == "f" else int(np.iinfo(dtype).min)


def has_grid_mode(keywords: dict[str, Any]) -> bool:
    """Return whether DeZero has the mode of a sample of ``grid_sample``."""
    return keywords["mode"] != "bicubic"


def without_indices(op: Callable[..., Any]) -> Callable[..., Any]:
    """Return ``op`` without the setting that also returns the positions of the maxima."""

    def pool(*arguments: Any, return_indices: bool = False, **settings: Any) -> Any:
        return op(*arguments, **settings)

    return pool


def with_own_stride(op: Callable[..., Any]) -> Callable[..., Any]:
    """Return ``op`` with PyTorch's forms: stride () is the kernel size, (n,) the number n."""

    def pool(x: Any, kernel_size: Any, stride: Any = None, *rest: Any, **settings: Any) -> Any:
        stride = None if stride == () else stride
        named = {key: single(value) for key, value in settings.items()}
        return op(x, *map(single, (kernel_size, stride, *rest)), **named)

    def single(value: Any) -> Any:
        return value[0] if isinstance(value, tuple) and len(value) == 1 else value

    return pool


def max_pool2d(
    op: Any,
    x: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """Pool; for dilated windows gather the elements and take the maximum."""
    k, p, d = pair(kernel_size), pair(padding), pair(dilation)
    s = pair(stride) if stride else k
    size = x.shape[-2:]
    number = counts(size, k, s, p, d, ceil_mode)

    def pool(x: Any) -> Any:
        if d == (1, 1):
            return op(extended(x, overhang(size, k, s, p, number), lowest(x.dtype)), k, s, p)
        rows, columns, exist = places(size, k, s, p, d, number)
        windows = C.get_item(x, (slice(None), slice(None), rows, columns))
        return C.max(C.where(exist, windows, lowest(x.dtype)), (-2, -1))

    return batched(x, pool)


def avg_pool2d(
    x: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: Any = None,
) -> Any:
    """Pool; rescale if PyTorch divides by another number of elements."""
    k, p = pair(kernel_size), pair(padding)
    s = pair(stride) if stride else k
    size = x.shape[-2:]
    number = counts(size, k, s, p, (1, 1), ceil_mode)
    divisor = divisor_override or window_sizes(size, k, s, p, number, count_include_pad)
    factor = math.prod(k) / divisor

    def pool(x: Any) -> Any:
        y = N.average_pooling(extended(x, overhang(size, k, s, p, number), 0.0), k, s, p)
        return y if np.all(factor == 1) else y * np.asarray(factor, y.dtype)

    return batched(x, pool)


def window_sizes(size: Any, k: Any, s: Any, p: Any, number: Any, with_padding: bool) -> Any:
    """Return the number of elements of each window, with or without padding."""
    sizes = []
    for n, K, S, P, c in zip(size, k, s, p, number, strict=True):
        start = np.arange(c) * S - P
        stop = np.minimum(start + K, n + P)
        sizes.append(stop - start if with_padding else np.minimum(stop, n) - np.maximum(start, 0))
    return np.multiply.outer(*sizes)


def in_one_row(op: Callable[..., Any]) -> Callable[..., Any]:
    """Return the one-dimensional form of a pooling or convolution: images of one row."""

    def run(x: Any, *arguments: Any, **settings: Any) -> Any:
        fill = {"kernel_size": 1, "stride": 1, "padding": 0, "dilation": 1, "output_padding": 0}
        arrays = [C.expand_dims(a, -2) if hasattr(a, "ndim") and a.ndim > 1 else a
                  for a in arguments]  # fmt: skip
        if arrays and not hasattr(arrays[0], "ndim"):
            settings["kernel_size"], *arrays = arrays
        for name, one in fill.items():
            value = settings.get(name)
            if value is not None and not isinstance(value, str) and value != ():
                settings[name] = (one, value if isinstance(value, int) else value[0])
        return C.squeeze(op(C.expand_dims(x, -2), *arrays, **settings), -2)

    return run


def conv2d(
    op: Any,
    x: Any,
    W: Any,
    b: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Any:
    d, extra = pair(dilation), (0, 0)
    if padding == "same":
        totals = [D * (K - 1) for D, K in zip(d, W.shape[2:], strict=True)]
        padding, extra = tuple(t // 2 for t in totals), tuple(t % 2 for t in totals)
    p = (0, 0) if padding == "valid" else pair(padding)
    return batched(x, lambda x: op(extended(x, extra, 0.0), W, b, pair(stride), p, d, groups))


def conv2d_simple(x: Any, W: Any, b: Any, s: Any, p: Any, d: Any, groups: int) -> Any:
    """Spread the filters for dilation, and convolve each group by itself."""
    for axis, step in zip((2, 3), d, strict=True):
        if step > 1:
            zeros = np.zeros((*W.shape, step - 1), W.dtype)
            W = C.concat([C.expand_dims(W, -1), zeros], -1)
            W = moved(W, -1, axis + 1)
            shape = [*W.shape[:axis], W.shape[axis] * step, *W.shape[axis + 2 :]]
            W = part(C.reshape(W, tuple(shape)), axis, slice(1 - step))
    xs, Ws = split(x, x.shape[1] // groups, 1), split(W, W.shape[0] // groups)
    bs = [None] * groups if b is None else split(b, b.shape[0] // groups)
    each = [N.conv2d_simple(*part, s, p) for part in zip(xs, Ws, bs, strict=True)]
    return C.concat(each, 1)


def conv_transpose2d(
    x: Any,
    W: Any,
    b: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> Any:
    s, p, d, more = pair(stride), pair(padding), pair(dilation), pair(output_padding)
    each = zip(x.shape[-2:], s, p, d, W.shape[2:], more, strict=True)
    outsize = tuple((n - 1) * S - 2 * P + D * (K - 1) + 1 + m for n, S, P, D, K, m in each)
    if all(m < step for m, step in zip(more, s, strict=True)):
        return batched(x, lambda x: N.deconv2d(x, W, b, s, p, outsize, d, groups))

    def crop(x: Any) -> Any:
        """Append zeros for ``output_padding`` beyond a stride, then crop to the output size."""
        y = extended(N.deconv2d(x, W, None, s, 0, None, d, groups), more, 0.0)
        y = part(y, 2, slice(p[0], p[0] + outsize[0]))
        y = part(y, 3, slice(p[1], p[1] + outsize[1]))
        return y if b is None else y + C.reshape(b, (-1, 1, 1))

    return batched(x, crop)


def has_short_output_padding(keywords: dict[str, Any]) -> bool:
    """Return whether ``output_padding`` is less than ``stride``, as DeZero requires."""
    more, stride = (
        np.asarray(keywords.get(k, d)) for k, d in (("output_padding", 0), ("stride", 1))
    )
    return bool(np.all(more < stride))


def unfold(x: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Any:
    """Apply im2col; gather dilated windows."""
    k, d, p, s = map(pair, (kernel_size, dilation, padding, stride))
    size = x.shape[-2:]
    rows, columns, exist = places(size, k, s, p, d, counts(size, k, s, p, d, False))

    def lay_out(x: Any) -> Any:
        if d == (1, 1):
            windows = N.im2col(x, k, s, p, to_matrix=False)
        else:
            found = C.get_item(x, (slice(None), slice(None), rows, columns))
            windows = C.transpose(C.where(exist, found, np.zeros((), x.dtype)), (0, 1, 4, 5, 2, 3))
        n, c, *_, down, across = windows.shape
        return C.reshape(windows, (n, c * math.prod(k), down * across))

    return batched(x, lay_out)


def reduced(terms: Any, reduction: str) -> Any:
    if reduction == "none":
        return terms
    return C.sum(terms) if reduction == "sum" else C.mean(terms)


def mse_loss(op: Any, x: Any, y: Any, reduction: str = "mean") -> Any:
    if reduction == "none":
        return (x - y) ** 2
    shape = np.broadcast_shapes(x.shape, y.shape) or (1,)
    n = shape[0] if reduction == "sum" else shape[0] / math.prod(shape)
    return op(C.reshape(x, shape), C.reshape(y, shape)) * n


def binary_cross_entropy(p: Any, t: Any, weight: Any = None, reduction: str = "mean") -> Any:
    if weight is None and reduction != "none" and p.ndim:
        n = p.shape[0]
        return N.binary_cross_entropy(p, t) * (n if reduction == "sum" else n / math.prod(p.shape))
    terms = -(t * C.log(p) + (1 - t) * C.log(1 - p))
    return reduced(terms if weight is None else terms * weight, reduction)


def with_logits(
    x: Any, t: Any, weight: Any = None, reduction: str = "mean", pos_weight: Any = None
) -> Any:
    if weight is None and pos_weight is None and reduction != "none" and x.ndim:
        n = x.shape[0]
        return N.sigmoid_cross_entropy(x, t) * (n if reduction == "sum" else n / math.prod(x.shape))
    zeros = np.zeros(x.shape, x.dtype)
    positive, negative = (C.logsumexp(C.stack([zeros, y]), 0) for y in (-x, x))
    positive = positive if pos_weight is None else positive * pos_weight
    terms = t * positive + (1 - t) * negative
    return reduced(terms if weight is None else terms * weight, reduction)


def rows_of_classes(x: Any) -> Any:
    """Return scores (N, C, ...) or (C,) as (M, C)."""
    if x.ndim == 1:
        return C.reshape(x, (1, -1))
    return C.reshape(moved(x, 1, -1), (-1, x.shape[1]))


def nll_loss(
    log_p: Any, t: Any, weight: Any = None, reduction: str = "mean", ignore_index: int = -100
) -> Any:
    labels = np.reshape(t, -1)
    kept = labels != ignore_index
    labels = np.where(kept, labels, 0)
    w = kept.astype(log_p.dtype)
    w = w if weight is None else C.get_item(weight, labels) * w
    losses = -C.get_item(rows_of_classes(log_p), (np.arange(labels.size), labels)) * w
    if reduction == "none":
        return C.reshape(losses, t.shape)
    return C.sum(losses) if reduction == "sum" else C.sum(losses) / C.sum(w)


def cross_entropy(
    op: Any, x: Any, t: Any, weight: Any = None, reduction: str = "mean", ignore_index: int = -100
) -> Any:
    """Call ``op`` if all labels have the same weight; else weight the log-softmax."""
    axis = 0 if x.ndim == 1 else 1
    if not np.issubdtype(t.dtype, np.integer):
        terms = -N.log_softmax(x, axis) * t
        terms = terms if weight is None else terms * C.reshape(weight, (-1,) + (1,) * (x.ndim - 2))
        total = C.sum(terms, axis)
        n = max(math.prod(total.shape), 1)
        return C.sum(total) / n if reduction == "mean" else reduced(total, reduction)
    if reduction == "mean" and weight is None and not np.any(t == ignore_index):
        return op(rows_of_classes(x), np.reshape(t, -1))
    return nll_loss(N.log_softmax(x, axis), t, weight, reduction, ignore_index)


def batch_norm(
    x: Any,
    mean: Any,
    var: Any,
    weight: Any = None,
    bias: Any = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Any:
    channels, dtype = x.shape[1:2], x.dtype
    gamma = np.ones(channels, dtype) if weight is None else weight
    beta = np.zeros(channels, dtype) if bias is None else bias
    running = [Buffer(np.ones(channels, dtype) if s is None else np.array(getattr(s, "data", s)))
               for s in (mean, var)]  # fmt: skip
    with using_config("train", training):
        if x.shape == (0,):
            return x[...]  # no channels
        return N.batch_norm(x, gamma, beta, *running, decay=1 - momentum, eps=eps)


def layer_norm(x: Any, shape: Any, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Any:
    gamma = np.ones(shape, x.dtype) if weight is None and bias is None else weight
    return N.layer_norm(x, gamma, bias, eps)


def rms_norm(x: Any, shape: Any, weight: Any = None, eps: float | None = None) -> Any:
    gamma = np.ones(shape, x.dtype) if weight is None else weight
    return N.rms_norm(x, gamma, np.finfo(x.dtype).eps.item() if eps is None else eps)


def instance_norm(
    x: Any, running_mean: Any = None, running_var: Any = None, weight: Any = None, bias: Any = None,
    use_input_stats: bool = True, momentum: float = 0.1, eps: float = 1e-5,
) -> Any:  # fmt: skip
    """Normalise each channel of each example, or all examples by the running statistics."""
    if use_input_stats:
        return N.instance_norm(x, weight, bias, eps)
    return batch_norm(x, running_mean, running_var, weight, bias, False, momentum, eps)


def dropout(x: Any, p: float = 0.5, training: bool = True) -> Any:
    """Drop the same elements as PyTorch: drop ones with the same seed to get its mask."""
    if not training or p == 0:
        with using_config("train", training):
            return N.dropout(x, min(p, 0.5))
    torch.manual_seed(SEED)
    ones = torch.from_numpy(np.ones(x.shape, x.dtype)).requires_grad_()
    mask = torch.nn.functional.dropout(ones, p).detach().numpy() > 0
    return Dropout(1 / (1 - p) if p < 1 else 0.0)(x, mask)


def attention(
    q: Any, k: Any, v: Any, attn_mask: Any = None, dropout_p: float = 0.0, is_causal: bool = False
) -> Any:
    """Align a causal mask as PyTorch does: query t sees the first t + 1 keys."""
    mask = np.tri(q.shape[-2], k.shape[-2], dtype=bool) if is_causal else attn_mask
    return N.scaled_dot_product_attention(q, k, v, mask)


def converted(x: Any, *arguments: Any, **keywords: Any) -> Any:
    """Return ``x`` in the dtype among the arguments of ``Tensor.to``."""
    for a in arguments:
        if isinstance(a, np.dtype) or hasattr(a, "dtype"):
            return C.astype(x, getattr(a, "dtype", a))
    return C.astype(x, x.dtype)


def multi_dot(xs: Any) -> Any:
    """Return the matmul of several arrays."""
    y = xs[0]
    for x in xs[1:]:
        y = C.matmul(y, x)
    return y


def solve(a: Any, b: Any, left: bool = True) -> Any:
    """Return the solution; PyTorch also takes a stack of vectors, and ``x a = b``."""
    if not left:
        return C.matrix_transpose(solve(C.matrix_transpose(a), C.matrix_transpose(b)))
    is_stack_of_vectors = b.ndim > 1 and b.ndim == a.ndim - 1 and b.shape == a.shape[:-1]
    if is_stack_of_vectors:
        return C.squeeze(C.solve(a, C.expand_dims(b, -1)), -1)
    return C.solve(a, b)


def qr(x: Any, mode: str = "reduced") -> Any:
    """Return the factors; the complete q is not offered."""
    return C.qr(x) if mode == "reduced" or x.shape[-2] <= x.shape[-1] else ()


def eigvalsh(x: Any, UPLO: str = "L") -> Any:
    """Return the eigenvalues of symmetric matrices, of which one triangle is read."""
    return C.eigh(C.matrix_transpose(x) if UPLO == "U" else x)[0]
