"""Bound the memory of convolutions that cuDNN does not compute.

The portable definition copies all windows of a batch to one array, which has KH * KW times as many
elements as the images. These kernels split the batch, so that this array takes at most `MAX_BYTES`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import prod
from typing import Any, TypeAlias

import cupy

from dezero_core.extend import ops

from .kernels.windows import window_counts

Array: TypeAlias = cupy.ndarray
Shape = tuple[int, ...]

MAX_BYTES = 256 << 20
"""The maximum size of the array of windows, in bytes, unless one image needs more."""


def images_per_part(channels: int, kernel: Shape, counts: Shape, itemsize: int) -> int:
    """Return the maximum number of images whose windows are copied to one array."""
    return max(1, MAX_BYTES // max(1, channels * prod(kernel) * prod(counts) * itemsize))


def parts(batch: int, size: int) -> Iterator[slice]:
    """Yield slices of at most ``size`` images."""
    return (slice(start, start + size) for start in range(0, batch, size))


def too_large(batch: int, size: int) -> bool | str:
    """Return whether a batch must be split, or why not."""
    return batch > size or "the windows of the batch take at most 256 MiB"


def images_per_part_of_y(x: Array, filters: Array, params: Any) -> int:
    """Return the maximum number of images in one part of the batch of ``conv2d``."""
    counts = window_counts(x.shape, filters.shape[2:], *params[:3])
    return images_per_part(x.shape[1], filters.shape[2:], counts, x.itemsize)


def supports_conv2d(x: Array, filters: Array, b: Array | None, params: Any) -> bool | str:
    """Return whether the batch must be split, or why not."""
    return too_large(x.shape[0], images_per_part_of_y(x, filters, params))


def conv2d(x: Array, filters: Array, b: Array | None, params: Any) -> Array:
    """Convolve each part of the batch, and return the results in one array."""
    portable = ops["conv2d"].portable
    size = images_per_part_of_y(x, filters, params)
    return join_parts(x.shape[0], size, lambda part: portable(x[part], filters, b, params))


def join_parts(batch: int, size: int, compute: Callable[[slice], Array]) -> Array:
    """Call ``compute`` for each part of the batch, and return the results in one new array."""
    y = None
    for part in parts(batch, size):
        found = compute(part)
        if y is None:
            y = cupy.empty((batch, *found.shape[1:]), found.dtype)
        y[part] = found
        del found  # frees the part before the next one is computed
    return y


def supports_conv2d_grad_x(gy: Array, filters: Array, shape: Shape, params: Any) -> bool | str:
    """Return whether the batch must be split, or why not."""
    size = images_per_part(shape[1], filters.shape[2:], gy.shape[2:], gy.itemsize)
    return too_large(shape[0], size)


def conv2d_grad_x(gy: Array, filters: Array, shape: Shape, params: Any) -> Array:
    """Compute the image gradient of each part of the batch, and return one array."""
    portable = ops["conv2d_grad_x"].portable
    size = images_per_part(shape[1], filters.shape[2:], gy.shape[2:], gy.itemsize)

    def compute(part: slice) -> Array:
        return portable(gy[part], filters, (len(gy[part]), *shape[1:]), params)

    return join_parts(shape[0], size, compute)


def supports_conv2d_grad_W(x: Array, gy: Array, kernel: Shape, params: Any) -> bool | str:
    """Return whether the batch must be split, or why not."""
    return too_large(len(x), images_per_part(x.shape[1], kernel, gy.shape[2:], x.itemsize))


def conv2d_grad_W(x: Array, gy: Array, kernel: Shape, params: Any) -> Array:
    """Return the sum of the filter gradients of all parts of the batch."""
    portable = ops["conv2d_grad_W"].portable
    size = images_per_part(x.shape[1], kernel, gy.shape[2:], x.itemsize)
    gW = None
    for part in parts(len(x), size):
        found = portable(x[part], gy[part], kernel, params)
        gW = found if gW is None else cupy.add(gW, found, out=gW)
    return gW
