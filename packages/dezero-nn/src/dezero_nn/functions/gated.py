"""Define gated linear units: one half of the features scales the other half."""

from __future__ import annotations

from typing import Any

from dezero_core import Variable, as_variable
from dezero_core.arguments import as_integer, normalize_axes
from dezero_core.dtypes import as_floating
from dezero_core.errors import ShapeError
from dezero_core.functions import split
from dezero_core.hints import hinted
from dezero_core.variable import Operand

from .activation import sigmoid
from .gelu import silu


@hinted
def glu(x: Operand, axis: int = -1) -> Variable:
    """Return the first half of ``x`` along ``axis`` times the sigmoid of the second half.

    Dauphin et al., "Language Modeling with Gated Convolutional Networks", 2017.

    Raises:
        ShapeError: ``axis`` does not exist, or its length is odd.
    """
    first, second = split_halves("glu", x, axis)
    return first * sigmoid(second)


@hinted
def swiglu(x: Operand, gate: Operand | None = None) -> Variable:
    """Return ``silu(gate) * x``, the gated unit of Llama (Shazeer, "GLU Variants", 2020).

    Args:
        x: any shape.
        gate: an array whose shape broadcasts with ``x``. If None (default), ``x`` and the gate are
            the first and the second half of ``x`` along its last axis, as for `glu`.

    Raises:
        ShapeError: the shapes do not broadcast, or there is no gate and the last axis has an odd
            length.
    """
    x, gate = split_halves("swiglu", x, -1) if gate is None else (as_variable(as_floating(x)), gate)
    return silu(gate) * x


def split_halves(op: str, x: Operand, axis: int) -> tuple[Any, Any]:
    """Return the first and the second half of ``x`` along an axis of even length."""
    x = as_variable(as_floating(x))
    (axis,) = normalize_axes(op, as_integer(op, "axis", axis), x.ndim)
    length = x.shape[axis]
    if length % 2:
        raise ShapeError(f"{op}: axis {axis} of shape {tuple(x.shape)}: expected an even length")
    first, second = split(x, [length // 2, length // 2], axis)
    return first, second
