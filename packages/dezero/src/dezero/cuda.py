"""The book's ``dezero.cuda`` (step 52): which library owns an array, moving it; and the device.

``gpu_enable`` is looked up when it is read, and true only when a device works; ``cupy`` is the
module, imported when it is read.
"""

from __future__ import annotations

from typing import Any

from dezero_core import DezeroError, as_array, get_array_module
from dezero_core.extend import Memory, get_backend, unwrap
from dezero_core.state import accelerator, move

__all__ = [
    "as_cupy",
    "as_numpy",
    "device_count",
    "empty_cache",
    "get_array_module",
    "is_available",
    "memory",
    "synchronize",
]


def as_numpy(x: Any) -> Any:
    """``x``, a Variable, array or scalar, as a NumPy array."""
    return move(as_array(unwrap(x)), get_backend("numpy"))


def as_cupy(x: Any) -> Any:
    """``x``, a Variable, array or scalar, as an array on the accelerator.

    Raises:
        MissingPackage, DeviceError: there is none.
    """
    return move(as_array(unwrap(x)), accelerator())


def is_available() -> bool:
    """Whether a GPU can be used; never raises. `python -m dezero_cuda` says why not."""
    try:
        accelerator()
    except DezeroError:
        return False
    return True


def device_count() -> int:
    """How many GPUs CUDA shows; 0 where none can be used."""
    return get_backend("cuda").device_count() if is_available() else 0


def memory() -> Memory:
    """How full the GPU is, in bytes: used, cached, free, total.

    Raises:
        MissingPackage, DeviceError: there is no GPU.
    """
    found = get_backend("cuda").memory()
    assert found is not None
    return found


def empty_cache() -> None:
    """Give the GPU memory back that is kept for new arrays.

    Raises:
        MissingPackage, DeviceError: there is no GPU.
    """
    get_backend("cuda").empty_cache()


def synchronize() -> None:
    """Wait until the GPU has done all that it was asked.

    Raises:
        MissingPackage, DeviceError: there is no GPU.
    """
    get_backend("cuda").synchronize()


def __getattr__(name: str) -> Any:
    if name == "gpu_enable":
        return is_available()
    if name == "cupy":
        return get_backend("cuda").xp
    raise AttributeError(f"module 'dezero.cuda' has no attribute {name!r}")
