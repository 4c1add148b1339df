"""Find out whether CuPy can use a GPU, and if not, why."""

from __future__ import annotations

import os
from importlib.util import find_spec
from types import ModuleType

from dezero_core.errors import DeviceError, MissingPackage
from dezero_core.extend import once

INSTALL = "pip install 'dezero-cuda[cuda13]' (or [cuda12], whichever nvidia-smi shows)"


@once
def why_unavailable() -> str:
    """Return why no GPU can be used, or "" if a GPU can be used.

    This function never raises an error. The first call queries CUDA and stores the result.
    """
    if find_spec("cupy") is None:
        return f"CuPy is not installed: {INSTALL}"
    try:
        import cupy

        if cupy.cuda.is_available():
            return ""
    except Exception as error:  # a broken installation may raise any error
        return f"CuPy is installed but does not work: {type(error).__name__}: {error}"
    return f"{_explain(cupy)} (CuPy {cupy.__version__})"


def _explain(cupy: ModuleType) -> str:
    """Return why CuPy finds no device, according to the CUDA runtime."""
    runtime = cupy.cuda.runtime
    driver = runtime.driverGetVersion()
    if driver == 0:
        return "there is no NVIDIA driver on this machine"
    try:
        devices = runtime.getDeviceCount()
    except runtime.CUDARuntimeError as error:
        if "InsufficientDriver" in str(error):
            return (
                f"the NVIDIA driver is too old: it supports CUDA {_version(driver)}, CuPy was "
                f"built for {_version(runtime.runtimeGetVersion())}; update the driver"
            )
        if "NoDevice" not in str(error):
            return f"CUDA says: {error}"
        devices = 0
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    shown = "not set" if visible is None else repr(visible)
    return f"the driver shows {devices} devices (CUDA_VISIBLE_DEVICES is {shown})"


def _version(number: int) -> str:
    return f"{number // 1000}.{number % 1000 // 10}"


def is_available() -> bool:
    """Return whether a GPU can be used; never raise an error."""
    return not why_unavailable()


def require_device() -> None:
    """Check that a GPU can be used.

    Raises:
        MissingPackage: CuPy is not installed.
        DeviceError: CuPy is installed, but finds no device.
    """
    reason = why_unavailable()
    if not reason:
        return
    error_type = MissingPackage if find_spec("cupy") is None else DeviceError
    raise error_type(
        f"backend 'cuda': dezero-cuda is installed, but no GPU can be used: {reason}. "
        "Arrays on the CPU are not moved. `python -m dezero_cuda` prints a diagnosis."
    )
