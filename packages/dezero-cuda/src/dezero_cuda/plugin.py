"""Register CuPy's arrays as the backend ``cuda``, and kernels for them."""

from __future__ import annotations

from typing import Any

from dezero_core.extend import DEZERO_API, ArrayBackend, BackendSpec, hookimpl

__all__ = ["DEZERO_API", "dezero_backends", "dezero_kernels"]


def make_backend() -> ArrayBackend:
    """Check that a device can be used, import CuPy and return the backend.

    Raises:
        DeviceError: CuPy is not installed, or there is no device that CuPy can use.
    """
    from .probe import require_device

    require_device()
    from .backend import CudaBackend

    return CudaBackend()


@hookimpl
def dezero_backends() -> list[BackendSpec]:
    """Register CuPy's array type by name, so that CuPy is imported at first use."""
    return [BackendSpec("cuda", ("cupy:ndarray",), make_backend, CAPABILITIES)]


CAPABILITIES = frozenset(
    {"accelerator", "devices", "dlpack", "float64", "in_place", "random", "scatter_add"}
)
"""The capabilities of the CuPy backend, which was tested on one GPU only. CuPy raises no error for
an index that is out of range: the index wraps around."""


@hookimpl
def dezero_kernels() -> list[Any]:
    """Return the kernels of `dezero_cuda.kernels` and of NVIDIA's libraries."""
    from .kernels import all_kernels
    from .library_kernels import library_kernels

    return [*all_kernels(), *library_kernels()]
