"""Broadcast an array to a larger shape, and sum an array to a smaller shape."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..arguments import as_shape
from ..backends.interface import Array
from ..backends.precision import sum_over
from ..backends.registry import backend_of
from ..diagnosis import broadcast_shape
from ..errors import ShapeError
from ..function import Function
from ..hints import hinted
from ..variable import Operand, Variable, get_array_module


class BroadcastTo(Function):
    """Repeat x along axes of length 1 and new leading axes;  gx = gy summed to the shape of x."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape = shape

    def forward(self, x: Array) -> Array:
        xp = get_array_module(x)
        return xp.broadcast_to(x, self.shape)

    def backward(self, gy: Array | Variable) -> Any:
        (x,) = self.inputs
        return sum_to(gy, x.shape)

    def diagnose(self, *arrays: Array) -> None:
        (x,) = arrays
        if broadcast_shape(x.shape, self.shape) != self.shape:
            raise ShapeError(
                f"BroadcastTo: shape {tuple(x.shape)} does not broadcast to {self.shape}"
            )


@hinted
def broadcast_to(x: Operand, shape: int | Sequence[int]) -> Variable:
    """Return ``x`` broadcast to ``shape`` by NumPy's rule (book step 40).

    Raises:
        ShapeError: ``x`` does not broadcast to ``shape``.
    """
    return BroadcastTo(as_shape("broadcast_to", shape))(x)


class SumTo(Function):
    """Sum x to ``shape``, the reverse of a broadcast;  gx = gy broadcast to the shape of x."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape = shape

    def forward(self, x: Array) -> Array:
        xp = get_array_module(x)
        added = x.ndim - len(self.shape)
        pairs = zip(x.shape[max(added, 0) :], self.shape, strict=False)
        if added < 0 or any(have != want != 1 for have, want in pairs):
            raise ShapeError(
                f"SumTo: shape {tuple(x.shape)} to {self.shape}: expected a shape that broadcasts "
                f"to {tuple(x.shape)}"
            )
        repeated = [added + axis for axis, length in enumerate(self.shape) if length == 1]
        axes = (*range(added), *repeated)
        total = sum_over(x, backend_of(x), axes) if axes else x
        # a view would be copied when it becomes the gradient of a leaf
        return total if added and not repeated else xp.reshape(total, self.shape)

    def backward(self, gy: Array | Variable) -> Any:
        (x,) = self.inputs
        return broadcast_to(gy, x.shape)


def sum_to(x: Operand, shape: int | Sequence[int]) -> Variable:
    """Return ``x`` summed to ``shape``, the reverse of `broadcast_to` (book step 40).

    Raises:
        ShapeError: ``shape`` does not broadcast to the shape of ``x``.
    """
    return SumTo(as_shape("sum_to", shape))(x)
