"""Print whether CuPy can use a GPU of this machine: ``python -m dezero_cuda``."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from importlib.util import find_spec

from dezero_core.errors import MissingPackage

from .__about__ import __version__
from .libraries import versions
from .probe import why_unavailable


def diagnosis() -> Iterator[tuple[str, str]]:
    """Yield pairs (name, value) that describe the installation: versions, then the devices."""
    yield "dezero-cuda", __version__
    yield from versions()
    reason = why_unavailable()
    if find_spec("cupy") is not None and "does not work" not in reason:
        import cupy

        runtime = cupy.cuda.runtime
        yield "CuPy", cupy.__version__
        yield "CUDA of CuPy", str(runtime.runtimeGetVersion())
        yield "CUDA of the driver", str(runtime.driverGetVersion() or "no driver")
        yield "NCCL", nccl_version()
        yield "CUDA_VISIBLE_DEVICES", os.environ.get("CUDA_VISIBLE_DEVICES", "not set")
        for number in range(0 if reason else runtime.getDeviceCount()):
            name = runtime.getDeviceProperties(number)["name"].decode()
            yield f"device {number}", name
    yield "usable", f"no: {reason}" if reason else "yes"


def nccl_version() -> str:
    """Return which package calls NCCL, or how to install one."""
    from .nccl import INSTALL, find_nccl

    try:
        return f"called by {find_nccl().package}"
    except MissingPackage:
        return f"not installed, so ranks cannot sum arrays on GPUs; {INSTALL}"


def main() -> int:
    """Print the diagnosis; return the exit status, which is 0 if a GPU can be used."""
    for what, found in diagnosis():
        print(f"{what:22}{found}")
    return 1 if why_unavailable() else 0


if __name__ == "__main__":
    sys.exit(main())
