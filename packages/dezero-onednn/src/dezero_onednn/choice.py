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

from dezero_nn.kernels.conv import COSTS, tile
from dezero_nn.windows import DENSE, Pair, window_counts

Shape = tuple[int, ...]

PRODUCT, REORDERED = 0.157, 0.5
"""oneDNN: a 3x3 filter's product for one channel and one output; a channel or output moved."""

COLUMN_PRODUCT, COPIED, WRITTEN = 0.178, 2.6, 1.3
"""Columns: the same product; nine elements copied for one channel; one output written."""

ADDED_UP = 2.2
"""Columns of gradients that are added up where they lie, with strides: how much longer."""

FEW_TILES, LONGER = 500, 1.15
"""Tiles up to which `dezero_nn` takes longer than it estimates: its products are short."""

FEW_CHANNELS, FEW_FOR_SINGLE = 4, 32
"""Channels of x up to which columns win anyway; channels and filters of 1x1 below which."""


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
    if C <= FEW_CHANNELS:
        return False
    if KH == KW == 1:
        return min(C, OC) // groups >= FEW_FOR_SINGLE
    m = tile(x, W, np.dtype("f"), stride, pad, dilation, groups, known)
    OH, OW = window_counts(x, (KH, KW), stride, pad, dilation)
    blocked = onednn(C // groups, OC // groups, groups, KH * KW / 9)
    if m > 0:
        tiles = x[0] * -(-OH // m) * -(-OW // m)
        winograd = COSTS[m].of(tiles, C, OC, known) * (LONGER if tiles < FEW_TILES else 1)
        return 3 * x[0] * OH * OW * blocked < winograd
    return blocked < columns(part, C, OC, groups, KH * KW / 9, stride)


def onednn(C: int, OC: int, groups: int, nines: float) -> float:
    """For each place: of so many channels and filters in each group, of nine elements times."""
    products = PRODUCT * nines * padded(C) * padded(OC)
    return groups * (products + REORDERED * (C + OC))


def padded(channels: int) -> int:
    """How many channels oneDNN multiplies; of eight there are kernels too."""
    return 8 if channels == 8 else -(-channels // 16) * 16


def columns(part: str, C: int, OC: int, groups: int, nines: float, stride: Pair) -> float:
    """For each place, as `dezero_nn.kernels.columns` does it."""
    products = COLUMN_PRODUCT * nines * C * OC / groups
    if part == "x" and stride == DENSE:
        return products + nines * COPIED * OC + WRITTEN * C
    cost = products + nines * COPIED * C + WRITTEN * OC
    return ADDED_UP * cost if part == "x" else cost
