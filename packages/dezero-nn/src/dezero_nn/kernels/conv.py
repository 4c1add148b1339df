"""Convolution on NumPy: which of the ways goes, chosen by shape, here and nowhere else."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from dezero_core import Config
from dezero_core.dtypes import sum_over
from dezero_core.extend import backend_of

from ..parallel import parallel_for
from ..windows import DENSE, ConvParams, Pair, window_counts
from . import columns, winograd
from .filters import remembered
from .views import cut_out


def supports_conv2d(x: Any, W: Any, *settings: Any) -> bool:
    """Two arrays of one dtype, single or double precision, with something in them."""
    return bool(
        type(W) is np.ndarray
        and x.dtype == W.dtype
        and x.dtype.char in "fd"
        and x.size > 0
        and W.size > 0
    )


def conv2d(x: Any, W: Any, b: Any, params: ConvParams) -> Any:
    """Filters at every place of the images."""
    stride, pad, dilation, groups = params
    known = not Config.enable_backprop  # no training: the same filters will come again
    m = tile(x.shape, W.shape, x.dtype, stride, pad, dilation, groups, known)
    counts = window_counts(x.shape, W.shape[2:], stride, pad, dilation)
    y = np.empty((len(x), len(W), *counts), x.dtype)
    by_filters, of_all = few_tiles(y.shape, m), work(x.size, y.size, W.shape)

    def by_columns(part: slice) -> None:
        if len(x) == 1:
            rows, margin = read_by(x, part, counts[0], W.shape[2:], stride, pad, dilation)
            columns.conv2d(rows, W, b, stride, margin, dilation, groups, y[:, :, part])
        else:
            columns.conv2d(x[part], W, b, stride, pad, dilation, groups, y[part])

    if m == 0:
        parallel_for(len(x) if len(x) > 1 else counts[0], of_all, by_columns)
        return y
    by_rows = len(x) == 1 and tiles_of(y.shape, m) >= FEWEST_OF_ONE
    U: Any = remembered(W, m, mapped_filters) if by_filters and known else mapped_filters(W, m)

    def by_winograd(part: slice) -> None:
        if by_rows:
            winograd.conv2d(x, U, b, pad[0], m, y, part)
        elif by_filters:
            bias = None if b is None else b[part]
            winograd.conv2d(x, U[:, part], bias, pad[0], m, y[:, part])
        else:
            winograd.conv2d(x[part], U, b, pad[0], m, y[part])

    parts = -(-y.shape[2] // m) if by_rows else len(W) if by_filters else len(x)
    parallel_for(parts, of_all, by_winograd)
    return y


def read_by(
    x: Any, rows: slice, OH: int, kernel: Pair, stride: Pair, pad: Pair, dilation: Pair
) -> tuple[Any, Pair]:
    """What the windows of some rows of outputs read, with its margin; of all, x and the padding."""
    if rows.stop - rows.start == OH:
        return x, pad
    first, last = stride[0] * rows.start - pad[0], stride[0] * (rows.stop - 1) - pad[0]
    stop = last + dilation[0] * (kernel[0] - 1) + 1
    return cut_out(x, (first, stop), (-pad[1], x.shape[3] + pad[1])), (0, 0)


def conv2d_grad_W(x: Any, gy: Any, kernel: Pair, params: ConvParams) -> Any:
    """The gradient of the filters: the sum of those by the parts of the images."""
    stride, pad, dilation, groups = params
    W_shape = (gy.shape[1], x.shape[1] // groups, *kernel)
    m = tile(x.shape, W_shape, x.dtype, stride, pad, dilation, groups)
    by_filters, of_all = few_tiles(gy.shape, m), work(x.size, gy.size, W_shape)

    def by_columns(part: slice) -> Any:
        if len(x) == 1:
            rows, margin = read_by(x, part, gy.shape[2], kernel, stride, pad, dilation)
            few = rows, gy[:, :, part], kernel, stride, margin
            return columns.conv2d_grad_W(*few, dilation, groups)
        return columns.conv2d_grad_W(x[part], gy[part], kernel, stride, pad, dilation, groups)

    def by_winograd(part: slice) -> Any:
        few = (x, gy[:, part]) if by_filters else (x[part], gy[part])
        return winograd.conv2d_grad_W(*few, pad[0], m)

    if m == 0:
        return added(parallel_for(len(x) if len(x) > 1 else gy.shape[2], of_all, by_columns))
    parts = parallel_for(len(gy[0]) if by_filters else len(x), of_all, by_winograd)
    if by_filters:
        return np.concatenate(parts) if len(parts) > 1 else parts[0]
    return added(parts)


def conv2d_grad_x(gy: Any, W: Any, shape: tuple[int, ...], params: ConvParams) -> Any:
    """The gradient of the images."""
    stride, pad, dilation, groups = params
    m = tile(shape, W.shape, gy.dtype, stride, pad, dilation, groups)
    gx = np.empty(shape, gy.dtype)
    by_channels = few_tiles(gy.shape, m) if m else len(gx) == groups == 1
    U: Any = mapped_filters(W.swapaxes(0, 1), m) if m else None
    settings = stride, pad, dilation, groups

    def compute(part: slice) -> None:
        few = gy if by_channels else gy[part]
        to = gx[:, part] if by_channels else gx[part]
        if m:
            winograd.conv2d_grad_x(few, U[:, part] if by_channels else U, pad[0], m, to)
        else:
            columns.conv2d_grad_x(few, W[:, part] if by_channels else W, *settings, to)

    parallel_for(len(gx[0]) if by_channels else len(gy), work(gx.size, gy.size, W.shape), compute)
    return gx


def supports_conv2d_grads(gy: Any, x: Any, W: Any, params: ConvParams) -> bool:
    """Of several images, where they are what is shared out."""
    stride, pad, dilation, groups = params
    if not (supports_conv2d(gy, x) and supports_conv2d(x, W) and len(x) > 1):
        return False
    m = tile(x.shape, W.shape, x.dtype, stride, pad, dilation, groups)
    return not few_tiles(gy.shape, m)


def conv2d_grads(gy: Any, x: Any, W: Any, params: ConvParams) -> Any:
    """The gradients of the images, of the filters and of the bias: images are shared out once.

    For as many products as one of them has: below, two threads are slower.
    """
    stride, pad, dilation, groups = params
    m = tile(x.shape, W.shape, x.dtype, stride, pad, dilation, groups)
    gx = np.empty(x.shape, x.dtype)
    U: Any = mapped_filters(W.swapaxes(0, 1), m) if m else None
    settings = stride, pad, dilation, groups

    def compute(part: slice) -> Any:
        if m:
            gW = winograd.conv2d_grads(x[part], gy[part], U, pad[0], m, gx[part])
        else:
            columns.conv2d_grad_x(gy[part], W, *settings, gx[part])
            gW = columns.conv2d_grad_W(x[part], gy[part], W.shape[2:], *settings)
        return gW, of_bias(gy[part])

    parts = parallel_for(len(x), work(x.size, gy.size, W.shape), compute)
    return gx, *map(added, zip(*parts, strict=True))


def of_bias(gy: Any) -> Any:
    """Return the sum of each channel of gy (N, OC, OH, OW)."""
    return sum_over(gy, backend_of(gy), (0, 2, 3))


def added(parts: Any) -> Any:
    """The sum of the parts, in the first of them."""
    first, *others = parts
    for other in others:
        first += other
    return first


def mapped_filters(W: Any, m: int) -> Any:
    """U of `winograd`: once for all images, and by the same threads.

    BLAS's own would go on waiting for work on the cores that the images are shared out to.
    """
    U = np.empty(((m + 2) ** 2, *W.shape[:2]), W.dtype)

    def compute(part: slice) -> None:
        U[:, part] = winograd.mapped_filters(W[part], m)

    parallel_for(len(W), 9.0 * U.size, compute)
    return U


def few_tiles(y_shape: tuple[int, ...], m: int) -> bool:
    """Whether `winograd` has too few tiles to share them out: then the channels are, of y or x.

    Every part maps all tiles then, but its products are as long as before, and half as many.
    """
    return m > 0 and (y_shape[0] == 1 or tiles_of(y_shape, m) < winograd.FEWEST)


def tiles_of(y_shape: tuple[int, ...], m: int) -> int:
    """How many tiles `winograd` has."""
    N, _, OH, OW = y_shape
    return N * -(-OH // m) * -(-OW // m)


FEWEST_OF_ONE = 32
"""Tiles of a single image from which its rows of tiles are shared out, in the forward pass."""


def work(inputs: int, outputs: int, W_shape: tuple[int, ...]) -> float:
    """Products of a convolution, and those that moving its windows and images is worth."""
    OC, C, KH, KW = W_shape
    moved = 8 if KH == KW == 1 else 25
    return outputs * KH * KW * (C + 11 * min(C / OC, 3)) + moved * (inputs + outputs)


class Cost(NamedTuple):
    """Nanoseconds of one core for a convolution and both its gradients, in four parts.

    For each output (tile): the products, what is done for each channel of x, and for each of y;
    and once, for each element of the filters. Measured over the shapes of benchmarks/convolutions
    on a core with AVX-512; it is their ratios that choose (docs/performance.md).
    """

    product: float
    channel: float
    output: float
    filter: float

    def of(self, tiles: int, C: int, OC: int, known: bool = False) -> float:
        """For so many tiles, of C channels to OC; of filters that are ``known``, mapped before."""
        each = self.product * C * OC + self.channel * C + self.output * OC
        return tiles * each + (0 if known else self.filter * C * OC)


COSTS = {0: Cost(0.535, 7.8, 3.9, 0), 2: Cost(1.02, 75, 30, 120), 4: Cost(2.3, 216, 86, 200)}
"""By columns, for each output; by `winograd`, for each tile of 2 x 2 or 4 x 4 outputs."""


def tile(
    x_shape: tuple[int, ...], W_shape: tuple[int, ...], dtype: Any, stride: Pair, pad: Pair,
    dilation: Pair, groups: int, known: bool = False,
) -> int:  # fmt: skip
    """Side of the output tiles of `winograd`, or 0: by `columns`; whichever costs least."""
    if W_shape[2:] != (3, 3) or groups > 1 or stride != DENSE or dilation != DENSE:
        return 0
    if dtype.char != "f" or pad[0] != pad[1] or Config.exact:
        return 0
    return cheapest(*x_shape, W_shape[0], pad[0], known)


@lru_cache(1024)
def cheapest(N: int, C: int, H: int, W: int, OC: int, pad: int, known: bool) -> int:
    """The key of `COSTS` that costs least."""
    down, across = H + 2 * pad - 2, W + 2 * pad - 2

    def cost(m: int) -> float:
        side = m or 1
        return COSTS[m].of(N * -(-down // side) * -(-across // side), C, OC, known)

    return min(COSTS, key=cost)
