"""Multiply matrices by cuBLAS, called through NVIDIA's nvmath-python.

CuPy refuses to call cuBLAS while a stream is captured. These kernels create their own
handles and workspaces, so that they can be captured. cuBLAS stores matrices in column-major order,
and so reads a matrix in C order as its transpose. Therefore ``y^T = W^T x^T`` computes ``y = x W``.
"""

from __future__ import annotations

import threading
from math import prod
from typing import Any, NamedTuple, TypeAlias

import cupy
import numpy as np

from dezero_core import Config
from dezero_core.extend import once

from .libraries import load

Array: TypeAlias = cupy.ndarray
Shape = tuple[int, ...]

WORKSPACE = 32 << 20
"""The size of cuBLAS's workspace in bytes; NVIDIA recommends 32 MiB for Hopper GPUs."""

COMPUTE = {"float32": 68, "tf32": 77, "bf16": 75}
"""The cublasComputeType_t for float32 matrices: 32F, 32F_FAST_TF32 or 32F_FAST_16BF."""

DEFAULT_ALGORITHM = -1


class Dtype(NamedTuple):
    """Describe how cuBLAS multiplies matrices of one dtype.

    Attributes:
        data_type: the cudaDataType_t of the matrices.
        compute_type: the cublasComputeType_t of the sums; None if `Config.float32_precision`
            chooses it.
        one, zero: alpha and beta of ``y = alpha x W + beta y``, in the dtype of the sums.
    """

    data_type: int
    compute_type: int | None
    one: Any
    zero: Any


def _dtype(data_type: int, compute_type: int | None, sums: type) -> Dtype:
    return Dtype(data_type, compute_type, np.array(1, sums), np.array(0, sums))


DTYPES = {
    "f": _dtype(0, None, np.float32),
    "d": _dtype(1, 70, np.float64),
    "e": _dtype(2, COMPUTE["float32"], np.float32),
}
"""A dictionary from dtype characters to the constants of cuBLAS."""


class Handles(threading.local):
    """Hold the cuBLAS handles of one thread, one for each device, and the stream of each."""

    def __init__(self) -> None:
        self.of_device: dict[int, list[int]] = {}

    def current(self, blas: Any) -> int:
        """Return the handle for the current device, set to the current stream."""
        device, stream = cupy.cuda.Device().id, cupy.cuda.get_current_stream().ptr
        entry = self.of_device.get(device)
        if entry is None:
            entry = self.of_device[device] = [blas.create(), -1]
        if entry[1] != stream:
            memory = workspace(device, stream)
            blas.set_stream(entry[0], stream)
            blas.set_workspace(entry[0], memory.ptr, WORKSPACE)
            entry[1] = stream
        return entry[0]


_handles = Handles()


@once
def workspace(device: int, stream: int) -> cupy.cuda.MemoryPointer:
    """Return cuBLAS's workspace for one stream; it is never freed, because graphs may use it.

    The memory is not from the pool of the graph that is recorded, which other graphs outlive.
    """
    return cupy.get_default_memory_pool().malloc(WORKSPACE)


class Matrices(NamedTuple):
    """Describe matrices in memory as cuBLAS reads them.

    Attributes:
        array: the array that holds the matrices.
        operation: 0 if the rows of the array are the columns of the matrices in cuBLAS, 1 if
            cuBLAS must transpose them.
        leading: the distance between two columns, in elements.
        step: the distance between two matrices of a batch, in elements; 0 for one matrix.
    """

    array: Array
    operation: int
    leading: int
    step: int


def order_of(x: Array) -> tuple[int, int] | None:
    """Return ``operation`` and ``leading`` of `Matrices`; None if the strides fit neither form."""
    (rows, columns), size = x.shape[-2:], x.itemsize
    down, across = x.strides[-2] // size, x.strides[-1] // size
    if (across == 1 or columns == 1) and (down >= columns or rows == 1):
        return 0, down if rows > 1 else columns
    if (down == 1 or rows == 1) and (across >= rows or columns == 1):
        return 1, across if columns > 1 else rows
    return None


def step_of(x: Array, lead: Shape) -> int | None:
    """Return ``step`` of `Matrices` for the leading axes ``lead``; None if the steps differ."""
    if prod(x.shape[:-2]) == 1:
        return 0
    if x.shape[:-2] != lead:
        return None
    axes = zip(x.strides[-3::-1], x.shape[-3::-1], strict=True)
    (step, count), *outer = [axis for axis in axes if axis[1] > 1]
    for stride, length in outer:
        if stride != step * count:
            return None
        count *= length
    return step // x.itemsize


