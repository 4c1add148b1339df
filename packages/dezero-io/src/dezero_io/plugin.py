"""What this package registers with DeZero: the npz format."""

from __future__ import annotations

from dezero_core.hookspecs import DEZERO_API, hookimpl
from dezero_core.weights import WeightFormat

from . import npz

__all__ = ["DEZERO_API", "dezero_weight_formats"]


@hookimpl
def dezero_weight_formats() -> list[WeightFormat]:
    """``.npz``: a zip of arrays that plain ``numpy.load`` reads too."""
    return [WeightFormat(".npz", npz.write, npz.read)]
