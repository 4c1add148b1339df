"""Re-export the functions that choose the dtype in which an op computes (docs/adr/0015).

These functions are for DeZero's own packages, and may change in any version. `as_floating`,
`widen`, `narrow` and `call_widened` take Variables or arrays; the others take only arrays.
"""

from .backends.precision import dtype_name, is_floating, sum_over, to_floating, to_single
from .backends.summation import MAX_TERMS
from .functions.casting import as_floating, call_widened, narrow, widen
from .variable import cast
