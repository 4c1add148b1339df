"""Define the op table of dezero-core; every new op needs a row in a module of this package."""

from __future__ import annotations

from ...op_case import OpCase
from . import arrays, basic, elementwise, matrices, reductions

MODULES = (arrays, basic, elementwise, matrices, reductions)
"""The modules with rows; each defines `cases`."""


def cases() -> list[OpCase]:
    """Return the rows of every op of dezero-core."""
    return [case for module in MODULES for case in module.cases()]
