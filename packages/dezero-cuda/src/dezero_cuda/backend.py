"""CuPy as a backend: where it differs from the standard, and its random numbers."""

from __future__ import annotations

from typing import Any

import cupy

from dezero_core.extend import Array, ArrayBackend, generator


class CudaBackend(ArrayBackend):
    """Arrays on an NVIDIA GPU. CuPy's functions take no ``device=``: they use the current one."""

    def __init__(self) -> None:
        super().__init__(cupy)

    def from_numpy(self, x: Any) -> Array:
        return cupy.asarray(x)

    def to_numpy(self, x: Array) -> Any:
        return cupy.asnumpy(x)

    def scalar_like(self, x: Any, y: Array) -> Array:
        with y.device:
            return cupy.asarray(x, dtype=cupy.result_type(y.dtype, x))

    def arange(self, n: int, y: Array) -> Array:
        with y.device:
            return cupy.arange(n, dtype=y.dtype)

    def is_view(self, x: Array) -> bool:
        return x.base is not None

    def uniform(self, shape: tuple[int, ...], dtype: Any) -> Array:
        """Drawn on the device, from a stream that a draw on the host starts."""
        stream = cupy.random.default_rng(int(generator().integers(2**63)))
        return stream.random(shape, dtype=dtype)

    def synchronize(self) -> None:
        cupy.cuda.Device().synchronize()
