"""Register the backend ``cuda`` for CuPy's arrays, its kernels, and engines that connect ranks."""

from __future__ import annotations

from typing import Any

from dezero_core.extend import (
    DEZERO_API,
    ArrayBackend,
    BackendSpec,
    Communicator,
    CommunicatorSpec,
    hookimpl,
)

__all__ = ["DEZERO_API", "dezero_backends", "dezero_communicators", "dezero_kernels"]


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


def launched_by_tcp() -> int:
    """Return how many ranks the variables of torchrun announce, or 0."""
    from .tcp import announced_ranks

    return announced_ranks()


def launched_on_gpus() -> int:
    """Return how many ranks the variables of torchrun announce if there is a GPU, or 0."""
    from .probe import is_available

    ranks = launched_by_tcp()
    return ranks if ranks and is_available() else 0


def make_tcp() -> Communicator:
    """Connect this rank to the others by TCP."""
    from .tcp import connect

    return connect()


def make_nccl() -> Communicator:
    """Check that a device can be used, and connect this rank to the others by NCCL.

    Raises:
        DeviceError: CuPy is not installed, or there is no device that CuPy can use.
    """
    from .probe import require_device

    require_device()
    from .engine import make_communicator

    return make_communicator()


@hookimpl
def dezero_communicators() -> list[CommunicatorSpec]:
    """Register the engines NCCL and TCP, which import their libraries at first use."""
    on_gpus = ("cupy:ndarray", "numpy:ndarray")
    return [
        CommunicatorSpec("nccl", launched_on_gpus, make_nccl, on_gpus, priority=1),
        CommunicatorSpec("tcp", launched_by_tcp, make_tcp),
    ]
