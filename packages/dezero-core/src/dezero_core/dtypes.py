"""Names for DeZero's own packages to choose the dtype that an op computes in (docs/adr/0015).

`floating`, `widened`, `narrowed` and `call_widened` take Variables or arrays; the others take
arrays. These names may change in any version.
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
