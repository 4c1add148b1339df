"""Pad and slice images, and return their windows as strided views."""

from __future__ import annotations

from typing import Any

from dezero_core.extend import backend_of

from ..conv_kernels import NumPyArray
from ..windows import DENSE, Pair, element_of_windows


def pad_images(x: NumPyArray, pad: Pair, value: float = 0.0) -> Any:
    """Return images (N, C, H, W) padded with ``value``, or ``x`` itself if ``pad`` is zero."""
    if not any(pad):
        return x
    return backend_of(x).pad(x, ((0, 0), (0, 0), (pad[0], pad[0]), (pad[1], pad[1])), value)


def cut_out(x: NumPyArray, rows: Pair, columns: Pair) -> Any:
    """Return a rectangle of images (N, C, H, W), with zeros in the part outside the images.

    Args:
        x: the images.
        rows, columns: the range (start, stop); both may lie outside the images.
    """
    widths = [(0, 0), (0, 0)]
    for start, stop in (rows, columns):
        size, before = x.shape[len(widths)], min(max(-start, 0), stop - start)
        inside = min(max(stop, 0), size) - min(max(start, 0), size)
        widths.append((before, stop - start - before - inside))
    (top, bottom), (left, right) = ([max(n, 0) for n in pair] for pair in (rows, columns))
    inner = x[:, :, top:bottom, left:right]
    return backend_of(x).pad(inner, tuple(widths), 0.0) if any(map(any, widths)) else inner


def sliding_windows(x: NumPyArray, kernel: Pair, stride: Pair, dilation: Pair) -> Any:
    """Return every window of padded images as a view (N, C, KH, KW, OH, OW)."""
    return backend_of(x).sliding_windows(x, kernel, stride, dilation)


def view_at(
    x: NumPyArray, i: int, j: int, stride: Pair, counts: Pair, dilation: Pair = DENSE
) -> Any:
    """Return element (i, j) of every window of padded images as a view (N, C, OH, OW)."""
    return x[element_of_windows(i, j, stride, counts, dilation)]
