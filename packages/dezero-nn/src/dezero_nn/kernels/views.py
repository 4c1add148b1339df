"""Images as views: padded, all their windows, and the elements at one place of all windows."""

from __future__ import annotations

from typing import Any

from dezero_core.extend import backend_of

from ..windows import DENSE, Pair, element_of_windows


def padded(x: Any, pad: Pair, value: float = 0.0) -> Any:
    """``x`` (N, C, H, W) with ``value`` around its images; ``x`` itself where that is nothing."""
    if not any(pad):
        return x
    return backend_of(x).pad(x, ((0, 0), (0, 0), (pad[0], pad[0]), (pad[1], pad[1])), value)


def cut_out(x: Any, rows: Pair, columns: Pair) -> Any:
    """Rows and columns of images, from the first to before the second; outside there are zeros."""
    widths = [(0, 0), (0, 0)]
    for start, stop in (rows, columns):
        size, before = x.shape[len(widths)], min(max(-start, 0), stop - start)
        inside = min(max(stop, 0), size) - min(max(start, 0), size)
        widths.append((before, stop - start - before - inside))
    (top, bottom), (left, right) = ([max(n, 0) for n in pair] for pair in (rows, columns))
    inner = x[:, :, top:bottom, left:right]
    return backend_of(x).pad(inner, tuple(widths), 0.0) if any(map(any, widths)) else inner


def windows(x: Any, kernel: Pair, stride: Pair, dilation: Pair) -> Any:
    """A view (N, C, KH, KW, OH, OW) of padded images."""
    return backend_of(x).sliding_windows(x, kernel, stride, dilation)


def view_at(x: Any, i: int, j: int, stride: Pair, counts: Pair, dilation: Pair = DENSE) -> Any:
    """A view (N, C, OH, OW) of padded images: element (i, j) of every window."""
    return x[element_of_windows(i, j, stride, counts, dilation)]
