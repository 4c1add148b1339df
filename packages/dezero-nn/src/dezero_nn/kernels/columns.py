"""Convolution by blocks of columns: lay out the windows of a few images, multiply, go on.

A window of K = C*KH*KW elements becomes a column, an image a matrix of P = OH*OW columns. One
product with the filters, as rows, gives the output where it belongs, without transposing:

      filters (OC, K)  @  columns (K, P)  =  y[n] (OC, P)

Columns take KH*KW times the room of the image. So they are made for as many images at a time
as `BLOCK` bytes hold, or as many rows of a large one, always in the same buffer: large products
of what is in the cache, little memory. Where images are small, so would be the products; the
columns of all images of a block then lie side by side, and the output is copied to its place.
With filters of one element, images are their own columns.

Both gradients go the same way. Whatever has fewer channels is laid out, as that is what is moved:

              columns of                        or, the other way around
      y       x                                 products of x are added up: few filters
      gW      x                                 columns of gy: few filters
      gx      gy, the filters turned around     products of gy are added up: few channels

Where products are added up, they come as columns of the output. With strides, gy meets every other
element of the filters only, another one for each remainder by the stride:

      stride 2, filter (u v w):    gx  v  uw  v  uw  v      (u w) and (v), each turned around

With groups there is such a product for each part of the channels.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from dezero_core import Config
from dezero_core.dtypes import sum_over
from dezero_core.extend import backend_of

from ..windows import DENSE, Pair
from .views import cut_out, padded, view_at, windows

BLOCK = 4 << 20
"""Bytes of columns made at a time: smaller ones make small products, larger leave the cache."""

ADDED_UP = 3
"""How often an element could be copied, while a product is written, read and added up."""

TURNED = 10
"""And while an element of the filters is turned around."""

ONCE_MORE = 1.25
"""How much longer it takes to copy gy, when x is copied too, once."""

FEW_PLACES = 512
"""Of all images together, up to which a gradient of the filters takes less than transposing it."""

SMALL = 256
"""Outputs of an image up to which images are joined: products of fewer columns are slower."""


def conv2d(
    x: Any, W: Any, b: Any, stride: Pair, pad: Pair, dilation: Pair, groups: int, y: Any
) -> None:
    """Filters times columns, block by block, into ``y``; the bias is added in cache."""
    (OC, C, KH, KW), (OH, OW) = W.shape, y.shape[2:]
    if is_shorter_back("y", x.shape, W.shape, (OH, OW), stride, pad, dilation):
        around = dilation[0] * (KH - 1) - pad[0], dilation[1] * (KW - 1) - pad[1]
        added_up(x, transposed(W, groups), DENSE, around, dilation, groups, y)
        if b is not None:
            y += b.reshape(OC, 1, 1)
        return
    view = windows(padded(x, pad), (KH, KW), stride, dilation)
    if len(x) == groups == 1 and view[0].nbytes <= BLOCK:  # one image, without detours
        outputs = multiplied(W.reshape(OC, -1), view.reshape(-1, OH * OW), in_groups(y, 1)[0, 0])
        if b is not None:
            outputs += b[:, np.newaxis]
        return
    filters = W.reshape(groups, OC // groups, C * KH * KW)
    for block, columns in column_blocks(view, groups):
        part = in_groups(y[block], groups)
        if columns.ndim == 3:
            joined = np.matmul(filters, columns).reshape(groups, OC // groups, len(part), OH * OW)
            part[...] = joined.transpose(2, 0, 1, 3)
        else:
            multiplied(filters, columns, part)
        if b is not None:
            part += b.reshape(groups, OC // groups, 1)


def conv2d_grad_W(
    x: Any, gy: Any, kernel: Pair, stride: Pair, pad: Pair, dilation: Pair, groups: int
) -> Any:
    """Columns times gy, summed over the images.

    In this order, and not gy times columns, the longer matrix comes first: OpenBLAS is faster. Of
    few places gy comes first: it is the transposition afterwards that would take long. The other
    way around an inf of x meets zeros around gy: not in double precision, nor where it is exact.
    """
    OC, C, exact = gy.shape[1], x.shape[1] // groups, Config.exact or x.dtype.char == "d"
    shapes = x.shape, (OC, C, *kernel), gy.shape[2:]
    if not exact and is_shorter_back("W", *shapes, stride, pad, dilation):
        return gradient_of_few(x, gy, kernel, stride, pad, dilation, groups)
    view = windows(padded(x, pad), kernel, stride, dilation)
    few = len(x) * math.prod(gy.shape[2:]) <= FEW_PLACES
    total: Any = None
    for block, columns in column_blocks(view, groups):
        outputs = in_groups(gy[block], groups)
        if columns.ndim == 3:
            outputs = outputs.transpose(1, 2, 0, 3).reshape(groups, OC // groups, -1)
        left, right = (outputs, columns) if few else (columns, outputs)
        part = np.matmul(left, right.swapaxes(-1, -2))
        if part.ndim == 4:
            part = sum_over(part, backend_of(part), 0) if len(part) > 1 else part[0]
        total = part if total is None else np.add(total, part, out=total)
    gW = total if few else np.ascontiguousarray(total.swapaxes(1, 2))
    return gW.reshape(OC, C, *kernel)


def gradient_of_few(
    x: Any, gy: Any, kernel: Pair, stride: Pair, pad: Pair, dilation: Pair, groups: int
) -> Any:
    """The same of few filters: columns of gy times x, for each remainder by the strides."""
    gW = np.zeros((gy.shape[1], x.shape[1] // groups, *kernel), x.dtype)
    for down, across in remainders(x.shape, kernel, stride, pad, dilation):
        part = gW[..., down.taps, across.taps]
        if part.size > 0:
            images = np.ascontiguousarray(x[:, :, down.places, across.places])
            outputs, taps = cut_out(gy, down.reached, across.reached), part.shape[2:]
            turned = conv2d_grad_W(outputs, images, taps, DENSE, (0, 0), dilation, groups)
            part[...] = transposed(turned, groups)
    return gW


def conv2d_grad_x(
    gy: Any, W: Any, stride: Pair, pad: Pair, dilation: Pair, groups: int, gx: Any
) -> None:
    """By the filters turned around, or as columns that are added up."""
    if is_shorter_back("x", gx.shape, W.shape, gy.shape[2:], stride, pad, dilation):
        added_up(gy, W, stride, pad, dilation, groups, gx)
    else:
        turned_around(gy, W, stride, pad, dilation, groups, gx)


def is_shorter_back(part: str, *shapes_and_settings: Any) -> bool:
    """Whether to go the other way around for ``part``: the output y, the gradient of x or of W."""
    straight, back = moved(part, *shapes_and_settings)
    return back < straight


def moved(
    part: str, x_shape: Any, W_shape: Any, counts: Any, stride: Pair, pad: Pair, dilation: Pair
) -> tuple[float, float]:
    """Elements copied for each element of a filter, by the first of the two ways and by the other.

    What takes longer counts as more of them, and a way that does not exist as infinitely many.
    """
    (N, C, H, Wd), (OC, C_of_group, KH, KW), (OH, OW) = x_shape, W_shape, counts
    x, y = N * C * OH * OW, N * OC * H * Wd / (stride[0] * stride[1])
    turned = TURNED * OC * C_of_group
    fits = stride == DENSE or dilation == DENSE
    if part == "x":
        return (y + turned if fits else math.inf), ADDED_UP * x
    if part == "W":  # images are the columns of filters of one element
        return x, (ONCE_MORE * y + turned if fits and KH * KW > 1 else math.inf)
    fits = stride == DENSE and pad[0] <= dilation[0] * (KH - 1) and pad[1] <= dilation[1] * (KW - 1)
    return x, (ADDED_UP * y + turned if fits else math.inf)


class Remainder(NamedTuple):
    """Along one axis: the places of images that are equal modulo the stride.

    Which they are, the elements of the filters that they meet, and what of gy these reach: from
    where to before where.
    """

    places: slice
    taps: slice
    reached: Pair


def remainders(
    x_shape: Any, kernel: Pair, stride: Pair, pad: Pair, dilation: Pair
) -> Iterator[tuple[Remainder, Remainder]]:
    """All of them, down and across."""
    axes = zip(x_shape[2:], kernel, stride, pad, dilation, strict=True)
    down, across = (list(remainders_along(*axis)) for axis in axes)
    return ((one, other) for one in down for other in across)


def remainders_along(
    size: int, K: int, stride: int, pad: int, dilation: int
) -> Iterator[Remainder]:
    """Place p meets element k for output o where p + pad = stride*o + dilation*k."""
    for rest in range(stride):
        first = -(-(pad - rest) // stride)
        place = rest + stride * first - pad
        stop = first + -(-(size - place) // stride)
        reach = dilation * (-(-(K - rest) // stride) - 1)
        places, taps = slice(place, None, stride), slice(rest, None, stride)
        if place < size:
            yield Remainder(places, taps, (first - reach, stop))


def turned_around(
    gy: Any, W: Any, stride: Pair, pad: Pair, dilation: Pair, groups: int, gx: Any
) -> None:
    """Convolutions of gy with the filters turned around, one for each remainder by the strides."""
    for down, across in remainders(gx.shape, W.shape[2:], stride, pad, dilation):
        filters = transposed(W[..., down.taps, across.taps], groups)
        to = gx[:, :, down.places, across.places]
        if filters.size == 0:
            to[...] = 0
            continue
        part = cut_out(gy, down.reached, across.reached)
        y = to if stride == DENSE else np.empty(to.shape, to.dtype)
        conv2d(part, filters, None, DENSE, (0, 0), dilation, groups, y)
        if y is not to:
            to[...] = y


def transposed(W: Any, groups: int) -> Any:
    """Filters of the way back: channels and filters change places, their elements turn around."""
    OC, C, KH, KW = W.shape
    parts = W.reshape(groups, OC // groups, C, KH, KW).swapaxes(1, 2)[..., ::-1, ::-1]
    return np.ascontiguousarray(parts).reshape(groups * C, OC // groups, KH, KW)


def added_up(
    gy: Any, W: Any, stride: Pair, pad: Pair, dilation: Pair, groups: int, gx: Any
) -> None:
    """Filters times gy are the columns of gx; add them up where they lie."""
    OC, _, KH, KW = W.shape
    (N, C, H, Wd), (OH, OW), (PH, PW) = gx.shape, gy.shape[-2:], pad
    K = C // groups * KH * KW
    filters = W.reshape(groups, OC // groups, K).swapaxes(1, 2)
    if (KH, KW) == stride == DENSE and not any(pad):
        columns = gx.reshape(N, groups, K, OH * OW)
        multiplied(filters, gy.reshape(N, groups, OC // groups, OH * OW), columns)
        return
    images, rows = per_block(groups * K * OW * gy.itemsize, OH)
    columns = np.empty(min(images, N) * groups * K * min(rows, OH) * OW, gy.dtype)
    margin = np.empty((min(images, N), C, H + 2 * PH, Wd + 2 * PW), gy.dtype)
    for start in range(0, N, images):
        block = margin[: min(images, N - start)]
        block[...] = 0
        for top in range(0, OH, rows):
            here = slice(top, top + rows)
            part = in_groups(gy[start : start + images, :, here], groups)
            room = columns[: len(part) * C * KH * KW * part.shape[-1]]
            cols = multiplied(filters, part, room.reshape(len(part), groups, K, -1))
            cols = cols.reshape(len(part), C, KH, KW, -1, OW)
            for i in range(KH):
                for j in range(KW):
                    places = view_at(block, i, j, stride, (OH, OW), dilation)
                    places[:, :, here] += cols[:, :, i, j]
        gx[start : start + images] = block[:, :, PH : PH + H, PW : PW + Wd]


def multiplied(filters: Any, columns: Any, out: Any) -> Any:
    """Their product in ``out``; where nothing is added up, BLAS takes four times as long."""
    multiply = np.multiply if filters.shape[-1] == 1 else np.matmul
    return multiply(filters, columns, out=out)


def in_groups(y: Any, groups: int) -> Any:
    """A view of outputs, each group's channels by themselves: (n, G, OC/G, places)."""
    n, OC, rows, OW = y.shape
    return y.reshape(n, groups, OC // groups, rows * OW)


def column_blocks(view: Any, groups: int) -> Iterator[tuple[Any, Any]]:
    """Which images and rows of outputs, as an index, and their columns in a buffer used again.

    They are (n, G, K/G, P), or (G, K/G, n*P) if the images are joined.
    """
    N, C, KH, KW, OH, OW = view.shape
    K = C // groups * KH * KW
    images, rows = per_block(C * KH * KW * OW * view.itemsize, OH)
    joined = OH * OW <= SMALL and min(images, N) > 1
    is_column = KH * KW == 1 and view.flags.c_contiguous and not joined
    if is_column:
        rows = OH
    buffer = np.empty(0 if is_column else min(images, N) * groups * K * rows * OW, view.dtype)
    for start in range(0, N, images):
        for top in range(0, OH, rows):
            block = slice(start, start + images), slice(None), slice(top, top + rows)
            part = view[block[0], ..., block[2], :]
            n, room = len(part), buffer[: part.size]
            if is_column:
                yield block, part.reshape(n, groups, K, -1)
            elif joined:
                room.reshape(C, KH, KW, n, OH, OW)[...] = part.transpose(1, 2, 3, 0, 4, 5)
                yield block, room.reshape(groups, K, -1)
            else:
                room.reshape(part.shape)[...] = part
                yield block, room.reshape(n, groups, K, -1)


def per_block(bytes_of_row: int, OH: int) -> tuple[int, int]:
    """How many images have columns of `BLOCK` bytes, and how many of their rows; at least one."""
    images = BLOCK // (bytes_of_row * OH)
    return (images, OH) if images else (1, max(1, BLOCK // bytes_of_row))
