"""Max pooling by strided views: the running maximum over the places of the window.

Element (i, j) of all windows at once is a strided view of the image, as large as the output:

      image  a b a b      views of a 2x2 window:   aa  bb  cc  dd
             c d c d                               aa  bb  cc  dd
             a b a b
             c d c d      y = a;  then where b > y:  y = b, index = 1;  and so on

KH*KW passes over the output instead of a reduction over short axes; the places are bytes.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dezero_core.extend import Kernel

from ..functions.pooling import max_pool2d_op
from ..parallel import parallel_for
from ..windows import Pair, window_counts
from .masks import keep_where, supports_masks
from .views import pad_images, view_at


def supports_max_pool2d(x: Any, *settings: Any) -> bool:
    """Single or double precision, windows of at most 256 elements."""
    kernel = settings[0]
    return bool(type(x) is np.ndarray and x.dtype.char in "fd" and kernel[0] * kernel[1] <= 256)


def max_pool2d_values(x: Any, kernel: Pair, stride: Pair, pad: Pair) -> Any:
    """The largest of each window: of its columns, then of those. Rows are read as they lie."""
    counts = window_counts(x.shape, kernel, stride, pad)
    y, (OH, OW) = np.empty((*x.shape[:2], *counts), x.dtype), counts

    def compute(part: slice) -> None:
        image = pad_images(x[part], pad, -np.inf)
        down, across = stride[0] * (OH - 1) + 1, stride[1] * (OW - 1) + 1
        rows = [image[:, :, i : i + down : stride[0]] for i in range(kernel[0])]
        tallest = largest_of(rows, None)
        columns = [tallest[..., j : j + across : stride[1]] for j in range(kernel[1])]
        largest_of(columns, y[part])

    parallel_for(len(x), 8 * x.size, compute)
    return y


def largest_of(arrays: list[Any], y: Any) -> Any:
    """The elementwise maximum, into ``y`` or a new array."""
    first, *others = arrays
    if not others:
        return np.positive(first, out=y)
    for other in others:
        first = y = np.maximum(first, other, out=y)
    return y


def max_pool2d(x: Any, kernel: Pair, stride: Pair, pad: Pair) -> tuple[Any, Any]:
    """The largest of each window, and its place as uint8."""
    counts = window_counts(x.shape, kernel, stride, pad)
    y, index = np.empty((*x.shape[:2], *counts), x.dtype), np.zeros((*x.shape[:2], *counts), "u1")

    def compute(part: slice) -> None:
        image, largest, where = pad_images(x[part], pad, -np.inf), y[part], index[part]
        if kernel == stride == (2, 2):
            of_quarters(image, counts, largest, where)
            return
        largest[...] = view_at(image, 0, 0, stride, counts)
        for place in range(1, kernel[0] * kernel[1]):
            view = view_at(image, *divmod(place, kernel[1]), stride, counts)
            larger = (view > largest).view(np.uint8)
            np.maximum(where, larger * np.uint8(place), out=where)  # places only grow
            np.maximum(largest, view, out=largest)

    parallel_for(len(x), 16 * x.size, compute)
    if y.size and not y.min() > -np.inf:  # -inf and nan never compare >, and get no index
        return max_pool2d_op.portable(x, kernel, stride, pad)
    return y, index


def of_quarters(image: Any, counts: Pair, largest: Any, where: Any) -> None:
    """The same for windows of 2x2 side by side: the larger of each column, then of both.

    Rows are read as they lie. Of equal columns the right one counts only if its largest is in the
    upper row and that of the left one below: it comes first then.
    """
    OH, OW = counts
    upper, lower = (image[:, :, i : i + 2 * OH - 1 : 2, : 2 * OW] for i in (0, 1))
    columns, below = np.maximum(upper, lower).reshape(-1), (lower > upper).view("u1").reshape(-1)
    left, right, left_below, right_below = (  # copied once, for all that follows is faster then
        array[start::2].copy() for array in (columns, below) for start in (0, 1)
    )
    np.maximum(left, right, out=largest.reshape(-1))
    to_right = (left == right) & (left_below > right_below)
    to_right |= right > left
    place = left_below + (right_below - left_below) * to_right.view("u1")  # of the row
    np.add(place + place, to_right.view("u1"), out=where.reshape(-1))


def max_pool2d_grad(
    gy: Any, index: Any, shape: tuple[int, ...], kernel: Pair, stride: Pair, pad: Pair
) -> Any:
    """Where a place is the largest one, gy; added up, unless windows lie apart."""
    (N, C, H, W), (PH, PW), counts = shape, pad, gy.shape[2:]
    gx = np.empty((N, C, H + 2 * PH, W + 2 * PW), gy.dtype)
    apart = stride[0] >= kernel[0] and stride[1] >= kernel[1]

    def compute(part: slice) -> None:
        image, chosen = gx[part], np.empty(gy[part].shape, gy.dtype)
        image[...] = 0
        for place in range(kernel[0] * kernel[1]):
            view = view_at(image, *divmod(place, kernel[1]), stride, counts)
            keep_where(index[part] == place, gy[part], chosen)
            if apart:
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
