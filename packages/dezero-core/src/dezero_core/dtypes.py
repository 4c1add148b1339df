"""The door to dtypes: choose the one that an op computes in (docs/adr/0015).

Functions that end in ``ed`` take and return Variables or arrays; the others take arrays.
"""

from .backends.precision import dtype_name, is_floating, sum_over, to_floating, to_single
from .functions.casting import call_widened, floating, narrowed, widened
from .variable import cast

__all__ = [
    "call_widened",
    "cast",
    "dtype_name",
    "floating",
    "is_floating",
    "narrowed",
    "sum_over",
    "to_floating",
    "to_single",
    "widened",
]
