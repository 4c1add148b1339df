"""A minimal backend for the CuPy stand-in, where dezero-cuda is not installed."""

from __future__ import annotations

from typing import Any

from dezero_core.extend import ArrayBackend, BackendSpec, Memory, hookimpl

DEZERO_API = 1


class MinimalBackend(ArrayBackend):
    """What CuPy does otherwise than the standard: no ``device=``, its own way to the host."""

    def from_numpy(self, x: Any) -> Any:
        return self.xp.asarray(x)

    def to_numpy(self, x: Any) -> Any:
        return x.get()

    def scalar_like(self, x: Any, y: Any) -> Any:
        return self.xp.full((), x, dtype=self.xp.result_type(y.dtype, x))

    def arange(self, n: int, y: Any) -> Any:
        return self.xp.arange(n)

    def zeros(self, shape: Any, y: Any) -> Any:
        return self.xp.zeros(shape, dtype=y.dtype)

    def scatter_add(self, x: Any, index: Any, values: Any) -> Any:
        self.xp.add.at(x, index, values)
        return x

    def pad(self, x: Any, widths: Any, value: float) -> Any:
        return self.xp.pad(x, widths, constant_values=value)

    def memory(self) -> Memory:
        return Memory(0, 0, 1 << 30, 1 << 30)

    def is_view(self, x: Any) -> bool:
        return x.base is not None


def make_backend() -> ArrayBackend:
    import cupy

    return MinimalBackend(cupy)


@hookimpl
def dezero_backends() -> list[BackendSpec]:
    capabilities = frozenset({"accelerator", "float64", "in_place"})
    return [BackendSpec("cuda", ("cupy:ndarray",), make_backend, capabilities)]
