"""Compute max pooling from strided views, as a running maximum over the kernel positions.

The elements at kernel position (i, j) of all windows are a strided view of the image, with the
shape of the output:

      image  a b a b      views of a 2x2 window:   aa  bb  cc  dd
             c d c d                               aa  bb  cc  dd
             a b a b
             c d c d      y = a;  then where b > y:  y = b, index = 1;  and so on

This takes KH*KW passes over the output instead of a reduction over short axes. The positions of the
maxima are stored as uint8.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dezero_core.extend import Kernel

from ..conv_kernels import NumPyArray
from ..functions.pooling import max_pool2d_op
from ..parallel import parallel_for
from ..windows import Pair, Shape, window_counts
from .masks import keep_where, supports_masks
from .views import pad_images, view_at


def supports_max_pool2d(x: NumPyArray, kernel: Pair, stride: Pair, pad: Pair) -> bool | str:
    """Return True, or the reason why the kernel declines the call."""
    if type(x) is not np.ndarray or x.dtype.char not in "fd":
        return "the dtype is neither float32 nor float64"
    return kernel[0] * kernel[1] <= 256 or "a window has more than 256 elements"


def max_pool2d_values(x: NumPyArray, kernel: Pair, stride: Pair, pad: Pair) -> NumPyArray:
    """Return the maximum of each window; reduce columns first, so that rows are read in order."""
    counts = window_counts(x.shape, kernel, stride, pad)
    y, (OH, OW) = np.empty((*x.shape[:2], *counts), x.dtype), counts

    def compute(part: slice) -> None:
        image = pad_images(x[part], pad, -np.inf)
        down, across = stride[0] * (OH - 1) + 1, stride[1] * (OW - 1) + 1
        rows = [image[:, :, i : i + down : stride[0]] for i in range(kernel[0])]
        of_columns = maximum(rows, None)
        columns = [of_columns[..., j : j + across : stride[1]] for j in range(kernel[1])]
        maximum(columns, y[part])

    parallel_for(len(x), 8 * x.size, compute)
    return y


def maximum(arrays: list[NumPyArray], y: NumPyArray | None) -> NumPyArray:
    """Return the elementwise maximum of arrays, in ``y`` or in a new array."""
    first, *others = arrays
    if not others:
        return np.positive(first, out=y)
    for other in others:
        first = y = np.maximum(first, other, out=y)
    return first


def max_pool2d(x: NumPyArray, kernel: Pair, stride: Pair, pad: Pair) -> tuple[Any, Any]:
    """Return the maximum of each window, and its position as uint8."""
    counts = window_counts(x.shape, kernel, stride, pad)
    y, index = np.empty((*x.shape[:2], *counts), x.dtype), np.zeros((*x.shape[:2], *counts), "u1")

    def compute(part: slice) -> None:
        image, largest, where = pad_images(x[part], pad, -np.inf), y[part], index[part]
        if kernel == stride == (2, 2):
            pool_2x2(image, counts, largest, where)
            return
        largest[...] = view_at(image, 0, 0, stride, counts)
        for position in range(1, kernel[0] * kernel[1]):
            view = view_at(image, *divmod(position, kernel[1]), stride, counts)
            larger = (view > largest).view(np.uint8)
            np.maximum(where, larger * np.uint8(position), out=where)  # later positions are larger
            np.maximum(largest, view, out=largest)

    parallel_for(len(x), 16 * x.size, compute)
    if y.size and not y.min() > -np.inf:  # view > largest misses nan and -inf
        return max_pool2d_op.portable(x, kernel, stride, pad)
    return y, index


def pool_2x2(image: NumPyArray, counts: Pair, largest: NumPyArray, where: NumPyArray) -> None:
    """Write the maxima and positions of adjacent 2x2 windows: reduce columns, then rows.

    Reducing columns first reads the rows of the image one after the other. The positions in a
    window are numbered row by row, and the first of equal maxima is chosen. So if both columns have
    the same maximum, the right column is chosen only if the right maximum is in the upper row and
    the left maximum is in the lower row.
    """
    OH, OW = counts
    upper, lower = (image[:, :, i : i + 2 * OH - 1 : 2, : 2 * OW] for i in (0, 1))
    columns, below = np.maximum(upper, lower).reshape(-1), (lower > upper).view("u1").reshape(-1)
    left, right, left_below, right_below = (  # contiguous copies make the following passes faster
        array[start::2].copy() for array in (columns, below) for start in (0, 1)
    )
    np.maximum(left, right, out=largest.reshape(-1))
    to_right = (left == right) & (left_below > right_below)
    to_right |= right > left
    row = left_below + (right_below - left_below) * to_right.view("u1")
    np.add(row + row, to_right.view("u1"), out=where.reshape(-1))


def max_pool2d_grad(
    gy: NumPyArray, index: NumPyArray, shape: Shape, kernel: Pair, stride: Pair, pad: Pair
) -> NumPyArray:
    """Return images with gy at the positions of the maxima, summed where windows overlap."""
    (N, C, H, W), (PH, PW), counts = shape, pad, gy.shape[2:]
    gx = np.empty((N, C, H + 2 * PH, W + 2 * PW), gy.dtype)
    is_disjoint = stride[0] >= kernel[0] and stride[1] >= kernel[1]

    def compute(part: slice) -> None:
        image, chosen = gx[part], np.empty(gy[part].shape, gy.dtype)
        image[...] = 0
        for position in range(kernel[0] * kernel[1]):
            view = view_at(image, *divmod(position, kernel[1]), stride, counts)
            keep_where(index[part] == position, gy[part], chosen)
            if is_disjoint:
                view[...] = chosen
            else:
                view += chosen

    parallel_for(N, 16 * gx.size, compute)
    return gx[:, :, PH : PH + H, PW : PW + W]


KERNELS = [
    Kernel("max_pool2d", "numpy", max_pool2d, supports_max_pool2d),
    Kernel("max_pool2d_values", "numpy", max_pool2d_values, supports_max_pool2d),
    Kernel("max_pool2d_grad", "numpy", max_pool2d_grad, supports_masks),
]
