"""Define the base class of elementwise functions that the array API standard has."""

from __future__ import annotations

from ..backends.interface import Array
from ..backends.precision import to_floating
from ..function import Function
from ..variable import get_array_module


class Elementwise(Function):
    """Apply the array API function ``name`` to x, converted to floating point."""

    name: str

    def forward(self, x: Array) -> Array:
        y: Array = getattr(get_array_module(x), self.name)(to_floating(x))
        return y
