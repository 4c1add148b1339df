"""Add overlapping tiles to images, the transpose of cutting images into tiles."""

from __future__ import annotations

import numpy as np

from ..conv_kernels import NumPyArray
from .tiling import ITEM, PAIR, Block, Tiling, transforms


def add_tiles(tiling: Tiling, U: NumPyArray, M: NumPyArray, block: Block, gx: NumPyArray) -> None:
    """Multiply a block's transformed gy M (n*n, OC, T) by filters U; add the tiles to ``gx``."""
    n, m, pad, images = tiling.n, tiling.m, tiling.pad, block.stop - block.start
    V = np.matmul(U, M, out=tiling.buffer("V", n * n, tiling.C, tiling.tiles(block)))
    flat = tiling.buffer("d", tiling.C * tiling.tiles(block), n * n)
    np.matmul(V.reshape(n * n, -1).T, transforms(m)[2], out=flat)
    joined = add_overlaps(tiling, flat, block)
    if block.bottom - block.top == tiling.down:
        whole = joined
    else:
        whole = tiling.buffer("whole", images, tiling.C, (tiling.down + 1) * m, joined.shape[3])
        if block.top == 0:
            whole[...] = 0
        whole[:, :, block.top * m : (block.bottom + 1) * m] += joined
    if block.bottom == tiling.down:
        gx[block.start : block.stop] = whole[:, :, pad : pad + tiling.H, pad : pad + tiling.W]


def add_overlaps(tiling: Tiling, tiles: NumPyArray, block: Block) -> NumPyArray:
    """Return padded images: the sum of n x n tiles whose corners are m apart.

    Columns are summed first: the first m columns of a tile are copied, and the last two columns are
    added to the tile on the right. Then the last two rows of each row of tiles are added to the row
    of tiles below.
    """
    m, n, images, rows = tiling.m, tiling.n, block.stop - block.start, block.bottom - block.top
    shape = (tiling.C, images, rows, tiling.across, n)
    strides = tuple(np.cumprod((4 * n, n, tiling.across, rows, images))[::-1])
    beginning = np.ndarray(shape, ITEM[m], tiles, 0, strides).transpose(1, 0, 2, 4, 3)
    end = np.ndarray(shape, PAIR, tiles, 4 * m, strides).transpose(1, 0, 2, 4, 3)
    joined = tiling.buffer("joined", images, tiling.C, rows + 1, m, (tiling.across + 1) * m)
    below = tiling.buffer("below", images, tiling.C, rows, 2, (tiling.across + 1) * m)
    for target, part in ((joined[:, :, :rows], slice(m)), (below, slice(m, n))):
        items: NumPyArray = target.view(ITEM[m])
        pairs = target.view(PAIR)
        items[..., :-1] = beginning[:, :, :, part]
        items[..., -1] = 0
        pairs[..., m // 2 :: m // 2] += end[:, :, :, part]
    joined[:, :, rows] = 0
    joined[:, :, 1:, :2] += below
    return joined.reshape(images, tiling.C, (rows + 1) * m, -1)
