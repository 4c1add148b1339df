"""Define rotary position embedding, which rotates pairs of channels by angles that grow with t."""

from __future__ import annotations

from functools import partial
from typing import Any

from dezero_core import Function, Variable, as_variable, get_array_module
from dezero_core.arguments import as_number, require_bool
from dezero_core.diagnosis import broadcast_shape
from dezero_core.dtypes import as_floating, call_widened, cast, to_floating
from dezero_core.errors import ArgumentError, ShapeError
from dezero_core.extend import Array, backend_of
from dezero_core.hints import hinted
from dezero_core.variable import AnyArray, Operand

from .labels import require_library


class Rotary(Function):
    """(a, b) becomes (a cos - b sin, b cos + a sin);  dL/dx = gy rotated by the negative angles.

    The pairs (a, b) are the channels (i, i + D/2), or (2 i, 2 i + 1) if ``interleaved``.
    """

    def __init__(self, cos: Array, sin: Array, interleaved: bool) -> None:
        self.cos, self.sin, self.interleaved = cos, sin, interleaved

    def forward(self, x: Array) -> Any:
        xp, half = get_array_module(x), x.shape[-1] // 2
        a, b = (x[..., ::2], x[..., 1::2]) if self.interleaved else (x[..., :half], x[..., half:])
        rotated = a * self.cos - b * self.sin, b * self.cos + a * self.sin
        if self.interleaved:
            return xp.reshape(xp.stack(rotated, axis=-1), x.shape)
        return xp.concat(rotated, axis=-1)

    def backward(self, gy: AnyArray) -> Any:
        return Rotary(self.cos, -self.sin, self.interleaved)(gy)


@hinted
def rotary(
    x: Operand,
    positions: Operand | None = None,
    base: float = 10000.0,
    interleaved: bool = False,
) -> Variable:
    """Rotate the channels of queries or keys by angles in proportion to their positions.

    Pair i of position t is rotated by ``t * base ** (-2 * i / D)``. The product of a query and a
    key then depends on the difference of their positions only. Su et al., "RoFormer", 2021.

    Args:
        x: shape (..., T, D), where D is even.
        positions: numbers that broadcast to (..., T), such as shape (T,); default 0 to T - 1.
        base: the angles of the last pair are about 1 / base of those of the first pair (default
            10000.0).
        interleaved: whether the pairs are (2 i, 2 i + 1), as in the paper, or (i, i + D/2), as in
            Hugging Face's Llama (default). Trained weights fit only one of the two.

    Returns:
        shape (..., T, D).

    Raises:
        ShapeError: D is odd, or ``positions`` does not broadcast to (..., T).
        ArgumentError: ``base`` is not above 0.
    """
    x, base = as_variable(as_floating(x)), as_number("rotary", "base", base)
    require_bool("rotary", "interleaved", interleaved)
    if x.ndim < 2 or x.shape[-1] % 2:
        raise ShapeError(f"rotary: x {x.shape}; expected (..., T, D) with an even D")
    if not base > 0:
        raise ArgumentError(f"rotary: base {base} is not above 0")
    backend = backend_of(x.data)
    at = backend.arange(x.shape[-2], x.data) if positions is None else as_variable(positions).data
    require_library("rotary", "positions", at, x.data)
    if broadcast_shape(at.shape, x.shape[:-1]) != x.shape[:-1]:
        raise ShapeError(f"rotary: positions {at.shape} do not broadcast to {x.shape[:-1]}")
    return call_widened(partial(rotate, at=at, base=base, interleaved=interleaved), x)


def rotate(x: Variable, at: Array, base: float, interleaved: bool) -> Any:
    """Rotate ``x`` by its positions ``at``; the angles are computed in float64 if possible."""
    backend, D = backend_of(x.data), x.shape[-1]
    wide: Any = to_floating(backend.arange(D // 2, x.data))
    angles = to_floating(at)[..., None] * base ** (wide * (-2.0 / max(D, 1)))
    xp = backend.xp
    cos, sin = (cast(array, x.dtype) for array in (xp.cos(angles), xp.sin(angles)))
    return Rotary(cos, sin, interleaved)(x)
