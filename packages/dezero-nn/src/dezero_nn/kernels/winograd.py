"""Convolution by 3x3 filters with a fraction of the products: Winograd's minimal filtering.

Images are cut into tiles of n x n elements that overlap by two, for outputs of m x m, n = m + 2.
A linear map V = B d B' takes each tile, another one U = G w G' each filter; where tile and filter
meet there is one product for each of the n*n elements instead of nine for each of the m*m outputs
(4x4: 36 instead of 144), and a third map y = A' (U V) A gives the outputs:

      x  6 x 6 tiles, every 4          V: 36 matrices (C, T)
         +------+                                               36 products      y: 4 x 4 tiles,
         |   +--|---+      ---->       U: 36 matrices (OC, C)  ---------->       side by side
         |   |  |   |
         +---|--+   |                  T tiles of a few images at a time: what they
             +------+                  need stays in the cache (`BLOCK`)

The maps of rows and columns are joined into one matrix each (kron), so that all of it is matrix
products and copies; tiles are copied as items of whole rows, 24 or 16 bytes at once. The gradients
are the same maps transposed: for W the products run over T, for x the tiles are added up where
they overlap.

The numbers of the maps are from the points 0, +-sqrt(2), +-1/sqrt(2) (for m = 2: 0, +-1), which
lose the fewest digits. Results differ from a direct sum by about three times its own rounding, and
one inf or nan spreads over its tile: `dezero.precision("exact")` turns this off.

Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2016; points by Alam et al.,
"Winograd Convolution for Deep Neural Networks: Efficient Point Selection", 2022.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

import numpy as np

BLOCK = 1_600_000
"""Bytes of transformed tiles at a time: they fit into a core's own cache, nearly."""

FEWEST = 96
"""Tiles of a block even so: products of fewer columns are slower."""

POINTS = {2: (0.0, 1.0, -1.0), 4: (0.0, 2**0.5, -(2**0.5), 0.5**0.5, -(0.5**0.5))}
"""Where the polynomials behind the maps are taken, besides infinity."""

ITEM = {2: np.complex64, 4: np.complex128}
"""A type as wide as m floats: a row of an output tile is copied as one item."""

PAIR = np.complex64
"""The two columns by which tiles overlap, as one item."""


