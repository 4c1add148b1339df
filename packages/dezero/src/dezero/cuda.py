"""The book's ``dezero.cuda`` (step 52): which library owns an array, and moving it.

``gpu_enable`` is looked up when it is read, and true only when a device works; ``cupy`` is the
module, imported when it is read.
"""

from __future__ import annotations

from typing import Any

from dezero_core import DezeroError, as_array, get_array_module
from dezero_core.extend import accelerator, array_of, get_backend, move

__all__ = ["as_cupy", "as_numpy", "get_array_module"]


def as_numpy(x: Any) -> Any:
    """``x``, a Variable, array or scalar, as a NumPy array."""
    return move(as_array(array_of(x)), get_backend("numpy"))


def as_cupy(x: Any) -> Any:
    """``x``, a Variable, array or scalar, as an array on the accelerator.

    Raises:
        MissingPackage, DeviceError: there is none.
    """
    return move(as_array(array_of(x)), accelerator())


def __getattr__(name: str) -> Any:
    if name == "gpu_enable":
        try:
            accelerator()
        except DezeroError:
            return False
        return True
    if name == "cupy":
        return get_backend("cuda").xp
    raise AttributeError(f"module 'dezero.cuda' has no attribute {name!r}")
