"""Convolution by blocks of columns: lay out the windows of a few images, multiply, go on.

A window of C*KH*KW elements becomes a column, an image a matrix of OH*OW columns. One product
with the filters, as rows, gives the output of the image where it belongs, without transposing:

      filters (OC, C*KH*KW)  @  columns (C*KH*KW, OH*OW)  =  y[n] (OC, OH*OW)

Columns take KH*KW times the room of the image. So they are made for as many images at a time
as `BLOCK` bytes hold, always in the same buffer: large products, little memory. Both gradients
go the same way: the columns of x times gy for W; filters times gy are the columns of gx, which
are added up where they lie.
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


def conv2d(x: Any, W: Any, b: Any, stride: Pair, pad: Pair) -> Any:
    """Filters times columns, block by block; the bias is added while the block is in cache."""
    OC, C, KH, KW = W.shape
    view = windows(padded(x, pad), (KH, KW), stride)
    N, (OH, OW) = len(x), view.shape[-2:]
    filters = W.reshape(OC, C * KH * KW)
    y = np.empty((N, OC, OH, OW), x.dtype)
    for block, columns in column_blocks(view):
        part = y[block].reshape(-1, OC, OH * OW)
        np.matmul(filters, columns, out=part)
        if b is not None:
            part += b[:, np.newaxis]
    return y


def conv2d_grad_W(x: Any, gy: Any, kernel: Pair, stride: Pair, pad: Pair) -> Any:
    """Columns times gy, summed over the images.

    In this order, and not gy times columns, the longer matrix comes first: OpenBLAS is faster.
    """
    OC, C = gy.shape[1], x.shape[1]
    view = windows(padded(x, pad), kernel, stride)
    gW = np.zeros((C * kernel[0] * kernel[1], OC), x.dtype)
    for block, columns in column_blocks(view):
        part = gy[block].reshape(len(columns), OC, -1)
        gW += np.matmul(columns, part.transpose(0, 2, 1)).sum(axis=0)
    return np.ascontiguousarray(gW.T).reshape(OC, C, *kernel)


def conv2d_grad_x(gy: Any, W: Any, shape: tuple[int, ...], stride: Pair, pad: Pair) -> Any:
    """Filters times gy are the columns of gx; add them up where they lie."""
    OC, C, KH, KW = W.shape
    (N, _, H, Wd), (OH, OW), (PH, PW) = shape, gy.shape[-2:], pad
    filters = W.reshape(OC, C * KH * KW).T
    gx = np.empty(shape, gy.dtype)
    step = images_per_block(C * KH * KW * OH * OW * gy.itemsize)
    columns = np.empty((min(step, N), C * KH * KW, OH * OW), gy.dtype)
    margin = np.empty((min(step, N), C, H + 2 * PH, Wd + 2 * PW), gy.dtype)
    for start in range(0, N, step):
        part = gy[start : start + step].reshape(-1, OC, OH * OW)
        n = len(part)
        cols = np.matmul(filters, part, out=columns[:n]).reshape(n, C, KH, KW, OH, OW)
        block = margin[:n]
        block[...] = 0
        for i in range(KH):
            for j in range(KW):
                view_at(block, i, j, stride, (OH, OW))[...] += cols[:, :, i, j]
        gx[start : start + n] = block[:, :, PH : PH + H, PW : PW + Wd]
    return gx


def column_blocks(view: Any) -> Iterator[tuple[slice, Any]]:
    """Which images, and their columns (n, C*KH*KW, OH*OW) in a buffer that is used again."""
    N, C, KH, KW, OH, OW = view.shape
    step = images_per_block(view[0].size * view.itemsize)
    buffer = np.empty((min(step, N), C, KH, KW, OH, OW), view.dtype)
    for start in range(0, N, step):
        block = slice(start, min(start + step, N))
        columns = buffer[: block.stop - start]
        columns[...] = view[block]
        yield block, columns.reshape(len(columns), C * KH * KW, OH * OW)


def images_per_block(bytes_per_image: int) -> int:
    """How many images' columns fit into a block; at least one."""
    return max(1, BLOCK // bytes_per_image)
