"""Imitate dezero-cuda's kernels with NumPy, because the stand-in cannot run CUDA.

Each module has the kernels of the ``.cu`` file of the same name. A test compiles the real
kernels for the host and compares them with the portable definitions. A null pointer is a NumPy
integer.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any


def body(name: str) -> Any:
    """Return the NumPy function for a kernel."""
    for path in sorted(Path(__file__).parent.glob("[a-z]*.py")):
        module = import_module(f"{__name__}.{path.stem}")
        if hasattr(module, name):
            return getattr(module, name)
    raise AttributeError(f"the stand-in has no kernel {name}")
