"""Products without what is multiplied by nothing: rows and columns of zeros are left out.

The margins of pictures are empty, of a thousand words most do not occur, a one-hot row has one 1:
in a batch of such examples whole columns are zeros (of 100 digits of MNIST a third). What they
would meet need be neither read nor multiplied:

      x (n, k)       W (k, m)           x (n, k')   W (k', m)
                     ---------                      ---------
      a . . b c      (       )          a b c       ---------
      d . . e f   @  (       )     =    d e f   @   ---------
                     ---------
                     ---------

For the gradient of W, x stands transposed and has rows of zeros; so has the result. What is left
to multiply is left to the kernel that comes after this one.
An inf or nan that only zeros meet is not seen then; `dezero.precision("exact")` turns this off.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dezero_core import Config
from dezero_core.functions.linalg import product

from .products import are_matrices

LEAST_WORK = 1 << 24
"""Multiplications below which looking for zeros takes longer than they do."""

LEAST_COLUMNS = 128
"""Columns of W below which looking at x is too large a part of the product."""

MOST = 0.8
"""Part of the rows or columns that may have something in them: the others pay for the copies."""

GLANCE = 8
"""Elements of a row or column that are looked at first: mostly they show that it is not empty."""


def supports_filled(x: Any, W: Any) -> bool:
    """Two large matrices, the first of which may have enough rows or columns of zeros."""
    return (
        are_matrices(x, W)
        and W.shape[1] >= LEAST_COLUMNS
        and x.size * W.shape[1] >= LEAST_WORK
        and not Config.exact
        and (filled_rows(x[:, :GLANCE]) is not None or filled_rows(x.T[:, :GLANCE]) is not None)
    )


def filled_rows(x: Any) -> Any:
    """Which rows have something else than zeros in them; None if it is most of them."""
    filled = np.flatnonzero(x.any(axis=1))
    return filled if len(filled) <= MOST * len(x) else None


def matmul_filled(x: Any, W: Any) -> Any:
    """``x @ W``, by what is filled of them; the longer side of x is looked at first."""
    for transposed in (False, True) if x.shape[0] > x.shape[1] else (True, False):
        filled = filled_rows(x.T if transposed else x)
        if filled is None:
            continue
        if transposed:
            return product.after(matmul_filled, x.take(filled, 1), W.take(filled, 0))
        y = np.zeros((x.shape[0], W.shape[1]), x.dtype)
        y[filled] = product.after(matmul_filled, x.take(filled, 0), W)
        return y
    return product.after(matmul_filled, x, W)
