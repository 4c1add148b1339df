"""Who computes a convolution or a gradient: plain NumPy, or oneDNN and in which layout.

The least of three estimates goes, by shape, here and nowhere else. They are nanoseconds of one
core, fitted to 280 shapes (docs/performance.md):

      blocked         oneDNN, channels in blocks of 16: one channel costs as much as sixteen.
                      Groups go in blocks of 16, 8 or 4, and others not well
      channels last   oneDNN: sixteen at a time of the channels that come out, and those that are
                      added up one by one; every group as it is
      plain           columns multiply no more than they must, and copy KH*KW times x or gy: little
                      where there are few channels, or few filters. Winograd is estimated by
                      dezero_nn, all three parts together
"""

from __future__ import annotations

from enum import Enum
from functools import lru_cache

import numpy as np

from dezero_core import Config
from dezero_nn.kernels.columns import SMALL, moved
from dezero_nn.kernels.conv import COSTS, tile
from dezero_nn.windows import DENSE, Pair, window_counts

Shape = tuple[int, ...]


class Way(Enum):
    """Who computes."""

    PLAIN = "dezero_nn"
    BLOCKED = "oneDNN, in the layout that it likes best"
    CHANNELS_LAST = "oneDNN, in channels last"


PRODUCT, TAKEN, GIVEN = 0.165, 0.4, 0.6
"""oneDNN: a 3x3 filter's product for one channel and one output; an element reordered in, out."""

LAST = 1.8
"""oneDNN: how much longer an element takes to be reordered to channels last."""

FILTER, CALL = 0.5, 10_000
"""oneDNN: an element of the filters reordered, and what calling it takes."""

COLUMN_PRODUCT, WRITTEN, JOINED = 0.21, 0.4, 1.3
"""Columns: the same product; one output written, and where small images are joined."""

COPIED, ROW = 2.0, 50.0
"""Columns: nine elements copied for one channel, and what beginning a row of them takes."""

SPREAD = 1.0
"""Columns: an element of the images gathered or scattered by strides."""

FEW_TILES, LONGER = 500, 1.15
"""Tiles up to which `dezero_nn` takes longer than it estimates: its products are short."""

NARROW, LONGEST = 8, 1.3
"""Columns of images up to which it takes longest: it copies tiles by rows."""


def best(
    part: str, x: Shape, W: Shape, stride: Pair, pad: Pair, dilation: Pair, groups: int,
    known: bool = False,
) -> Way:  # fmt: skip
    """Who takes least time for ``part``: the output ``y``, the gradient of x or of W.

    ``known``: `dezero_nn` remembers the filters.
    """
    return chosen(part, x, W, stride, pad, dilation, groups, known, Config.exact)


@lru_cache(1024)
def chosen(
    part: str, x: Shape, W: Shape, stride: Pair, pad: Pair, dilation: Pair, groups: int,
    known: bool, exact: bool,
) -> Way:  # fmt: skip
    """The same, remembered; `tile` looks at ``exact`` itself."""
    if x[1] == W[0] == groups > 1:
        return of_each_channel(part, groups, W[2:], dilation)
    counts = window_counts(x, W[2:], stride, pad, dilation)
    costs = {
        Way.PLAIN: plain(part, x, W, counts, stride, pad, dilation, groups, known),
        Way.BLOCKED: onednn(Way.BLOCKED, part, x, W, counts, groups),
    }
    if W[2:] != (1, 1):  # there channels stay where they are
        costs[Way.CHANNELS_LAST] = onednn(Way.CHANNELS_LAST, part, x, W, counts, groups)
    return min(costs, key=lambda way: costs[way])


def of_each_channel(part: str, channels: int, kernel: Shape, dilation: Pair) -> Way:
    """Channel by channel, oneDNN has kernels of their own for most."""
    if channels < 4 or (part != "y" and dilation != DENSE) or (part == "W" and max(kernel) > 3):
        return Way.PLAIN
    return Way.CHANNELS_LAST if channels < 16 and kernel != (1, 1) else Way.BLOCKED


def onednn(way: Way, part: str, x: Shape, W: Shape, counts: Pair, groups: int) -> float:
    """All images, in one of oneDNN's layouts."""
    N, KH, KW, places = x[0], *W[2:], x[0] * counts[0] * counts[1]
    each = multiplied if way is Way.BLOCKED else multiplied_last
    products, C, OC = each(part, x[1] // groups, W[0] // groups, groups)
    images, outputs = groups * C * N * x[2] * x[3], groups * OC * places
    reordered = {
        "y": TAKEN * images + GIVEN * outputs,
        "x": TAKEN * outputs + GIVEN * images,
        "W": TAKEN * (images + outputs),
    }[part]
    if way is Way.CHANNELS_LAST:
        reordered *= LAST
    if KH == KW == 1 and part != "W":
        reordered = 0  # filters of one element take and give channels as they lie
    filters = W[0] * W[1] * KH * KW
    multiplying = PRODUCT * products * groups * places * KH * KW / 9
    return multiplying + reordered + FILTER * filters + CALL


def multiplied(part: str, C: int, OC: int, groups: int) -> tuple[float, int, int]:
    """Products of a group for one place, and how many channels there are, filled up to blocks."""
    if groups == 1:
        C = C if C < 16 and part != "x" else sixteens(C)  # first layers have their own kernels
        return C * sixteens(OC), C, sixteens(OC)
    widths = (16, 8) if part == "W" else (16, 8, 4)
    width = next((n for n in widths if C % n == OC % n == 0), None)
    return (C * OC * 16 / width if width else float("inf")), C, OC


def multiplied_last(part: str, C: int, OC: int, groups: int) -> tuple[float, int, int]:
    """The same in channels last."""
    return (OC * sixteens(C) if part == "x" else C * sixteens(OC)), C, OC


def sixteens(channels: int) -> int:
    """How many channels oneDNN multiplies."""
    return -(-channels // 16) * 16


def plain(
    part: str, x: Shape, W: Shape, counts: Pair, stride: Pair, pad: Pair, dilation: Pair,
    groups: int, known: bool,
) -> float:  # fmt: skip
    """All images, as `dezero_nn` does them."""
    N, C, OC, (OH, OW), nines = *x[:2], W[0], counts, W[2] * W[3] / 9
    m = tile(x, W, np.dtype("f"), stride, pad, dilation, groups, known)
    if m > 0:
        tiles = N * -(-OH // m) * -(-OW // m)
        longer = LONGEST if OW <= NARROW else LONGER if tiles < FEW_TILES else 1
        return longer * COSTS[m].of(tiles, C, OC, known) / 3
    joined = OH * OW <= SMALL
    copied = nines * (COPIED + ROW / OW) * min(moved(part, x, W, counts, stride, pad, dilation))
    if nines == 1 / 9 and stride == DENSE and not joined:
        copied = 0
    products = COLUMN_PRODUCT * nines * C * OC / groups
    written = (JOINED if joined else WRITTEN) * (C if part == "x" else OC)
    spread = SPREAD * N * C * x[2] * x[3] if part != "y" and stride != DENSE else 0
    return N * OH * OW * (products + written) + copied + spread
