"""Import NVIDIA's Python packages for cuBLAS and cuDNN at first use.

Both packages are optional. If a package is missing, its kernels decline every call with the reason,
CuPy computes instead, and one warning explains this.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Any, NamedTuple

from dezero_core.extend import once


class Library(NamedTuple):
    """Describe an optional package.

    Attributes:
        module: the module to import.
        distribution: the name of the package on PyPI.
        install: the command that installs the distribution.
        without: what happens without the package.
        check: the name of a function of the module that fails if the library itself cannot be
            loaded; "" if the module has no such function.
    """

    module: str
    distribution: str
    install: str
    without: str
    check: str = ""


LIBRARIES = {
    "cublas": Library(
        "nvmath.bindings.cublas",
        "nvmath-python",
        "pip install 'dezero-cuda[cuda13]' (or [cuda12])",
        "CuPy multiplies matrices, in float32 only, and steps with matmuls cannot be captured",
    ),
    "cudnn": Library(
        "cudnn",
        "nvidia-cudnn-frontend",
        "pip install 'dezero-cuda[cuda13,cudnn]' (docs/gpu.md shows the command for CUDA 12)",
        "convolutions copy every window to memory, which is slower and takes more memory",
        "backend_version",
    ),
}


@once
def load(name: str) -> Any:
    """Import a library of `LIBRARIES`; if the import fails, warn once and return the reason."""
    library = LIBRARIES[name]
    try:
        module = import_module(library.module)
        if library.check:
            getattr(module, library.check)()
        return module
    except Exception as error:  # a broken installation may raise any error
        package = library.module.partition(".")[0]
        missing = isinstance(error, ModuleNotFoundError) and error.name == package
        problem = "is not installed" if missing else f"fails: {type(error).__name__}: {error}"
        reason = f"{library.distribution} {problem}"
        warnings.warn(
            f"dezero-cuda: {reason}, so {library.without}; {library.install}", stacklevel=2
        )
        return reason


def versions() -> Iterator[tuple[str, str]]:
    """Yield the name of each distribution with its version, or with what happens without it."""
    for library in LIBRARIES.values():
        try:
            yield library.distribution, version(library.distribution)
        except PackageNotFoundError:
            yield library.distribution, f"not installed, so {library.without}; {library.install}"
