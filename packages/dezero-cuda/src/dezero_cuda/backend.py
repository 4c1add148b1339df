"""Define the backend methods for which CuPy does not follow the array API standard."""

from __future__ import annotations

from operator import attrgetter
from typing import Any

import cupy
import numpy as np

from dezero_core.backends.portable import is_basic, window_layout
from dezero_core.extend import Array, ArrayBackend, Memory, rank_generator
from dezero_core.state import step_numbers

from .capture_memory import free_waiting
from .kernels import elementwise, random, scatter, sums

Pair = tuple[int, int]


class CudaBackend(ArrayBackend):
    """Compute with arrays on NVIDIA GPUs.

    CuPy's functions take no ``device=``: they use the current device.
    """

    def __init__(self) -> None:
        super().__init__(cupy)
        if self.device_count() > 1:
            self.on_device = attrgetter("device")  # CuPy's devices are context managers

    def from_numpy(self, x: np.ndarray) -> Array:
        return cupy.asarray(x)

    def to_numpy(self, x: Array) -> np.ndarray:
        return cupy.asnumpy(x)

    def scalar_like(self, x: Any, y: Array) -> Array:
        with y.device:  # filled on the device, without a copy from the host
            return cupy.full((), x, dtype=cupy.result_type(y.dtype, x))

    def arange(self, n: int, y: Array) -> Array:
        with y.device:
            return cupy.arange(n)

    def zeros(self, shape: tuple[int, ...], y: Array) -> Array:
        with y.device:
            return cupy.zeros(shape, dtype=y.dtype)

    def get_item(self, x: Array, index: Any) -> Array:
        return x[index]

    def argsort(self, x: Array, axis: int, stable: bool) -> Array:
        return cupy.argsort(x, axis=axis)  # always stable; CuPy has no argument for it

    def scatter_add(self, x: cupy.ndarray, index: Any, values: Array) -> Array:
        with x.device:
            if is_basic(index):
                part = x[index]  # a view
                part += values
            elif x.dtype.char in "fd" and values.dtype == x.dtype and x.flags.c_contiguous:
                scatter.scatter_add(x, index, values)
            else:
                cupy.add.at(x, index, values)
        return x

    def iadd(self, x: Array, y: Array) -> Array:
        if not elementwise.iadd(x, y):
            x += y
        return x

    def sum(self, x: Array, axis: Any, keepdims: bool, dtype: Any = None) -> Array:
        """Sum over the first axes by a kernel of `dezero_cuda.kernels`, over other axes by CuPy."""
        if dtype is None and sums.supports_sum(x, axis):
            return sums.sum_of_rows(x, len(axis) if isinstance(axis, tuple) else 1, keepdims)
        return super().sum(x, axis, keepdims, dtype)

    def pad(self, x: Array, widths: tuple[tuple[int, int], ...], value: float) -> Array:
        with x.device:
            return cupy.pad(x, widths, constant_values=value)

    def sliding_windows(self, x: Array, kernel: Pair, stride: Pair, dilation: Pair) -> Array:
        shape, strides = window_layout(x, kernel, stride, dilation)
        return cupy.lib.stride_tricks.as_strided(x, shape, strides)

    def is_view(self, x: cupy.ndarray) -> bool:
        return x.base is not None

    def uniform(self, shape: tuple[int, ...], dtype: Any) -> Array:
        """Draw random numbers on the device by Philox 4x32-10.

        The number of each draw comes from `rank_generator`, so that `seed` makes a program
        repeatable, and a captured step draws the same numbers as an eager step.
        """
        if np.dtype(dtype).char in "fd":
            return random.uniform(shape, dtype, 0, self.draw())
        return cupy.astype(self.uniform(shape, np.float32), dtype)

    def bernoulli(self, p: float, x: Array) -> Array:
        with x.device:
            return random.bernoulli(p, x, 0, self.draw())

    def draw(self) -> Any:
        """Return the number of the next random draw, drawn from `rank_generator`.

        While a step is captured, the result is an array that gets a new number before each replay.
        """
        (number,) = step_numbers(
            lambda: (int(rank_generator().integers(2**63)),), np.dtype("uint64")
        )
        return number

    def capture(self, step: Any = None, *, copy: bool = False, limit: int = 8) -> Any:
        """Return what `dezero_cuda.capture.capture` returns for these arguments."""
        from .capture import capture

        return capture(step, copy=copy, limit=limit)

    def memory(self) -> Memory:
        pool = cupy.get_default_memory_pool()
        free, total = cupy.cuda.runtime.memGetInfo()
        return Memory(pool.used_bytes(), pool.free_bytes(), free, total)

    def empty_cache(self) -> None:
        free_waiting()
        cupy.get_default_memory_pool().free_all_blocks()
        cupy.get_default_pinned_memory_pool().free_all_blocks()

    def devices(self) -> list[Any]:
        return [cupy.cuda.Device(number) for number in range(self.device_count())]

    def to_device(self, x: Array, device: Any) -> Array:
        with device:
            return x if x.device == device else cupy.array(x)

    def device_count(self) -> int:
        return int(cupy.cuda.runtime.getDeviceCount())

    def synchronize(self) -> None:
        cupy.cuda.Device().synchronize()
