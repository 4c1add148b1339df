"""Compute attention from exponentials that are never normalised, in tiles that stay in the cache.

      y = softmax(scale q k^T) v  =  (E v) / z        E = exp(scale q k^T),  z = sums of E's rows

Dividing y by z takes D divisions per query, dividing E would take S. With ``causal``, the queries
are processed in tiles, each with the keys up to its last query, so that about half of E is never
computed:

      queries 0 to 31     [ E ]                      only the last square of a tile has hidden keys
      queries 32 to 63    [  E   E ]
      queries 64 to 95    [  E   E   E ]

exp overflows for large scores and rounds tiny ones to 0, so a tile with such scores subtracts the
largest score of each row first. q, k, v, y and the gradients are views into arrays (B, T, H, D),
the layout of linear layers; BLAS reads and writes these views without copies. The workspace of the
backward pass is one array that starts with 1 / z and goes on with E, tile by tile.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from dezero_core.extend import Kernel

from ..parallel import parallel_for

MAX_SCORE, MIN_SUM = 30.0, 1e-10
"""Bounds within which exp is computed without subtracting the largest score: the largest score, and
the smallest sum of a row. Within these bounds float32 neither overflows nor loses digits."""

MIN_QUERIES, MAX_QUERIES = 32, 128
"""Bounds on the queries of a causal tile, with an eighth as many queries as keys. For
128 keys, tiles of 32 took 6.0 ms and tiles of 64 7.3 ms; for 1024 keys, tiles of 128 took 56 ms and
tiles of 32 67 ms (forward and backward on one AVX-512 core, 8 examples with 8 heads of 32)."""

TILE_ELEMENTS = 1 << 18
"""Number of exponentials of a tile that are computed at a time; in float32 they fill the level 2
cache of 1 MB of the machine that was used for tuning."""

MIN_COPIED = 16
"""Fewest queries for which k^T is copied: BLAS multiplies with the copy at 107 GFLOP/s, with a view
of k at 58. For fewer queries the copy takes longer than the matmul."""

COST = 24
"""Cost of an exponential and of the passes over it, in multiply-adds: about 1.2 ns an element."""

Arrays: TypeAlias = tuple[np.ndarray, ...]


class Tile(NamedTuple):
    """Queries that are processed together, the number of their keys, and a part of the workspace.

    Keys that no query of a tile sees come after the first ``seen`` keys.
    """

    queries: slice
    seen: int
    memory: slice


class Shapes(NamedTuple):
    """The shape (B, H, T, S) of the scores, and whether later keys are hidden."""

    B: int
    H: int
    T: int
    S: int
    causal: bool

    @property
    def rows(self) -> int:
        """Return the number of all rows of scores."""
        return self.B * self.H * self.T

    def tiles(self) -> list[Tile]:
        """Split the queries; the split depends only on the shapes, so results are repeatable."""
        step = max(MIN_QUERIES, min(MAX_QUERIES, self.S // 8)) if self.causal else self.T
        found, start = [], self.rows
        for first in range(0, self.T, step):
            last = min(first + step, self.T)
            seen = last + self.S - self.T if self.causal else self.S
            stop = start + self.B * self.H * (last - first) * seen
            found.append(Tile(slice(first, last), seen, slice(start, stop)))
            start = stop
        return found

    def blocks(self, part: slice, largest: Tile) -> Iterator[slice]:
        """Split a range of examples into blocks in which the exponentials of a tile are cached."""
        memory = largest.memory
        step = max(1, TILE_ELEMENTS * self.B // (memory.stop - memory.start))
        for start in range(part.start, part.stop, step):
            yield slice(start, min(start + step, part.stop))

    def exponentials(self, workspace: np.ndarray, tile: Tile) -> Any:
        """Return the part of the workspace with the exponentials of a tile: (B, H, n, seen)."""
        return workspace[tile.memory].reshape(self.B, self.H, -1, tile.seen)

    def parallel_for(self, width: int, job: Callable[[slice], None]) -> None:
        """Split the examples over threads; ``width`` is the length of the rows of k and v."""
        parallel_for(self.B, self.rows * self.S * (width + COST), job)


def supports_attention(
    q: np.ndarray, k: np.ndarray, v: np.ndarray, mask: np.ndarray | None, keep: np.ndarray | None,
    causal: bool, *settings: Any,
) -> bool | str:  # fmt: skip
    """Return whether the arrays have one dtype and elements, and each query sees a key."""
    for x in (q, k, v, q if mask is None else mask):
        if type(x) is not np.ndarray or x.dtype != q.dtype or x.size == 0:
            return "an array is empty, or has another dtype"
    if q.dtype.char not in "fd":
        return "the dtype is not float32 or float64"
    return not causal or q.shape[-2] <= k.shape[-2] or "the first queries see no key"


def attention(
    q: np.ndarray, k: np.ndarray, v: np.ndarray, mask: np.ndarray | None, keep: np.ndarray | None,
    causal: bool, scale: float, dropout: float, needs_workspace: bool,
) -> tuple[np.ndarray, np.ndarray | None]:  # fmt: skip
    """Return softmax(scale q k^T + mask) v, and the workspace if it is needed."""
    lead, scores = q.shape[:-2], (*q.shape[:-1], k.shape[-2])
    q, k, v = with_four_axes(q), with_four_axes(k), with_four_axes(v)
    mask = None if mask is None else with_four_axes(np.broadcast_to(mask, scores))
    keep = None if keep is None else with_four_axes(keep)
    (B, H, T, D), S, width = q.shape, k.shape[2], v.shape[3]
    shapes = Shapes(B, H, T, S, causal)
    tiles = shapes.tiles()
    y = np.empty((B, T, H, width), q.dtype)
    workspace = np.empty(tiles[-1].memory.stop if needs_workspace else shapes.rows, q.dtype)
    inverse_z = workspace[: shapes.rows].reshape(B, T, H)

    def compute(part: slice) -> None:
        for block in shapes.blocks(part, tiles[-1]):
            scaled_q, kt = with_scale(q[block], k[block], scale)
            y_block = y[block].transpose(0, 2, 1, 3)
            for tile in tiles:
                rows, keys = tile.queries, slice(tile.seen)
                if needs_workspace:
                    E = shapes.exponentials(workspace, tile)[block]
                else:
                    E = np.empty((len(kt), H, len(range(T)[rows]), tile.seen), q.dtype)
                added = None if mask is None else mask[block, :, rows, keys]
                z = write_exponentials(E, scaled_q[:, :, rows], kt[..., keys], added, causal)
                np.reciprocal(z, out=inverse_z[block, rows].transpose(0, 2, 1))
                weights = E if keep is None else E * keep[block, :, rows, keys]
                np.matmul(weights, v[block, :, keys], out=y_block[:, :, rows])
            y_block = y[block].reshape(-1, H * width)
            y_block *= repeated(inverse_z[block], [1 / (1 - dropout)] * width)

    shapes.parallel_for(D + width, compute)
    y = y.transpose(0, 2, 1, 3).reshape(*lead, T, width)
    return y, workspace if needs_workspace else None


def attention_of_few(
    q: np.ndarray, k: np.ndarray, v: np.ndarray, mask: np.ndarray | None, keep: np.ndarray | None,
    causal: bool, scale: float, dropout: float, needs_workspace: bool,
) -> tuple[np.ndarray, None]:  # fmt: skip
    """Compute `attention` for a few queries without dropout and workspace, in few calls."""

    def compute(part: slice) -> np.ndarray:
        E = (q * scale) @ k.swapaxes(-1, -2)
        if mask is not None:
            E += mask
        if causal and T > 1:
            np.copyto(E, -np.inf, where=~np.tri(T, S, S - T, dtype=bool))
        top = np.maximum.reduce(E, axis=-1, keepdims=True)
        if mask is not None:  # a mask may hide all keys from a query
            top[top == -np.inf] = 0
        E -= top
        np.exp(E, out=E)
        z = np.add.reduce(E, axis=-1, keepdims=True)
        if mask is not None:
            z[z == 0] = 1
        y: np.ndarray = E @ v
        y /= z
        return y

    (*lead, T, D), S = q.shape, k.shape[-2]
    work = math.prod(lead) * T * S * (D + v.shape[-1] + COST)
    return parallel_for(1, work, compute)[0], None


def supports_few(
    q: np.ndarray, k: np.ndarray, v: np.ndarray, mask: np.ndarray | None, keep: np.ndarray | None,
    causal: bool, scale: float, dropout: float, needs_workspace: bool,
) -> bool | str:  # fmt: skip
    """Return whether there are few queries, and neither dropout nor a graph."""
    if q.shape[-2] >= MIN_COPIED or keep is not None or needs_workspace:
        return "there are many queries, dropout or a graph"
    return supports_attention(q, k, v, mask, keep, causal)


def with_four_axes(x: np.ndarray) -> np.ndarray:
    """Return ``x`` (..., m, n) with four axes; two leading axes stay as they are."""
    return x if x.ndim == 4 else x.reshape(-1, 1, *x.shape[-2:])


def with_scale(q: np.ndarray, k: np.ndarray, scale: float) -> Arrays:
    """Return q and k^T, of which one is multiplied by ``scale`` and copied."""
    kt = k.swapaxes(-1, -2)
    if q.shape[2] < MIN_COPIED:
        return q * scale, kt
    return q, np.multiply(kt, scale, out=np.empty(kt.shape, kt.dtype))


def write_exponentials(
    E: np.ndarray, q: np.ndarray, kt: np.ndarray, mask: np.ndarray | None, causal: bool
) -> np.ndarray:
    """Write exp(q kt + mask), perhaps divided by a number for each row; return the sums of rows.

    If a row sees no key, its exponentials are 0 and the returned sum is 1. With ``causal``, the
    keys after the diagonal of the last square of E are hidden.
    """
    if causal:
        n, seen = E.shape[2:]
        square, visible = E[..., seen - n :], np.tri(n, dtype=bool)
    write_scores(E, q, kt, mask)
    if E.max() < MAX_SCORE:
        np.exp(E, out=E)
        if causal:
            square *= visible
        z = sums_of_rows(E)
        if z.min() > MIN_SUM:
            return z
        write_scores(E, q, kt, mask)
    if causal:
        np.copyto(square, -np.inf, where=~visible)
    write_shifted_exponentials(E)
    z = sums_of_rows(E)
    z[z == 0] = 1
    return z


def write_shifted_exponentials(E: np.ndarray) -> None:
    """Replace E by exp(E - the largest element of each row), or by 0 in rows of -inf."""
    top = E.max(axis=-1, keepdims=True)
    top[top == -np.inf] = 0
    E -= top
    np.exp(E, out=E)


def write_scores(
    scores: np.ndarray, q: np.ndarray, kt: np.ndarray, mask: np.ndarray | None
) -> None:
    """Write q kt + mask to ``scores``."""
    np.matmul(q, kt, out=scores)
    if mask is not None:
        scores += mask


def sums_of_rows(E: np.ndarray) -> Any:
    """Return the sums over the last axis, by a product with ones in a third of the time of sum."""
    ones = np.ones(E.shape[-1], E.dtype)
    return (E.reshape(-1, len(ones)) @ ones).reshape(E.shape[:-1])


def repeated(z: np.ndarray, factors: Sequence[float]) -> Any:
    """Return z (B, T, H), each element times each of the factors: (B T, H len(factors)).

    The result is one matmul; broadcasting along such short rows takes three times as long.
    """
    H = z.shape[2]
    spread = np.zeros((H, H, len(factors)), z.dtype)
    spread[np.arange(H), np.arange(H)] = factors
    return z.reshape(-1, H) @ spread.reshape(H, -1)


def supports_attention_grad(
    gy: np.ndarray, y: np.ndarray, workspace: np.ndarray, q: np.ndarray, *others: Any
) -> bool:
    """Return whether the workspace is from `attention`, and the gradient has its dtype."""
    return type(gy) is np.ndarray and gy.dtype == q.dtype and workspace.ndim == 1


def attention_grad(
    gy: np.ndarray, y: np.ndarray, workspace: np.ndarray, q: np.ndarray, k: np.ndarray,
    v: np.ndarray, keep: np.ndarray | None, causal: bool, scale: float, dropout: float,
) -> Arrays:  # fmt: skip
    """Return the gradients of q, k and v.

    With g = gy / z and d = the sum of g y: gs = E (g v^T - d), gv = E^T g, gq = scale gs k,
    gk = scale gs^T q. A column -d beside g and a row of ones below v^T subtract d within the
    matmul. With dropout, g v^T is multiplied by the mask first, so d is subtracted afterwards.
    """
    shapes_of_inputs = q.shape, k.shape, v.shape
    gy, y, q, k, v = map(with_four_axes, (gy, y, q, k, v))
    keep = None if keep is None else with_four_axes(keep)
    (B, H, T, D), S, width = q.shape, k.shape[2], v.shape[3]
    shapes = Shapes(B, H, T, S, causal)
    tiles, inverse_z = shapes.tiles(), workspace[: shapes.rows].reshape(B, T, H)
    gradients = [np.empty((B, len(x[0, 0]), H, x.shape[3]), q.dtype) for x in (q, k, v)]
    gq, gk, gv = (g.transpose(0, 2, 1, 3) for g in gradients)

    def compute(part: slice) -> None:
        for block in shapes.blocks(part, tiles[-1]):
            g = repeated(inverse_z[block], [1 / (1 - dropout)] * width + [0.0])
            g = g.reshape(-1, T, H, width + 1).transpose(0, 2, 1, 3)
            g[..., :width] *= gy[block]
            d = np.vecdot(g[..., :width], y[block])
            vt = np.empty((len(g), H, width + 1, S), q.dtype)
            np.multiply(v[block].swapaxes(-1, -2), scale, out=vt[..., :width, :])
            vt[..., width, :] = scale
            if keep is None:
                np.negative(d, out=g[..., width])
            d *= scale * (1 - dropout)
            for tile in reversed(tiles):  # the last tile sees all keys
                rows, keys = tile.queries, slice(tile.seen)
                E = weights = shapes.exponentials(workspace, tile)[block]
                gs = np.matmul(g[:, :, rows], vt[..., keys])
                if keep is None:
                    gs *= E
                else:
                    weights = E * keep[block, :, rows, keys]
                    gs *= weights
                    gs -= E * d[:, :, rows, np.newaxis]
                np.matmul(gs, k[block, :, keys], out=gq[block, :, rows])
                transposes = gs.swapaxes(-1, -2), weights.swapaxes(-1, -2)
                others = q[block, :, rows], g[:, :, rows, :width]
                for gradient, left, right in zip((gk, gv), transposes, others, strict=True):
                    if tile is tiles[-1]:
                        np.matmul(left, right, out=gradient[block])
                    else:
                        gradient[block, :, keys] += np.matmul(left, right)

    shapes.parallel_for(2 * (D + width), compute)
    results = zip((gq, gk, gv), shapes_of_inputs, strict=True)
    return tuple([gradient.reshape(shape) for gradient, shape in results])


KERNELS = [
    Kernel("attention", "numpy", attention_of_few, supports_few, tolerance=3e-5, priority=1),
    Kernel("attention", "numpy", attention, supports_attention, tolerance=3e-5),
    Kernel("attention_grad", "numpy", attention_grad, supports_attention_grad, tolerance=3e-5),
]
