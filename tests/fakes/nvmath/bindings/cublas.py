"""A stand-in for the part of nvmath.bindings.cublas that dezero-cuda calls.

NumPy computes the matmuls at raw addresses. As in cuBLAS, matrices are stored in column-major
order, and arguments are checked. The functions have the parameters of nvmath-python 1.0.
"""

from __future__ import annotations

from typing import Any

import cupy
import numpy as np
from memory import array_at

_streams: dict[int, int | None] = {}
"""The stream of each handle; None until it is set."""
_workspaces: dict[int, tuple[int, int]] = {}
calls: list[tuple[Any, ...]] = []
"""The function, sizes, operations and compute type of each matmul, for tests."""

DTYPES = {0: np.float32, 1: np.float64, 2: np.float16}
COMPUTE = {68: (0, 2), 70: (1,), 75: (0,), 77: (0,)}
"""A dictionary from compute types to the data types that they support."""
KEPT_BITS = {75: 16, 77: 13}
"""The number of low bits of float32 factors that bfloat16 and TF32 drop."""


class cuBLASError(Exception):
    """The error that the real bindings raise for a status that is not success."""


def _require(condition: bool, what: str) -> None:
    if not condition:
        raise cuBLASError(f"CUBLAS_STATUS_INVALID_VALUE: {what}")


def create() -> int:
    handle = 1000 + len(_streams)
    _streams[handle] = None
    return handle


def set_stream(handle: int, stream_id: int) -> None:
    _require(handle in _streams, "handle")
    _streams[handle] = stream_id
    _workspaces.pop(handle, None)  # as cublasSetStream, which resets the workspace


def set_workspace(handle: int, workspace: int, workspace_size_in_bytes: int) -> None:
    _require(_streams.get(handle) is not None, "the stream is set first")
    _require(workspace != 0, "workspace")
    _workspaces[handle] = workspace, workspace_size_in_bytes


def gemm_ex(
    handle: int, transa: int, transb: int, m: int, n: int, k: int, alpha: int,
    a: int, atype: int, lda: int, b: int, btype: int, ldb: int, beta: int,
    c: int, ctype: int, ldc: int, compute_type: int, algo: int,
) -> None:  # fmt: skip
    calls.append(("gemm_ex", m, n, k, transa, transb, compute_type))
    _multiply(handle, transa, transb, m, n, k, alpha, a, atype, lda, 0, b, btype, ldb, 0, beta,
              c, ctype, ldc, 0, 1, compute_type, algo)  # fmt: skip


def gemm_strided_batched_ex(
    handle: int, transa: int, transb: int, m: int, n: int, k: int, alpha: int,
    a: int, atype: int, lda: int, stride_a: int, b: int, btype: int, ldb: int, stride_b: int,
    beta: int, c: int, ctype: int, ldc: int, stride_c: int, batch_count: int,
    compute_type: int, algo: int,
) -> None:  # fmt: skip
    calls.append(("gemm_strided_batched_ex", m, n, k, transa, transb, compute_type))
    _multiply(handle, transa, transb, m, n, k, alpha, a, atype, lda, stride_a, b, btype, ldb,
              stride_b, beta, c, ctype, ldc, stride_c, batch_count, compute_type, algo)  # fmt: skip


def _multiply(
    handle: int, transa: int, transb: int, m: int, n: int, k: int, alpha: int,
    a: int, atype: int, lda: int, stride_a: int, b: int, btype: int, ldb: int, stride_b: int,
    beta: int, c: int, ctype: int, ldc: int, stride_c: int, count: int, compute_type: int,
    algo: int,
) -> None:  # fmt: skip
    _require(_streams.get(handle) == cupy.cuda.get_current_stream().ptr, "the current stream")
    _require(handle in _workspaces, "a workspace of its own")
    _require(atype == btype == ctype and atype in COMPUTE[compute_type], "data types")
    _require(min(m, n, k, count) > 0 and algo == -1, "sizes")
    _require(lda >= (k if transa else m) and ldb >= (n if transb else k) and ldc >= m, "leading")
    dtype = DTYPES[atype]
    x = _matrices(a, (k, m) if transa else (m, k), lda, stride_a, count, dtype)
    y = _matrices(b, (n, k) if transb else (k, n), ldb, stride_b, count, dtype)
    x, y = (x.swapaxes(1, 2) if transa else x), (y.swapaxes(1, 2) if transb else y)
    scalar = np.float64 if compute_type == 70 else np.float32
    one, zero = (_matrices(p, (1, 1), 1, 0, 1, scalar)[0, 0, 0] for p in (alpha, beta))
    result = _matrices(c, (m, n), ldc, stride_c, count, dtype)

    def compute() -> None:
        product = _rounded(x, compute_type) @ _rounded(y, compute_type)
        result[...] = one * product + (zero * result if zero else 0)

    cupy._counts["launches"] += 1
    cupy.graphs.launch(compute)


def _matrices(
    address: int, shape: tuple[int, int], leading: int, step: int, count: int, dtype: Any
) -> Any:
    """Return a view (count, rows, columns) of matrices in column-major order."""
    return array_at(address, (count, *shape), (step, 1, leading), dtype)


def _rounded(x: Any, compute_type: int) -> Any:
    """Round factors to the precision of the compute type; half precision is summed in float32."""
    if compute_type not in KEPT_BITS:
        return x.astype(np.float32) if x.dtype == np.float16 else x
    bits = KEPT_BITS[compute_type]
    whole = np.ascontiguousarray(x).view(np.uint32).astype(np.uint64)
    whole = (whole + (1 << (bits - 1))) >> bits << bits
    return whole.astype(np.uint32).view(np.float32)