@cache
def maps(m: int) -> tuple[Any, Any, Any]:
    """A (n*n, m*m), G (n*n, 9) and B (n*n, n*n): of outputs, filters and tiles, flattened.

    Toom and Cook's way to multiply polynomials, transposed: the products at n - 1 points and at
    infinity determine the result.
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
    """Some images, or some rows of tiles of one image."""

    start: int
    stop: int
    top: int
    bottom: int


class Tiling:
    """How images are cut into tiles and blocks, and the buffers that all blocks use in turn."""

    def __init__(self, x_shape: Any, OC: int, pad: int, m: int) -> None:
        self.N, self.C, self.H, self.W = x_shape
        self.OC, self.pad, self.m, self.n = OC, pad, m, m + 2
        self.OH, self.OW = self.H + 2 * pad - 2, self.W + 2 * pad - 2
        self.down, self.across = -(-self.OH // m), -(-self.OW // m)
        self._rooms: dict[str, Any] = {}

    def blocks(self, part: slice = slice(None)) -> Iterator[Block]:
        """All tiles, so many at a time that their maps take `BLOCK` bytes; the largest first.

        Or those of some rows of tiles, of a single image.
        """
        above, below, _ = part.indices(self.down)
        most = max(FEWEST, BLOCK // (4 * self.n**2 * (self.C + self.OC)))
        images = max(1, most // (self.down * self.across))
        rows = self.down if images > 1 else min(self.down, max(1, most // self.across))
        for start in range(0, self.N, images):
            for top in range(above, below, rows):
                stop, bottom = min(start + images, self.N), min(top + rows, below)
                yield Block(start, stop, top, bottom)

    def tiles(self, block: Block) -> int:
        """How many tiles a block has."""
        return (block.stop - block.start) * (block.bottom - block.top) * self.across

    def room(self, name: str, *shape: int) -> Any:
        """A buffer of that shape, float32, with whatever it held before."""
        found = self._rooms.get(name)
        if found is None or found.size < math.prod(shape):
            found = self._rooms[name] = np.empty(shape, np.float32)
        if found.shape == shape:
            return found
        return found.reshape(-1)[: math.prod(shape)].reshape(shape)

    def region(self, name: str, x: Any, block: Block, edge: int, extra: int) -> tuple[Any, int]:
        """What the tiles of a block cover, `edge` around the images: an array, and where in it.

        It is ``x`` itself if that holds all of it, else a copy with zeros around. ``extra`` is by
        how much tiles are larger than m.
        """
        m, (H, W) = self.m, x.shape[2:]
        top, rows = m * block.top - edge, m * (block.bottom - block.top) + extra
        columns = m * self.across + extra
        if top >= 0 and edge == 0 and top + rows <= H and columns <= W:
            return x[block.start : block.stop], 4 * top * W
        copy = self.room(name, block.stop - block.start, x.shape[1], rows, columns)
        first, last, right = max(top, 0), min(top + rows, H), min(columns - edge, W)
        copy[:, :, : first - top] = 0
        copy[:, :, last - top :] = 0
        copy[:, :, :, :edge] = 0
        copy[:, :, :, edge + right :] = 0
        inside = copy[:, :, first - top : last - top, edge : edge + right]
        inside[...] = x[block.start : block.stop, :, first:last, :right]
        return copy, 0

    def rows_of_tiles(self, x: Any, offset: int, block: Block, kind: Any, count: int) -> Any:
        """A view (C, images, tiles down, tiles across, count): row after row as items ``kind``."""
        a, b, c, d = x.strides
        shape = x.shape[1], len(x), block.bottom - block.top, self.across, count
        return np.ndarray(shape, kind, x, offset, (b, a, self.m * c, self.m * d, c))

    def mapped_data(self, x: Any, block: Block) -> Any:
        """V of a block: (n*n, C, T)."""
        T, nn = self.tiles(block), self.n**2
        region, offset = self.region("data", x, block, self.pad, 2)
        row = np.dtype((np.void, 4 * self.n))
        d = self.room("d", self.C * T, nn)
        view = self.rows_of_tiles(region, offset, block, row, self.n)
        d.view(row).reshape(view.shape)[...] = view
        V = self.room("V", nn, self.C * T)
        return np.matmul(maps(self.m)[2], d.T, out=V).reshape(nn, self.C, T)

    def mapped_gradient(self, gy: Any, block: Block) -> Any:
        """A gy A' of a block: (n*n, OC, T)."""
        T, nn = self.tiles(block), self.n**2
        region, offset = self.region("gradient", gy, block, 0, 0)
        e = self.room("e", self.OC * T, self.m**2)
        view = self.rows_of_tiles(region, offset, block, ITEM[self.m], self.m)
        e.view(ITEM[self.m]).reshape(view.shape)[...] = view
        M = self.room("M", nn, self.OC * T)
        return np.matmul(maps(self.m)[0], e.T, out=M).reshape(nn, self.OC, T)


def mapped_filters(W: Any, m: int) -> Any:
    """U (n*n, OC, C) of filters (OC, C, 3, 3)."""
    OC, C = W.shape[:2]
    return (maps(m)[1] @ W.reshape(OC * C, 9).T).reshape(-1, OC, C)


def conv2d(x: Any, U: Any, b: Any, pad: int, m: int, y: Any, part: slice = slice(None)) -> None:
    """Mapped filters (n*n, OC, C) at every place, into ``y``; the bias is added in cache.

    Of a single image perhaps only some rows of tiles.
    """
    cut = Tiling(x.shape, U.shape[1], pad, m)
    x, item = np.ascontiguousarray(x), ITEM[m]
    fits = cut.OH == cut.down * m and cut.OW == cut.across * m and y.flags.c_contiguous
    for block in cut.blocks(part):
        T, rows = cut.tiles(block), block.bottom - block.top
        V = cut.mapped_data(x, block)
        M = np.matmul(U, V, out=cut.room("M", (m + 2) ** 2, cut.OC, T))
        tiles = cut.room("y", cut.OC * T, m * m)
        np.matmul(M.reshape(len(M), -1).T, maps(m)[0], out=tiles)
        if b is not None:
            per_channel = tiles.reshape(cut.OC, -1)
            per_channel += b[:, np.newaxis]
        images = block.stop - block.start
        here = tiles.view(item).reshape(cut.OC, images, rows, cut.across, m)
        first, last = block.top * m, min(block.bottom * m, cut.OH)
        place = y[block.start : block.stop, :, first:last]
        whole = place if fits else cut.room("image", images, cut.OC, rows * m, cut.across * m)
        there = whole.view(item).reshape(images, cut.OC, rows, m, cut.across)
        there[...] = here.transpose(1, 0, 2, 4, 3)
        if not fits:
            place[...] = whole[:, :, : last - first, : cut.OW]


def conv2d_grad_W(x: Any, gy: Any, pad: int, m: int) -> Any:
    """The products of mapped data and mapped gradients, summed over tiles, mapped back."""
    cut = Tiling(x.shape, gy.shape[1], pad, m)
    x, gy = np.ascontiguousarray(x), np.ascontiguousarray(gy)
    total = MappedSum(cut)
    for block in cut.blocks():
        total.add(cut.mapped_data(x, block), cut.mapped_gradient(gy, block))
    return total.filters()