def matrices(x: Array, lead: Shape) -> Matrices:
    """Describe the matrices of ``x``; copy them if cuBLAS cannot read their memory order."""
    order, step = order_of(x), step_of(x, lead)
    if order is None or step is None or step < 0:
        wide = x if order is None else cupy.broadcast_to(x, lead + x.shape[-2:])
        return matrices(cupy.ascontiguousarray(wide), lead)
    return Matrices(x, *order, step)


def supports_matmul(x: Array, W: Array) -> bool | str:
    """Return whether cuBLAS can compute ``x @ W``, or why not."""
    if x.dtype.char not in DTYPES or type(W) is not type(x) or W.dtype != x.dtype:
        return "the arrays are not both float16, both float32 or both float64"
    if x.size == 0 or W.size == 0 or x.ndim == 0 or W.ndim == 0:
        return "an array is empty or has no axes"
    if x.shape[-1] != W.shape[-2:][0] or lead_of(x, W) is None:
        return "the shapes do not match"
    library = load("cublas")
    return library if isinstance(library, str) else True


def lead_of(x: Array, W: Array) -> Shape | None:
    """Return the broadcast leading axes of ``x @ W``, or None if they do not broadcast."""
    one, other = x.shape[:-2], W.shape[:-2]
    if one == other or not other:
        return one
    if not one:
        return other
    length = max(len(one), len(other))
    pairs = zip((1,) * (length - len(one)) + one, (1,) * (length - len(other)) + other, strict=True)
    lead = tuple([b if a == 1 else a if b in (1, a) else -1 for a, b in pairs])
    return None if -1 in lead else lead


def matmul(x: Array, W: Array) -> Array:
    """Return ``x @ W`` for arrays for which `supports_matmul` is True."""
    if x.ndim == 1 or W.ndim == 1:  # a vector is a matrix with one row, or one column
        y = matmul(x if x.ndim > 1 else x[np.newaxis], W if W.ndim > 1 else W[:, np.newaxis])
        *lead, n, m = y.shape
        return y.reshape((*lead, *[n] * (x.ndim > 1), *[m] * (W.ndim > 1)))
    if W.ndim == 2 and x.ndim > 2 and x.flags.c_contiguous:  # one matmul with all rows
        rows = x.reshape(-1, x.shape[-1])
        return product(rows, W, ()).reshape(*x.shape[:-1], W.shape[1])
    return product(x, W, lead_of(x, W) or ())


def product(x: Array, W: Array, lead: Shape) -> Array:
    """Return ``x @ W`` for matrices, or for stacks of matrices with the leading axes ``lead``."""
    y = cupy.empty((*lead, x.shape[-2], W.shape[-1]), x.dtype)
    multiply(x, W, y, Config.float32_precision)
    return y


def multiply(x: Array, W: Array, y: Array, precision: str) -> None:
    """Write ``x @ W`` to contiguous ``y``; ``precision`` is as `Config.float32_precision`."""
    lead, (n, m), k = y.shape[:-2], y.shape[-2:], x.shape[-1]
    dtype = DTYPES[x.dtype.char]
    a, b = matrices(W, lead), matrices(x, lead)
    compute = COMPUTE[precision] if dtype.compute_type is None else dtype.compute_type
    kind, one, zero, count = dtype.data_type, dtype.one, dtype.zero, prod(lead)
    blas = load("cublas")
    sizes = _handles.current(blas), a.operation, b.operation, m, n, k, one.ctypes.data
    last = compute, DEFAULT_ALGORITHM
    if count == 1:
        blas.gemm_ex(
            *sizes, a.array.data.ptr, kind, a.leading, b.array.data.ptr, kind, b.leading,
            zero.ctypes.data, y.data.ptr, kind, m, *last,
        )  # fmt: skip
    else:
        blas.gemm_strided_batched_ex(
            *sizes, a.array.data.ptr, kind, a.leading, a.step,
            b.array.data.ptr, kind, b.leading, b.step,
            zero.ctypes.data, y.data.ptr, kind, m, n * m, count, *last,
        )  # fmt: skip
