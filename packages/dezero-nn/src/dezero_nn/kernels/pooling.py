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

from ..windows import Pair, window_counts
from .masks import kept
from .views import padded, view_at


def supports_max_pool2d(x: Any, *settings: Any) -> bool:
    """Single or double precision, windows of at most 256 elements."""
    kernel = settings[0]
    return bool(type(x) is np.ndarray and x.dtype.char in "fd" and kernel[0] * kernel[1] <= 256)


def max_pool2d(x: Any, kernel: Pair, stride: Pair, pad: Pair) -> tuple[Any, Any]:
    """The largest of each window, and its place as uint8."""
    image = padded(x, pad, -np.inf)
    counts = window_counts(x.shape, kernel, stride, pad)
    y = view_at(image, 0, 0, stride, counts).copy()
    index = np.zeros(y.shape, np.uint8)
    for place in range(1, kernel[0] * kernel[1]):
        view = view_at(image, *divmod(place, kernel[1]), stride, counts)
        larger = view > y
        np.maximum(index, larger.view(np.uint8) * np.uint8(place), out=index)  # places only grow
        np.maximum(y, view, out=y)
    return y, index


def max_pool2d_grad(
    gy: Any, index: Any, shape: tuple[int, ...], kernel: Pair, stride: Pair, pad: Pair
) -> Any:
    """Where a place is the largest one, gy; windows that overlap are added up."""
    (N, C, H, W), (PH, PW), counts = shape, pad, gy.shape[2:]
    gx = np.zeros((N, C, H + 2 * PH, W + 2 * PW), gy.dtype)
    for place in range(kernel[0] * kernel[1]):
        view = view_at(gx, *divmod(place, kernel[1]), stride, counts)
        view += kept(gy, index == place)
    return gx[:, :, PH : PH + H, PW : PW + W]
