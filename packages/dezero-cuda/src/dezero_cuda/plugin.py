"""What this package registers with DeZero: CuPy's arrays as backend ``cuda``, and its kernels."""

from __future__ import annotations

from typing import Any

from dezero_core.extend import DEZERO_API, ArrayBackend, BackendSpec, hookimpl

__all__ = ["DEZERO_API", "dezero_backends", "dezero_kernels"]


def make_backend() -> ArrayBackend:
    """The backend, once a device has been found; this is where CuPy is imported.

    Raises:
        DeviceError: CuPy is not installed, or there is no device it can use.
    """
    from .probe import require_device

    require_device()
    from .backend import CudaBackend

    return CudaBackend()


@hookimpl
def dezero_backends() -> list[BackendSpec]:
    """CuPy's arrays, known by name: CuPy is imported when one of them is first asked for."""
    return [BackendSpec("cuda", ("cupy:ndarray",), make_backend, CAPABILITIES)]


CAPABILITIES = frozenset(
    {"accelerator", "devices", "dlpack", "float64", "in_place", "random", "scatter_add"}
)
"""All there is; on several real devices nothing here was ever run."""


@hookimpl
def dezero_kernels() -> list[Any]:
    """The kernels of `dezero_cuda.kernels`."""
    from .kernels import all_kernels

    return all_kernels()
