"""Products of large matrices by the threads that convolutions use, and not by BLAS's own.

BLAS's threads, once they have worked, go on looking for work for a while, on the cores that the
threads of a convolution are about to need: a step of a convolutional network took half as long
again. So once DeZero's threads have been at work, BLAS is kept at one, and large products are cut
along the longer side of the result:

      x (n, k)  @  [ W (k, m/2) | W (k, m/2) ]  =  [ y (n, m/2) | y (n, m/2) ]
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..threads import ALONE, at_work, in_parts


def are_matrices(x: Any, W: Any) -> bool:
    """Whether both are matrices of one dtype, single or double precision, that fit together."""
    return bool(
        type(x) is type(W) is np.ndarray
        and x.ndim == W.ndim == 2
        and x.dtype == W.dtype
        and x.dtype.char in "fd"
        and x.shape[1] == W.shape[0]
    )


def supports_matmul(x: Any, W: Any) -> bool:
    """Two matrices, large enough, and threads at work."""
    return are_matrices(x, W) and x.size * W.shape[1] > ALONE and at_work()


def matmul(x: Any, W: Any) -> Any:
    """``x @ W``, a part of its rows or columns in each thread."""
    y = np.empty((x.shape[0], W.shape[1]), x.dtype)

    def compute(part: slice) -> None:
        if y.shape[0] > y.shape[1]:
            np.matmul(x[part], W, out=y[part])
        else:
            np.matmul(x, W[:, part], out=y[:, part])

    in_parts(max(y.shape), x.size * W.shape[1], compute)
    return y
