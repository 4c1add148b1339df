"""Windows that slide over images: their settings, and how many fit."""

from __future__ import annotations

from operator import index
from typing import Any

from dezero_core.errors import ArgumentError, ShapeError

Pair = tuple[int, int]


def pair(x: Any) -> Pair:
    """Return ``x`` as (height, width): one integer stands for both (book step 57).

    Raises:
        ArgumentError: ``x`` is neither an integer nor two of them.
    """
    try:
        height, width = x if isinstance(x, tuple | list) else (x, x)
        return index(height), index(width)
    except (TypeError, ValueError):
        raise ArgumentError(f"{x!r} is neither an integer nor a pair (height, width)") from None


def get_conv_outsize(input_size: int, kernel_size: int, stride: int, pad: int) -> int:
    """Return how many windows fit along one axis (book step 55).

    Args:
        input_size: length of the axis.
        kernel_size: length of the window.
        stride: steps from one window to the next.
        pad: elements added on both sides.

    Raises:
        ArgumentError: ``kernel_size`` or ``stride`` is below 1, or ``pad`` below 0.
    """
    if kernel_size < 1 or stride < 1 or pad < 0:
        raise ArgumentError(
            f"kernel_size {kernel_size}, stride {stride}, pad {pad}: kernel_size and stride "
            "start at 1, pad at 0"
        )
    return (input_size + 2 * pad - kernel_size) // stride + 1


def window_counts(shape: tuple[int, ...], kernel: Pair, stride: Pair, pad: Pair) -> Pair:
    """How many windows fit into images of shape (N, C, H, W), down and across.

    Raises:
        ShapeError: the shape has not four axes, or not one window fits.
        ArgumentError: as `get_conv_outsize`.
    """
    if len(shape) != 4:
        raise ShapeError(f"images have the shape (N, C, H, W), got {tuple(shape)}")
    sizes = zip(shape[2:], kernel, stride, pad, strict=True)
    down, across = (get_conv_outsize(*size) for size in sizes)
    if down < 1 or across < 1:
        raise ShapeError(
            f"a kernel of {kernel} does not fit into an image of {tuple(shape[2:])} with pad "
            f"{pad}; take a smaller kernel or more padding"
        )
    return down, across


def element_of_windows(i: int, j: int, stride: Pair, counts: Pair) -> tuple[Any, slice, slice]:
    """Index of element (i, j) of every window, in padded images (..., H, W)."""
    (SH, SW), (OH, OW) = stride, counts
    return ..., slice(i, i + SH * (OH - 1) + 1, SH), slice(j, j + SW * (OW - 1) + 1, SW)
