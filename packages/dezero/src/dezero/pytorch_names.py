"""Define names of PyTorch for functions that have other names in the array API standard."""

from __future__ import annotations

from collections.abc import Sequence

from dezero_core import Variable, as_variable
from dezero_core.functions import (
    clip,
    concat,
    cumulative_prod,
    cumulative_sum,
    expand_dims,
    matmul,
    max,
    min,
    moveaxis,
    permute_dims,
    reshape,
    take,
    unstack,
)
from dezero_core.hints import hinted
from dezero_core.variable import Index, Operand

__all__ = [
    "amax", "amin", "bmm", "cat", "clamp", "cumprod", "cumsum", "dot", "hstack", "index_select",
    "mm", "movedim", "mv", "permute", "unbind", "unsqueeze", "vstack",
]  # fmt: skip

amax, amin = max, min
cat = concat
cumprod, cumsum = cumulative_prod, cumulative_sum
bmm = dot = mm = mv = matmul
movedim = moveaxis
permute = permute_dims
unbind = unstack
unsqueeze = expand_dims


@hinted
def clamp(x: Operand, min: Operand | None = None, max: Operand | None = None) -> Variable:
    """Return ``x`` limited to the range from ``min`` to ``max``, as `clip` does."""
    return clip(x, min, max)


@hinted
def hstack(xs: Sequence[Operand]) -> Variable:
    """Join arrays along axis 1, or along axis 0 if all of them have fewer than two axes."""
    arrays = [x if x.ndim else reshape(x, 1) for x in map(as_variable, xs)]
    return concat(arrays, 0 if all(x.ndim == 1 for x in arrays) else 1)


@hinted
def index_select(x: Operand, axis: int, index: Index) -> Variable:
    """Return the elements at the positions ``index`` of one axis, as `take` does."""
    return take(x, index, axis)


@hinted
def vstack(xs: Sequence[Operand]) -> Variable:
    """Join arrays along axis 0; an array with fewer than two axes is one row."""
    return concat([x if x.ndim > 1 else reshape(x, (1, x.size)) for x in map(as_variable, xs)])
