"""Compute convolutions and their gradients by Winograd's transforms, block by block."""

from __future__ import annotations

import numpy as np

from ..conv_kernels import NumPyArray
from .overlap import add_tiles
from .tiling import ITEM, Tiling, transforms


def transform_filters(W: NumPyArray, m: int) -> NumPyArray:
    """Return the transformed filters U = G w G' (n*n, OC, C) of filters (OC, C, 3, 3)."""
    OC, C = W.shape[:2]
    return (transforms(m)[1] @ W.reshape(OC * C, 9).T).reshape(-1, OC, C)


def convolve(
    x: NumPyArray,
    U: NumPyArray,
    b: NumPyArray | None,
    pad: int,
    m: int,
    y: NumPyArray,
    part: slice = slice(None),
) -> None:
    """Write the convolution with transformed filters U (n*n, OC, C) to ``y``, and add the bias.

    For a single image, ``part`` selects rows of tiles.
    """
    tiling = Tiling(x.shape, U.shape[1], pad, m)
    x, item = np.ascontiguousarray(x), ITEM[m]
    fits = tiling.OH == tiling.down * m and tiling.OW == tiling.across * m and y.flags.c_contiguous
    for block in tiling.blocks(part):
        T, rows = tiling.tiles(block), block.bottom - block.top
        V = tiling.transform_input(x, block)
        M = np.matmul(U, V, out=tiling.buffer("M", (m + 2) ** 2, tiling.OC, T))
        flat = tiling.buffer("y", tiling.OC * T, m * m)
        np.matmul(M.reshape(len(M), -1).T, transforms(m)[0], out=flat)
        if b is not None:
            per_channel = flat.reshape(tiling.OC, -1)
            per_channel += b[:, np.newaxis]
        images = block.stop - block.start
        here: NumPyArray = flat.view(item).reshape(tiling.OC, images, rows, tiling.across, m)
        first, last = block.top * m, min(block.bottom * m, tiling.OH)
        target = y[block.start : block.stop, :, first:last]
        whole = (
            target
            if fits
            else tiling.buffer("image", images, tiling.OC, rows * m, tiling.across * m)
        )
        there: NumPyArray = whole.view(item).reshape(images, tiling.OC, rows, m, tiling.across)
        there[...] = here.transpose(1, 0, 2, 4, 3)
        if not fits:
            target[...] = whole[:, :, : last - first, : tiling.OW]


def filter_gradient(x: NumPyArray, gy: NumPyArray, pad: int, m: int) -> NumPyArray:
    """Return the weight gradient: sum over all tiles, then apply the inverse transform."""
    tiling = Tiling(x.shape, gy.shape[1], pad, m)
    x, gy = np.ascontiguousarray(x), np.ascontiguousarray(gy)
    total = FilterSum(tiling)
    for block in tiling.blocks():
        total.add(tiling.transform_input(x, block), tiling.transform_gradient(gy, block))
    return total.filters()


def image_gradient(gy: NumPyArray, U: NumPyArray, pad: int, m: int, gx: NumPyArray) -> None:
    """Write the input gradient to ``gx``, with transformed filters U (n*n, C, OC)."""
    tiling = Tiling(gx.shape, U.shape[2], pad, m)
    gy = np.ascontiguousarray(gy)
    for block in tiling.blocks():
        add_tiles(tiling, U, tiling.transform_gradient(gy, block), block, gx)


def both_gradients(
    x: NumPyArray, gy: NumPyArray, U: NumPyArray, pad: int, m: int, gx: NumPyArray
) -> NumPyArray:
    """Write the input gradient to ``gx``; return the weight gradient."""
    tiling = Tiling(x.shape, gy.shape[1], pad, m)
    x, gy = np.ascontiguousarray(x), np.ascontiguousarray(gy)
    total = FilterSum(tiling)
    for block in tiling.blocks():
        M = tiling.transform_gradient(gy, block)
        total.add(tiling.transform_input(x, block), M)
        add_tiles(tiling, U, M, block, gx)
    return total.filters()


class FilterSum:
    """The transformed weight gradient (n*n, C, OC), summed block by block."""

    def __init__(self, tiling: Tiling) -> None:
        self.m = tiling.m
        self.total = np.zeros((tiling.n**2, tiling.C, tiling.OC), np.float32)
        self.part = np.empty_like(self.total)

    def add(self, V: NumPyArray, M: NumPyArray) -> None:
        """Add ``V @ M'`` of the transformed input V (n*n, C, T) and gradient M (n*n, OC, T)."""
        self.total += np.matmul(V, M.swapaxes(1, 2), out=self.part)

    def filters(self) -> NumPyArray:
        """Return the weight gradient, shape (OC, C, 3, 3)."""
        nn, C, OC = self.total.shape
        taps = transforms(self.m)[1].T @ self.total.reshape(nn, C * OC)
        gW = np.empty((OC, C, 3, 3), np.float32)  # a gradient must own its memory
        gW.reshape(OC, C, 9)[...] = taps.reshape(9, C, OC).T
        return gW
