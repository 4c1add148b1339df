"""Run recurrent layers over padded sequences whose lengths differ."""

from __future__ import annotations

from typing import Any

from dezero_core import Function, Variable, get_array_module
from dezero_core.dtypes import as_floating, cast
from dezero_core.errors import ArgumentError, ArgumentTypeError, ShapeError
from dezero_core.extend import Array, backend_of, unwrap
from dezero_core.functions import concat, where
from dezero_core.state import default_backend, match_device
from dezero_core.variable import AnyArray

CLOSED = 1e4
"""Added to the input of a sigmoid, this number makes it exactly 0 or 1 in every floating dtype."""


class ReverseSteps(Function):
    """y[t, n] = x[index[t, n], n];  gx[t, n] = gy[index[t, n], n], as the order is its own inverse.

    Args:
        index, columns: integers of shape (T, N), the step and the number of each sequence.
    """

    def __init__(self, index: Array, columns: Array) -> None:
        self.index, self.columns = index, columns

    def forward(self, x: Array) -> Array:
        return backend_of(x).get_item(x, (self.index, self.columns))

    def backward(self, gy: AnyArray) -> Any:
        return ReverseSteps(self.index, self.columns)(gy)


class Lengths:
    """The lengths of N padded sequences of T steps, and masks and indices computed from them.

    Args:
        op: the name of the layer, for error messages.
        lengths: N integers from 1 to T.
        x: the padded sequences, shape (T, N, ...).

    Raises:
        ShapeError, ArgumentTypeError, ArgumentError: ``lengths`` does not have the shape (N,), is
            not of integers, or has an integer that is not in [1, T].
    """

    def __init__(self, op: str, lengths: Any, x: Variable) -> None:
        (T, N), array = x.shape[:2], require_lengths(op, lengths, x)
        backend, xp = backend_of(array), get_array_module(array)
        steps, self._last = xp.reshape(backend.arange(T, array), (T, 1)), array - 1
        self._columns = backend.arange(N, array)
        valid = steps < array
        self._index = xp.where(valid, self._last - steps, steps)
        self.valid = xp.reshape(valid, (T, N, 1))

    def masked(self, x: Variable) -> Variable:
        """Return ``x`` with zeros after the end of each sequence."""
        return where(self.valid, x, 0)

    def reverse(self, x: Variable) -> Variable:
        """Reverse the steps of each sequence of ``x``; the padding stays at the end."""
        xp = get_array_module(self._columns)
        columns = xp.broadcast_to(self._columns, self._index.shape)
        return ReverseSteps(self._index, columns)(x)

    def last_step(self, hs: Variable) -> Variable:
        """Return the row of ``hs`` at the last step of each sequence, shape (N, H)."""
        return hs[self._last, self._columns]

    def close_gates(self, x: Variable, Wx: Variable) -> tuple[Variable, Variable]:
        """Return x and Wx of `lstm` with one more column, which keeps c after the end of sequences.

        After the end, the column makes the gate i exactly 0 and the gate f exactly 1.
        """
        zeros = backend_of(Wx.data).zeros((Wx.shape[0] // 4, 1), Wx.data)
        column = concat([zeros - CLOSED, zeros + CLOSED, zeros, zeros])
        is_padding = as_floating(~self.valid, Wx)
        return concat([as_floating(x, Wx), is_padding], axis=-1), concat([Wx, column], axis=1)


def require_lengths(op: str, lengths: Any, x: Variable) -> Array:
    """Return checked lengths of the sequences ``x`` as an array on the device of ``x``.

    Only the shape and the dtype are checked if the values cannot be read without waiting, as on
    accelerators and in traced graphs; see `ArrayBackend.can_read`.
    """
    is_list = isinstance(lengths, list | tuple | int | float)
    array = default_backend().asarray(lengths) if is_list else unwrap(lengths)
    backend, xp, (T, N) = backend_of(array), get_array_module(array), x.shape[:2]
    if tuple(array.shape) != (N,):
        raise ShapeError(f"{op}: lengths {tuple(array.shape)}; expected ({N},), as x is {x.shape}")
    if not xp.isdtype(array.dtype, "integral"):
        raise ArgumentTypeError(f"{op}: lengths of {array.dtype}; expected integers")
    if N > 0 and backend.can_read(array):
        lowest, highest = int(xp.min(array)), int(xp.max(array))
        if lowest < 1 or highest > T:
            raise ArgumentError(
                f"{op}: lengths has {lowest if lowest < 1 else highest}; expected integers from 1 "
                f"to {T}, the number of steps of x {x.shape}"
            )
    return match_device(cast(array, xp.int64), x.data)
