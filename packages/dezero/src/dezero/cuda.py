"""Provide the book's ``dezero.cuda`` (step 52): move arrays, and query the GPU.

``gpu_enable`` is True if a GPU can be used, checked at each access. ``cupy`` is the CuPy module,
imported at first access.
"""

from __future__ import annotations

from typing import Any

from dezero_core import DezeroError, as_array, get_array_module
from dezero_core.extend import Array, Memory, get_backend, unwrap
from dezero_core.hints import missing
from dezero_core.state import accelerator, move
from dezero_core.variable import Operand
from dezero_nn.hints import CUDA

__all__ = [
    "as_cupy",
    "as_numpy",
    "capture",
    "device_count",
    "empty_cache",
    "get_array_module",
    "is_available",
    "memory",
    "synchronize",
]


def as_numpy(x: Operand) -> Any:
    """Convert a Variable, array or number to a NumPy array."""
    return move(as_array(unwrap(x)), get_backend("numpy"))


def as_cupy(x: Operand) -> Array:
    """Convert a Variable, array or number to an array on the accelerator.

    Raises:
        MissingPackage, DeviceError: there is no accelerator.
    """
    return move(as_array(unwrap(x)), accelerator())


def capture(step: Any = None, *, copy: bool = False, limit: int = 8) -> Any:
    """Run a training step as one CUDA graph from its third call on; without a GPU, return ``step``.

    `dezero_cuda.capture.capture` describes the arguments, the results and the errors; docs/gpu.md
    shows an example.
    """
    if is_available():
        make = getattr(get_backend("cuda"), "capture", None)
        if make is not None:
            return make(step, copy=copy, limit=limit)
    return step if step is not None else lambda function: function


def is_available() -> bool:
    """Return whether a GPU can be used, without raising errors.

    ``python -m dezero_cuda`` prints why a GPU cannot be used.
    """
    try:
        accelerator()
    except DezeroError:
        return False
    return True


def device_count() -> int:
    """Return the number of GPUs that CUDA reports; 0 if none can be used."""
    return get_backend("cuda").device_count() if is_available() else 0


def memory() -> Memory:
    """Return the memory of the GPU in bytes: used, cached, free and total.

    Raises:
        MissingPackage, DeviceError: there is no GPU.
    """
    report = get_backend("cuda").memory()
    assert report is not None
    return report


def empty_cache() -> None:
    """Release the GPU memory that is cached for new arrays.

    Raises:
        MissingPackage, DeviceError: there is no GPU.
    """
    get_backend("cuda").empty_cache()


def synchronize() -> None:
    """Wait until the GPU has finished all work.

    Raises:
        MissingPackage, DeviceError: there is no GPU.
    """
    get_backend("cuda").synchronize()


def __getattr__(name: str) -> Any:
    if name == "gpu_enable":
        return is_available()
    if name == "cupy":
        return get_backend("cuda").xp
    raise missing("module 'dezero.cuda'", name, CUDA)
