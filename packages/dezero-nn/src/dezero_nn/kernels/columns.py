"""Convolve by im2col: lay out windows as columns of a matrix and multiply, block by block.

A window of K = C*KH*KW elements becomes a column; an image becomes a matrix of P = OH*OW columns.
One matmul with the filters as rows gives the output in its final order, without a transposition:

      filters (OC, K)  @  columns (K, P)  =  y[n] (OC, P)

Columns take KH*KW times the memory of the image. So only `BLOCK` bytes of columns are laid out at a
time, for a few images or some rows of a large image, in one buffer that stays in the cache. If the
images are small, the columns of all images of a block lie side by side, which makes the matmuls
larger; the outputs are then copied to their positions in y. For 1x1 filters, the image is already
the matrix of columns.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from dezero_core.dtypes import sum_over
from dezero_core.extend import backend_of

from ..conv_kernels import NumPyArray
from ..windows import ConvParams, Pair
from .views import pad_images, sliding_windows

BLOCK = 4 << 20
"""Bytes of columns that are laid out at a time. Measured on AVX-512 (docs/adr/0004): 1 to 4 MB take
the same time, 8 MB takes 10 % more."""

SMALL_OUTPUT = 256
"""Number of output positions of an image (OH*OW) up to which the columns of several images are
joined, because matmuls with few columns are slow. Estimate: half or twice this value changes the
time by less than 5 %."""

FEW_POSITIONS = 512
"""Number of output positions of a batch (N*OH*OW) up to which gy is the first operand in the matmul
of the weight gradient. OpenBLAS is faster if the columns are the first operand, but the result must
then be transposed. Estimate: half or twice this value changes the time by less than 5 %."""


def convolve(
    x: NumPyArray, W: NumPyArray, b: NumPyArray | None, params: ConvParams, y: NumPyArray
) -> None:
    """Write the convolution to ``y``; add the bias to each block while it is in the cache."""
    OC, C, KH, KW = W.shape
    stride, pad, dilation, groups = params
    view = sliding_windows(pad_images(x, pad), (KH, KW), stride, dilation)
    filters = W.reshape(groups, OC // groups, C * KH * KW)
    for block, columns in column_blocks(view, groups):
        part = split_groups(y[block], groups)
        if columns.ndim == 3:
            joined = np.matmul(filters, columns).reshape(groups, OC // groups, len(part), -1)
            part[...] = joined.transpose(2, 0, 1, 3)
        else:
            multiply(filters, columns, part)
        if b is not None:
            part += b.reshape(groups, OC // groups, 1)


def filter_gradient(x: NumPyArray, gy: NumPyArray, kernel: Pair, params: ConvParams) -> NumPyArray:
    """Return the weight gradient: columns times gy, summed over the images."""
    stride, pad, dilation, groups = params
    OC, C = gy.shape[1], x.shape[1] // groups
    view = sliding_windows(pad_images(x, pad), kernel, stride, dilation)
    gy_first = len(x) * math.prod(gy.shape[2:]) <= FEW_POSITIONS
    total: Any = None
    for block, columns in column_blocks(view, groups):
        outputs = split_groups(gy[block], groups)
        if columns.ndim == 3:
            outputs = outputs.transpose(1, 2, 0, 3).reshape(groups, OC // groups, -1)
        left, right = (outputs, columns) if gy_first else (columns, outputs)
        part = np.matmul(left, right.swapaxes(-1, -2))
        if part.ndim == 4:
            part = sum_over(part, backend_of(part), 0) if len(part) > 1 else part[0]
        total = part if total is None else np.add(total, part, out=total)
    gW = total if gy_first else np.ascontiguousarray(total.swapaxes(1, 2))
    return gW.reshape(OC, C, *kernel)


def multiply(filters: NumPyArray, columns: NumPyArray, out: NumPyArray) -> None:
    """Write ``filters @ columns`` to ``out``; if the inner dimension is 1, multiply elementwise."""
    if filters.shape[-1] == 1:
        np.multiply(filters, columns, out=out)
    else:
        np.matmul(filters, columns, out=out)


def split_groups(y: NumPyArray, groups: int) -> NumPyArray:
    """Return a view (N, G, OC/G, OH*OW) of outputs (N, OC, OH, OW)."""
    N, OC, OH, OW = y.shape
    return y.reshape(N, groups, OC // groups, OH * OW)


def column_blocks(view: NumPyArray, groups: int) -> Iterator[tuple[Any, NumPyArray]]:
    """For each block, yield its index in the output and the columns of its windows.

    The columns have shape (N, G, K/G, P), or (G, K/G, N*P) if the images are joined. Each block
    overwrites the columns of the previous block, because all blocks share one buffer.
    """
    N, C, KH, KW, OH, OW = view.shape
    K = C // groups * KH * KW
    images, rows = block_size(C * KH * KW * OW * view.itemsize, OH)
    joined = OH * OW <= SMALL_OUTPUT and min(images, N) > 1
    is_column = KH * KW == 1 and view.flags.c_contiguous and not joined
    if is_column:
        rows = OH
    buffer = np.empty(0 if is_column else min(images, N) * groups * K * rows * OW, view.dtype)
    for start in range(0, N, images):
        for top in range(0, OH, rows):
            block = slice(start, start + images), slice(None), slice(top, top + rows)
            part = view[block[0], ..., block[2], :]
            n, workspace = len(part), buffer[: part.size]
            if is_column:
                yield block, part.reshape(n, groups, K, -1)
            elif joined:
                workspace.reshape(C, KH, KW, n, OH, OW)[...] = part.transpose(1, 2, 3, 0, 4, 5)
                yield block, workspace.reshape(groups, K, -1)
            else:
                workspace.reshape(part.shape)[...] = part
                yield block, workspace.reshape(n, groups, K, -1)


def block_size(row_bytes: int, OH: int) -> tuple[int, int]:
    """Return the numbers of images and of output rows per image in a block of columns."""
    images = BLOCK // (row_bytes * OH)
    return (images, OH) if images else (1, max(1, BLOCK // row_bytes))
