"""Convolution by blocks of columns: lay out the windows of a few images, multiply, go on.

A window of C*KH*KW elements becomes a column, an image a matrix of OH*OW columns. One product
with the filters, as rows, gives the output of the image where it belongs, without transposing:

      filters (OC, C*KH*KW)  @  columns (C*KH*KW, OH*OW)  =  y[n] (OC, OH*OW)

Columns take KH*KW times the room of the image. So they are made for as many images at a time
as `BLOCK` bytes hold, always in the same buffer: large products, little memory. Both gradients
go the same way: the columns of x times gy for W; filters times gy are the columns of gx, which
are added up where they lie. With groups there is such a product for each part of the channels.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..windows import Pair
from .views import padded, view_at, windows

BLOCK = 4 << 20
"""Bytes of columns made at a time. Smaller blocks make small products, larger ones only memory."""


def supports_conv2d(x: Any, W: Any, *settings: Any) -> bool:
    """Two arrays of one dtype, single or double precision, with something in them."""
    return bool(
        type(W) is np.ndarray
        and x.dtype == W.dtype
        and x.dtype.char in "fd"
        and x.size > 0
        and W.size > 0
    )


def conv2d(x: Any, W: Any, b: Any, stride: Pair, pad: Pair, dilation: Pair, groups: int) -> Any:
    """Filters times columns, block by block; the bias is added while the block is in cache."""
    OC, C, KH, KW = W.shape
    view = windows(padded(x, pad), (KH, KW), stride, dilation)
    N, (OH, OW) = len(x), view.shape[-2:]
    filters = W.reshape(groups, OC // groups, C * KH * KW)
    y = np.empty((N, OC, OH, OW), x.dtype)
    for block, columns in column_blocks(view, groups):
        part = y[block].reshape(-1, groups, OC // groups, OH * OW)
        np.matmul(filters, columns, out=part)
        if b is not None:
            part += b.reshape(groups, OC // groups, 1)
    return y


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
        part = gy[block].reshape(len(columns), groups, OC // groups, -1)
        gW += np.matmul(columns, part.swapaxes(2, 3)).sum(axis=0)
    return np.ascontiguousarray(gW.swapaxes(1, 2)).reshape(OC, C, *kernel)


def conv2d_grad_x(
    gy: Any, W: Any, shape: tuple[int, ...], stride: Pair, pad: Pair, dilation: Pair, groups: int
) -> Any:
    """Filters times gy are the columns of gx; add them up where they lie."""
    OC, _, KH, KW = W.shape
    (N, C, H, Wd), (OH, OW), (PH, PW) = shape, gy.shape[-2:], pad
    K = C // groups * KH * KW
    filters = W.reshape(groups, OC // groups, K).swapaxes(1, 2)
    gx = np.empty(shape, gy.dtype)
    step = images_per_block(groups * K * OH * OW * gy.itemsize)
    columns = np.empty((min(step, N), groups, K, OH * OW), gy.dtype)
    margin = np.empty((min(step, N), C, H + 2 * PH, Wd + 2 * PW), gy.dtype)
    for start in range(0, N, step):
        part = gy[start : start + step].reshape(-1, groups, OC // groups, OH * OW)
        n = len(part)
        cols = np.matmul(filters, part, out=columns[:n]).reshape(n, C, KH, KW, OH, OW)
        block = margin[:n]
        block[...] = 0
        for i in range(KH):
            for j in range(KW):
                view_at(block, i, j, stride, (OH, OW), dilation)[...] += cols[:, :, i, j]
        gx[start : start + n] = block[:, :, PH : PH + H, PW : PW + Wd]
    return gx


def column_blocks(view: Any, groups: int) -> Iterator[tuple[slice, Any]]:
    """Which images, and their columns (n, G, C/G*KH*KW, OH*OW) in a buffer that is used again."""
    N, C, KH, KW, OH, OW = view.shape
    step = images_per_block(view[0].size * view.itemsize)
    buffer = np.empty((min(step, N), C, KH, KW, OH, OW), view.dtype)
    for start in range(0, N, step):
        block = slice(start, min(start + step, N))
        columns = buffer[: block.stop - start]
        columns[...] = view[block]
        yield block, columns.reshape(len(columns), groups, C // groups * KH * KW, OH * OW)


def images_per_block(bytes_per_image: int) -> int:
    """How many images' columns fit into a block; at least one."""
    return max(1, BLOCK // bytes_per_image)
