"""Numbers kept where a mask says so, else 0: by their bits, without a branch.

    mask as an integer    0 -> 00...0    1 -> (negated) 11...1
    bits of x & that      0.0            x, whatever it is: also inf and nan

Several times as fast as ``np.where``, and unlike a product right for inf and nan.
"""

from __future__ import annotations

from typing import Any

import numpy as np

INTEGER = {"f": np.int32, "d": np.int64}
"""The integers as wide as single and double precision."""


def supports_masks(x: Any, other: Any, *settings: Any) -> bool:
    """Two arrays, the first of single or double precision, contiguous, with axes."""
    return bool(
        type(x) is np.ndarray
        and type(other) is np.ndarray
        and x.dtype.char in INTEGER
        and x.shape == other.shape
        and x.ndim > 0
        and x.flags.c_contiguous
    )


def kept(x: Any, mask: Any) -> Any:
    """``x`` where ``mask``, an array of bools of its shape, is true, else 0."""
    integer = INTEGER[x.dtype.char]
    bits = mask.astype(integer)
    np.negative(bits, out=bits)
    np.bitwise_and(bits, x.view(integer), out=bits)
    return bits.view(x.dtype)


def scaled_where(x: Any, mask: Any, scale: float) -> Any:
    """``x`` times ``scale`` where the mask is true."""
    y = kept(x, mask)
    y *= scale
    return y


def relu_grad(gy: Any, y: Any) -> Any:
    """``gy`` where ``y`` is positive."""
    return kept(gy, y > 0)
