"""Compute an input gradient: multiply, then scatter-add the columns to images (col2im).

This algorithm is the transpose of `columns`: the filters multiplied by gy give the columns of gx,
and overlapping windows are added up. `columns` copies the channels of the operand, `col2im` those
of the result. So `col2im` is faster if the result has fewer channels than the operand.
"""

from __future__ import annotations

import numpy as np

from ..conv_kernels import NumPyArray
from ..windows import DENSE, ConvParams
from .columns import block_size, multiply, split_groups
from .views import view_at


def scatter(gy: NumPyArray, W: NumPyArray, params: ConvParams, gx: NumPyArray) -> None:
    """Write the input gradient to ``gx``: multiply gy by the filters, then scatter-add."""
    stride, (PH, PW), dilation, groups = params
    OC, _, KH, KW = W.shape
    (N, C, H, Wd), (OH, OW) = gx.shape, gy.shape[-2:]
    K = C // groups * KH * KW
    filters = W.reshape(groups, OC // groups, K).swapaxes(1, 2)
    if (KH, KW) == stride == DENSE and PH == PW == 0:
        columns = gx.reshape(N, groups, K, OH * OW)
        multiply(filters, gy.reshape(N, groups, OC // groups, OH * OW), columns)
        return
    images, rows = block_size(groups * K * OW * gy.itemsize, OH)
    buffer = np.empty(min(images, N) * groups * K * min(rows, OH) * OW, gy.dtype)
    padded = np.empty((min(images, N), C, H + 2 * PH, Wd + 2 * PW), gy.dtype)
    for start in range(0, N, images):
        block = padded[: min(images, N - start)]
        block[...] = 0
        for top in range(0, OH, rows):
            here = slice(top, top + rows)
            part = split_groups(gy[start : start + images, :, here], groups)
            columns = buffer[: len(part) * C * KH * KW * part.shape[-1]]
            multiply(filters, part, columns.reshape(len(part), groups, K, -1))
            windows = columns.reshape(len(part), C, KH, KW, -1, OW)
            for i in range(KH):
                for j in range(KW):
                    view = view_at(block, i, j, stride, (OH, OW), dilation)
                    view[:, :, here] += windows[:, :, i, j]
        gx[start : start + images] = block[:, :, PH : PH + H, PW : PW + Wd]
