"""Cut images into tiles and apply Winograd's transforms, in one thread; see `winograd`.

      x  6 x 6 tiles, every 4          V: 36 matrices (C, T)
         +------+                                               36 matmuls       y: 4 x 4 tiles,
         |   +--|---+      ---->       U: 36 matrices (OC, C)  ---------->       side by side
         |   |  |   |
         +---|--+   |                  T tiles of a few images at a time, so that their
             +------+                  transforms stay in the cache (`BLOCK`)

Each transform of rows and columns is one matrix, their Kronecker product, so that every step is a
matmul or a copy. Tiles are copied a row at a time: 24 bytes of an input tile, or 16 bytes of an
output tile.

The interpolation points are 0, +-sqrt(2) and +-1/sqrt(2), or 0 and +-1 for m = 2. These points lose
the fewest digits (Alam et al., "Winograd Convolution for Deep Neural Networks: Efficient Point
Selection", 2022).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from ..conv_kernels import NumPyArray
from ..windows import Shape

BLOCK = 1_600_000
"""Bytes of the transformed tiles in a block, chosen to fit in a core's L2 cache. Estimate for 2 MB
of L2 cache: half or twice this size takes up to 10 % more time."""

MIN_BLOCK = 96
"""Minimum tiles in a block, because matmuls with fewer columns are slower. Estimate: half or twice
this number changes the time by less than 5 %."""

POINTS = {2: (0.0, 1.0, -1.0), 4: (0.0, 2**0.5, -(2**0.5), 0.5**0.5, -(0.5**0.5))}
"""Interpolation points, besides infinity, for each side m of an output tile."""

ITEM = {2: np.complex64, 4: np.complex128}
"""Dtypes as wide as m float32 numbers, to copy a row of an output tile as one item."""

PAIR = np.complex64
"""A dtype as wide as two elements, to copy the two columns by which tiles overlap as one item."""


@cache
def transforms(m: int) -> tuple[NumPyArray, NumPyArray, NumPyArray]:
    """Return the output, filter and input transforms A (n*n, m*m), G (n*n, 9) and B (n*n, n*n).

    These matrices are the transposed Toom-Cook algorithm for multiplying polynomials: the values of
    the product at n - 1 points and at infinity determine the product.
    """
    points, n = POINTS[m], m + 2
    A, G, B = np.zeros((n, m)), np.zeros((n, 3)), np.zeros((n, n))
    for i, point in enumerate(points):
        others = [other for other in points if other != point]
        A[i] = point ** np.arange(m)
        G[i] = point ** np.arange(3) / math.prod(point - other for other in others)
        B[i, :-1] = np.poly(others)[::-1]
    A[-1, -1] = G[-1, -1] = 1
    B[-1] = np.poly(points)[::-1]
    wide = [np.kron(matrix, matrix).astype(np.float32) for matrix in (A, G, B)]
    return wide[0], wide[1], wide[2]


class Block(NamedTuple):
    """The images [start, stop) of a block, and their rows of tiles [top, bottom)."""

    start: int
    stop: int
    top: int
    bottom: int


class Tiling:
    """Divide images into tiles and blocks; hold the buffers that all blocks share."""

    def __init__(self, x_shape: Shape, OC: int, pad: int, m: int) -> None:
        self.N, self.C, self.H, self.W = x_shape
        self.OC, self.pad, self.m, self.n = OC, pad, m, m + 2
        self.OH, self.OW = self.H + 2 * pad - 2, self.W + 2 * pad - 2
        self.down, self.across = -(-self.OH // m), -(-self.OW // m)
        self._buffers: dict[str, Any] = {}

    def blocks(self, part: slice = slice(None)) -> Iterator[Block]:
        """Yield blocks of tiles of about `BLOCK` transformed bytes, the largest first.

        Args:
            part: the rows of tiles to yield, for a single image. Default: all.
        """
        above, below, _ = part.indices(self.down)
        count = max(MIN_BLOCK, BLOCK // (4 * self.n**2 * (self.C + self.OC)))
        images = max(1, count // (self.down * self.across))
        rows = self.down if images > 1 else min(self.down, max(1, count // self.across))
        for start in range(0, self.N, images):
            for top in range(above, below, rows):
                stop, bottom = min(start + images, self.N), min(top + rows, below)
                yield Block(start, stop, top, bottom)

    def tiles(self, block: Block) -> int:
        """Return the number of tiles of a block."""
        return (block.stop - block.start) * (block.bottom - block.top) * self.across

    def buffer(self, name: str, *shape: int) -> NumPyArray:
        """Return the float32 buffer ``name`` with this shape; its contents are undefined."""
        found = self._buffers.get(name)
        if found is None or found.size < math.prod(shape):
            found = self._buffers[name] = np.empty(shape, np.float32)
        if found.shape == shape:
            return found
        return found.reshape(-1)[: math.prod(shape)].reshape(shape)

    def region(
        self, name: str, x: NumPyArray, block: Block, edge: int, extra: int
    ) -> tuple[NumPyArray, int]:
        """Return an array that holds the tiles of a block, and the byte offset of the first tile.

        The array is a view of ``x`` if all tiles lie inside ``x``, else a copy padded with zeros.

        Args:
            edge: the padding around the images.
            extra: the side of the tiles minus m.
        """
        m, (H, W) = self.m, x.shape[2:]
        top, rows = m * block.top - edge, m * (block.bottom - block.top) + extra
        columns = m * self.across + extra
        if top >= 0 and edge == 0 and top + rows <= H and columns <= W:
            return x[block.start : block.stop], 4 * top * W
        copy = self.buffer(name, block.stop - block.start, x.shape[1], rows, columns)
        first, last, right = max(top, 0), min(top + rows, H), min(columns - edge, W)
        copy[:, :, : first - top] = 0
        copy[:, :, last - top :] = 0
        copy[:, :, :, :edge] = 0
        copy[:, :, :, edge + right :] = 0
        inside = copy[:, :, first - top : last - top, edge : edge + right]
        inside[...] = x[block.start : block.stop, :, first:last, :right]
        return copy, 0

    def rows_of_tiles(
        self, x: NumPyArray, offset: int, block: Block, item: Any, count: int
    ) -> NumPyArray:
        """Return the rows of tiles as a view (C, images, tiles down, tiles across, count)."""
        a, b, c, d = x.strides
        shape = x.shape[1], len(x), block.bottom - block.top, self.across, count
        return np.ndarray(shape, item, x, offset, (b, a, self.m * c, self.m * d, c))

    def transform_input(self, x: NumPyArray, block: Block) -> NumPyArray:
        """Return the transformed input V = B d B' of a block, (n*n, C, T)."""
        T, nn = self.tiles(block), self.n**2
        region, offset = self.region("data", x, block, self.pad, 2)
        row = np.dtype((np.void, 4 * self.n))
        d = self.buffer("d", self.C * T, nn)
        view = self.rows_of_tiles(region, offset, block, row, self.n)
        d.view(row).reshape(view.shape)[...] = view
        V = self.buffer("V", nn, self.C * T)
        return np.matmul(transforms(self.m)[2], d.T, out=V).reshape(nn, self.C, T)

    def transform_gradient(self, gy: NumPyArray, block: Block) -> NumPyArray:
        """Return the transformed output gradient M = A gy A' of a block, (n*n, OC, T)."""
        T, nn = self.tiles(block), self.n**2
        region, offset = self.region("gradient", gy, block, 0, 0)
        e = self.buffer("e", self.OC * T, self.m**2)
        view = self.rows_of_tiles(region, offset, block, ITEM[self.m], self.m)
        e.view(ITEM[self.m]).reshape(view.shape)[...] = view
        M = self.buffer("M", nn, self.OC * T)
        return np.matmul(transforms(self.m)[0], e.T, out=M).reshape(nn, self.OC, T)
