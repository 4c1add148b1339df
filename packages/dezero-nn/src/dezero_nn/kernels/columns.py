"""Convolution by blocks of columns: lay out the windows of a few images, multiply, go on.

A window of K = C*KH*KW elements becomes a column, an image a matrix of P = OH*OW columns. One
product with the filters, as rows, gives the output where it belongs, without transposing:

      filters (OC, K)  @  columns (K, P)  =  y[n] (OC, P)

Columns take KH*KW times the room of the image. So they are made for as many images at a time
as `BLOCK` bytes hold, or as many rows of a large one, always in the same buffer: large products
of what is in the cache, little memory. Where images are small, so would be the products; the
columns of all images of a block then lie side by side, and the output is copied to its place.
With filters of one element, images are their own columns.

Both gradients go the same way: for W it is the columns of x times gy. For x there are two ways.
It is a convolution again, of gy with the filters turned around; with strides there is one for each
remainder by them, as an element of x meets every other element of the filters only:

      stride 2, filter (u v w):    x  v  uw  v  uw  v       (u w) and (v), each turned around

Or the filters times gy are the columns of gx, which are added up where they lie. With groups there
is such a product for each part of the channels.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any, NamedTuple

import numpy as np

from ..windows import DENSE, Pair
from .views import cut_out, padded, view_at, windows

BLOCK = 4 << 20
"""Bytes of columns made at a time: smaller ones make small products, larger leave the cache."""

SMALL = 256
"""Outputs of an image up to which images are joined: products of fewer columns are slower."""


def conv2d(
    x: Any, W: Any, b: Any, stride: Pair, pad: Pair, dilation: Pair, groups: int, y: Any
) -> None:
    """Filters times columns, block by block, into ``y``; the bias is added in cache."""
    OC, C, KH, KW = W.shape
    view = windows(padded(x, pad), (KH, KW), stride, dilation)
    OH, OW = view.shape[-2:]
    if len(x) == groups == 1 and view[0].nbytes <= BLOCK:  # one image, without detours
        outputs = np.matmul(W.reshape(OC, -1), view.reshape(-1, OH * OW), out=y.reshape(OC, -1))
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
            np.matmul(filters, columns, out=part)
        if b is not None:
            part += b.reshape(groups, OC // groups, 1)


def conv2d_grad_W(
    x: Any, gy: Any, kernel: Pair, stride: Pair, pad: Pair, dilation: Pair, groups: int
) -> Any:
    """Columns times gy, summed over the images.

    In this order, and not gy times columns, the longer matrix comes first: OpenBLAS is faster.
    """
    OC, C = gy.shape[1], x.shape[1] // groups
    view = windows(padded(x, pad), kernel, stride, dilation)
    gW = np.zeros((groups, C * kernel[0] * kernel[1], OC // groups), x.dtype)
    for block, columns in column_blocks(view, groups):
        part = in_groups(gy[block], groups)
        if columns.ndim == 3:
            joined = part.transpose(1, 0, 3, 2).reshape(groups, -1, OC // groups)
            gW += np.matmul(columns, joined)
        else:
            gW += np.matmul(columns, part.swapaxes(2, 3)).sum(axis=0)
    return np.ascontiguousarray(gW.swapaxes(1, 2)).reshape(OC, C, *kernel)


def conv2d_grad_x(
    gy: Any, W: Any, stride: Pair, pad: Pair, dilation: Pair, groups: int, gx: Any
) -> None:
    """By the filters turned around, or as columns that are added up: whatever moves less."""
    places = gy.shape[2] * gy.shape[3] * stride[0] * stride[1]
    moves_less = W.shape[0] * gx.shape[2] * gx.shape[3] <= 2 * gx.shape[1] * places
    if moves_less and DENSE in (stride, dilation):
        turned_around(gy, W, stride, pad, dilation, groups, gx)
    else:
        added_up(gy, W, stride, pad, dilation, groups, gx)


class Remainder(NamedTuple):
    """Along one axis: the places of images that are equal modulo the stride.

    Which they are, the elements of the filters that they meet, and where in gy they begin and end.
    """

    places: slice
    taps: slice
    start: int
    stop: int


def remainders(size: int, K: int, stride: int, pad: int, dilation: int) -> list[Remainder]:
    """All of them: place p meets element k for output o where p + pad = stride*o + dilation*k."""
    found = []
    for rest in range(stride):
        first = -(-(pad - rest) // stride)
        place = rest + stride * first - pad
        stop = first + -(-(size - place) // stride)
        reach = dilation * (-(-(K - rest) // stride) - 1)
        places, taps = slice(place, None, stride), slice(rest, None, stride)
        found.append(Remainder(places, taps, first - reach, stop))
    return found


def turned_around(
    gy: Any, W: Any, stride: Pair, pad: Pair, dilation: Pair, groups: int, gx: Any
) -> None:
    """Convolutions of gy with the filters turned around, one for each remainder by the strides."""
    OC, C, KH, KW = W.shape
    parts = W.reshape(groups, OC // groups, C, KH, KW).swapaxes(1, 2)
    along = zip(gx.shape[2:], (KH, KW), stride, pad, dilation, strict=True)
    for down, across in product(*[remainders(*axis) for axis in along]):
        turned = parts[..., down.taps, across.taps][..., ::-1, ::-1]
        to = gx[:, :, down.places, across.places]
        if turned.size == 0:
            to[...] = 0
            continue
        filters = np.ascontiguousarray(turned).reshape(groups * C, OC // groups, *turned.shape[3:])
        part = cut_out(gy, down[2:], across[2:])
        y = to if stride == DENSE else np.empty(to.shape, to.dtype)
        conv2d(part, filters, None, DENSE, (0, 0), dilation, groups, y)
        if y is not to:
            to[...] = y


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
        np.matmul(filters, gy.reshape(N, groups, OC // groups, OH * OW), out=columns)
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
            cols = np.matmul(filters, part, out=room.reshape(len(part), groups, K, -1))
            cols = cols.reshape(len(part), C, KH, KW, -1, OW)
            for i in range(KH):
                for j in range(KW):
                    places = view_at(block, i, j, stride, (OH, OW), dilation)
                    places[:, :, here] += cols[:, :, i, j]
        gx[start : start + images] = block[:, :, PH : PH + H, PW : PW + Wd]


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
