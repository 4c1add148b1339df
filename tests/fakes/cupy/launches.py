"""Count what a profiler shows on the device for a call: each kernel, copy and fill is one launch.

The rules follow CuPy 14's source. A call that CuPy passes to a library (a matmul, a sort, a sum of
all elements) counts as one launch, although the library may launch several kernels.
"""

from __future__ import annotations

from typing import Any

import numpy as np

FREE = {
    "broadcast_to", "empty", "empty_like", "expand_dims", "isdtype", "matrix_transpose", "moveaxis",
    "permute_dims", "result_type", "squeeze", "swapaxes", "transpose", "view",
}  # fmt: skip
"""Functions and methods that launch nothing."""

COPY_IF_NEEDED = {"asarray", "ascontiguousarray", "astype", "ravel", "reshape"}
"""Functions and methods that launch a copy unless the result shares the memory of the argument."""

JOINING = {"concat", "concatenate", "hstack", "stack", "vstack"}
"""Functions that copy each array by a separate launch."""

MOST_COPIES, SMALL_BYTES = 8, 2 << 20
"""The joining functions copy more than 8 arrays of one dtype by one launch, if their mean size is
below 2 MiB. For this launch, they copy the pointers of all arrays from the host."""


def copies_pointers(name: str, arguments: Any) -> bool:
    """Return whether a joining function copies the pointers of its arrays from the host.

    While a stream captures, CuPy refuses this copy (cupy/_core/_routines_manipulation.pyx).
    """
    if name not in JOINING or len(arguments[0]) <= MOST_COPIES:
        return False
    arrays = arguments[0]
    same = len({x.dtype for x in arrays}) == 1
    return same and sum(x.nbytes for x in arrays) < SMALL_BYTES * len(arrays)


def count(name: str, arguments: Any, result: Any) -> dict[str, int]:
    """Return the launches and the copies from the host that a call adds to the counts.

    Args:
        name: the name of the function or method.
        arguments: the arguments as host arrays; for a method, the array comes first.
        result: the result as a host array.
    """
    if name in FREE:
        return {}
    if name in COPY_IF_NEEDED:
        is_copy = not np.may_share_memory(arguments[0], result)
        return {"launches": 1} if is_copy and result.size else {}
    if name in JOINING:
        if copies_pointers(name, arguments):
            return {"launches": 1, "from_host": 1}
        return {"launches": len(arguments[0])}
    return {"launches": 1}
