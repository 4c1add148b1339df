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

For the gradient of W, x stands transposed and has rows of zeros; so has the result.
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

GLANCES = (1, 8)
"""Rows or columns that are looked at first: mostly they show that there is nothing to gain."""


def supports_filled(x: Any, W: Any) -> bool:
    """Two large matrices, of whose first one enough rows or columns are zeros."""
    return (
        are_matrices(x, W)
        and W.shape[1] >= LEAST_COLUMNS
        and x.size * W.shape[1] >= LEAST_WORK
        and not Config.exact
        and (filled_rows(x) is not None or filled_rows(x.T) is not None)
    )


def filled_rows(x: Any) -> Any:
    """Which rows have something else than zeros in them; None if it is most of them."""
    for glance in GLANCES:
        some = x[:, :: -(-x.shape[1] // glance)]
        if np.count_nonzero(some.any(axis=1)) > MOST * len(x):
            return None
    filled = np.flatnonzero(x.any(axis=1))
    return filled if len(filled) <= MOST * len(x) else None


def matmul_filled(x: Any, W: Any) -> Any:
    """``x @ W``, by what is filled of them."""
    columns = filled_rows(x.T)
    if columns is not None:
        return product(x.take(columns, 1), W.take(columns, 0))
    rows = filled_rows(x)
    y = np.zeros((x.shape[0], W.shape[1]), x.dtype)
    y[rows] = product(x.take(rows, 0), W)
    return y
