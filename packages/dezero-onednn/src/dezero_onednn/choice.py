"""Where oneDNN is faster than plain NumPy: estimates of both, by shape, here and nowhere else.

Nanoseconds of one core for each place of the output, a third of a convolution and its gradients
each, fitted to a hundred shapes (docs/performance.md):

      oneDNN    multiplies channels in blocks of 16: one channel costs as much as sixteen;
                reorders images and outputs
      columns   multiply no more than they must; copy KH*KW times what they read, which is x, or for
                the gradient of x without strides gy: little where there are few filters
      winograd  is estimated by dezero_nn, all three parts together
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from dezero_nn.kernels.columns import SMALL
from dezero_nn.kernels.conv import COSTS, tile
from dezero_nn.windows import DENSE, Pair, window_counts

Shape = tuple[int, ...]

PRODUCT, REORDERED = 0.157, 0.5
"""oneDNN: a 3x3 filter's product for one channel and one output; a channel or output moved."""

CALL = 25_000
"""oneDNN: what calling it takes, with three reorders."""

ODD_GROUPS = 2.5
"""oneDNN: how much longer groups of channels take that are not in eights."""

COLUMN_PRODUCT, WRITTEN, JOINED = 0.19, 0.5, 1.3
"""Columns: the same product; one output written, and where small images are joined."""

COPIED, ROW = 2.2, 40.0
"""Columns: nine elements copied for one channel, and what beginning a row of them takes."""

ADDED_UP = 4.0
"""Columns of gradients that are added up where they lie: how often they are copied."""

FEW_TILES, LONGER = 500, 1.15
"""Tiles up to which `dezero_nn` takes longer than it estimates: its products are short."""


@lru_cache(1024)
def is_faster(
    part: str, x: Shape, W: Shape, stride: Pair, pad: Pair, dilation: Pair, groups: int,
    known: bool = False,
) -> bool:  # fmt: skip
    """Whether oneDNN takes less time for ``part``: the output ``y``, the gradient of x or of W.

    ``known``: `dezero_nn` remembers the filters.
    """
    C, (OC, _, KH, KW) = x[1], W
    if groups == C == OC:  # channel by channel, oneDNN has kernels of their own for most
        usual = dilation == DENSE
        return {"y": True, "x": usual, "W": usual and max(KH, KW) == 3}[part]
    m = tile(x, W, np.dtype("f"), stride, pad, dilation, groups, known)
    OH, OW = window_counts(x, (KH, KW), stride, pad, dilation)
    places, nines = x[0] * OH * OW, KH * KW / 9
    blocked = places * onednn(part, C // groups, OC // groups, groups, nines) + CALL
    if m > 0:
        tiles = x[0] * -(-OH // m) * -(-OW // m)
        winograd = COSTS[m].of(tiles, C, OC, known) * (LONGER if tiles < FEW_TILES else 1)
        return 3 * blocked < winograd
    turned = part == "x" and stride == DENSE and OC * x[2] * x[3] <= 2 * C * OH * OW
    way = "turned" if turned else part
    return blocked < places * columns(way, C, OC, groups, nines, OH, OW, stride)


def onednn(part: str, C: int, OC: int, groups: int, nines: float) -> float:
    """For each place: of so many channels and filters in each group, of nine elements times."""
    is_first_layer = C < 16 and groups == 1 and part != "x"
    products = PRODUCT * nines * (C if is_first_layer else padded(C)) * padded(OC)
    moved = C + OC if nines > 1 / 9 else {"y": OC, "x": C, "W": C + OC}[part]
    odd = groups > 1 and (C % 8 or OC % 8)
    return groups * (products * (ODD_GROUPS if odd else 1) + REORDERED * moved)


def padded(channels: int) -> int:
    """How many channels oneDNN multiplies; of eight there are kernels too."""
    return 8 if channels == 8 else -(-channels // 16) * 16


def columns(
    way: str, C: int, OC: int, groups: int, nines: float, OH: int, OW: int, stride: Pair
) -> float:
    """For each place, as `dezero_nn.kernels.columns` does it."""
    products, joined = COLUMN_PRODUCT * nines * C * OC / groups, OH * OW <= SMALL
    copied = nines * (COPIED + ROW / OW)
    if nines == 1 / 9 and stride == DENSE and not joined:
        copied = 0
    written = JOINED if joined else WRITTEN
    if way == "x":
        return products + ADDED_UP * copied * C
    return products + (copied * OC + written * C if way == "turned" else copied * C + written * OC)