def conv2d_grad_x(gy: Any, U: Any, pad: int, m: int, gx: Any) -> None:
    """Mapped gradients through mapped filters (n*n, C, OC) are tiles of gx, which overlap."""
    cut = Tiling(gx.shape, U.shape[2], pad, m)
    gy = np.ascontiguousarray(gy)
    for block in cut.blocks():
        spread(cut, U, cut.mapped_gradient(gy, block), block, gx)


def conv2d_grads(x: Any, gy: Any, U: Any, pad: int, m: int, gx: Any) -> Any:
    """Both of them: gradients are mapped once."""
    cut = Tiling(x.shape, gy.shape[1], pad, m)
    x, gy = np.ascontiguousarray(x), np.ascontiguousarray(gy)
    total = MappedSum(cut)
    for block in cut.blocks():
        M = cut.mapped_gradient(gy, block)
        total.add(cut.mapped_data(x, block), M)
        spread(cut, U, M, block, gx)
    return total.filters()


class MappedSum:
    """The gradient of the filters as it grows, block by block: (n*n, C, OC)."""

    def __init__(self, cut: Tiling) -> None:
        self.m = cut.m
        self.total = np.zeros((cut.n**2, cut.C, cut.OC), np.float32)
        self.part = np.empty_like(self.total)

    def add(self, V: Any, M: Any) -> None:
        """What a block's data (n*n, C, T) and gradients (n*n, OC, T) add to it."""
        self.total += np.matmul(V, M.swapaxes(1, 2), out=self.part)

    def filters(self) -> Any:
        """(OC, C, 3, 3)."""
        nn, C, OC = self.total.shape
        taps = maps(self.m)[1].T @ self.total.reshape(nn, C * OC)
        gW = np.empty((OC, C, 3, 3), np.float32)  # no view: it is nobody else's
        gW.reshape(OC, C, 9)[...] = taps.reshape(9, C, OC).T
        return gW


def spread(cut: Tiling, U: Any, M: Any, block: Block, gx: Any) -> None:
    """Bring a block's mapped gradients (n*n, OC, T) through the filters to their places in gx."""
    n, m, pad, images = cut.n, cut.m, cut.pad, block.stop - block.start
    V = np.matmul(U, M, out=cut.room("V", n * n, cut.C, cut.tiles(block)))
    tiles = cut.room("d", cut.C * cut.tiles(block), n * n)
    np.matmul(V.reshape(n * n, -1).T, maps(m)[2], out=tiles)
    joined = overlapped(cut, tiles, block)
    if block.bottom - block.top == cut.down:
        whole = joined
    else:
        whole = cut.room("whole", images, cut.C, (cut.down + 1) * m, joined.shape[3])
        if block.top == 0:
            whole[...] = 0
        whole[:, :, block.top * m : (block.bottom + 1) * m] += joined
    if block.bottom == cut.down:
        gx[block.start : block.stop] = whole[:, :, pad : pad + cut.H, pad : pad + cut.W]


def overlapped(cut: Tiling, tiles: Any, block: Block) -> Any:
    """Tiles of n x n side by side, every m, added up where they overlap; a margin is left over.

    Columns first: the m columns that a tile begins with are copied, the other two are added to
    the beginning of the next tile. Then the last two rows, as long rows, to the next tiles below.
    """
    m, n, images, rows = cut.m, cut.n, block.stop - block.start, block.bottom - block.top
    shape = (cut.C, images, rows, cut.across, n)
    strides = tuple(np.cumprod((4 * n, n, cut.across, rows, images))[::-1])
    beginning = np.ndarray(shape, ITEM[m], tiles, 0, strides).transpose(1, 0, 2, 4, 3)
    end = np.ndarray(shape, PAIR, tiles, 4 * m, strides).transpose(1, 0, 2, 4, 3)
    joined = cut.room("joined", images, cut.C, rows + 1, m, (cut.across + 1) * m)
    below = cut.room("below", images, cut.C, rows, 2, (cut.across + 1) * m)
    for target, part in ((joined[:, :, :rows], slice(m)), (below, slice(m, n))):
        items, pairs = target.view(ITEM[m]), target.view(PAIR)
        items[..., :-1] = beginning[:, :, :, part]
        items[..., -1] = 0
        pairs[..., m // 2 :: m // 2] += end[:, :, :, part]
    joined[:, :, rows] = 0
    joined[:, :, 1:, :2] += below
    return joined.reshape(images, cut.C, (rows + 1) * m, -1)
