"""What this package registers with DeZero: two formats of weights, and published weights."""

from __future__ import annotations

from typing import Any

from dezero_core.extend import WeightFormat
from dezero_core.hookspecs import DEZERO_API, hookimpl

from . import npz, safetensors

__all__ = ["DEZERO_API", "dezero_fetch", "dezero_op_cases", "dezero_weight_formats"]


@hookimpl
def dezero_weight_formats() -> list[WeightFormat]:
    """``.npz``, which plain ``numpy.load`` reads too, and ``.safetensors``."""
    return [
        WeightFormat(".npz", npz.write, npz.read, npz.headers),
        WeightFormat(
            safetensors.SUFFIX,
            safetensors.write,
            safetensors.read,
            safetensors.headers,
            safetensors.needs,
        ),
    ]


@hookimpl(tryfirst=True)
def dezero_fetch(name: str) -> Any:
    """Return the path of one of the files in `dezero_io.published`.

    It is called before third-party plugins, except those that use ``tryfirst`` too, like a mirror.
    """
    from .published import published

    return published(name)


@hookimpl
def dezero_op_cases() -> list[Any]:
    """The checks of `dezero_io.conformance`."""
    from .conformance import checks

    return checks()
