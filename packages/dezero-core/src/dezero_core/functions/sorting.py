"""Sort arrays, and select the largest elements."""

from __future__ import annotations

from typing import Any

from ..arguments import as_integer, require_bool
from ..backends.interface import Array
from ..backends.registry import backend_of
from ..errors import ArgumentError
from ..function import Function
from ..hints import hinted
from ..variable import AnyArray, Operand, Variable, cast, get_array_module, unwrap
from .gathering import take_along_axis
from .shape import with_axis


def order_of(x: Array, axis: int, descending: bool, stable: bool) -> Any:
    """Return the indices that sort ``x`` along an axis; a stable order keeps ties in order."""
    backend = backend_of(x)
    xp = backend.xp
    if xp.isdtype(x.dtype, "bool"):
        x = cast(x, xp.uint8)
    if not descending:
        return backend.argsort(x, axis, stable)
    # The array libraries sort upwards. Reverse x before and the order after, to keep ties in order.
    upwards = backend.argsort(xp.flip(x, axis=axis), axis, stable)
    return x.shape[axis] - 1 - xp.flip(upwards, axis=axis)


class Sort(Function):
    """y = x in sorted order along an axis;  gx = gy in the original order."""

    def __init__(self, axis: int, descending: bool, stable: bool) -> None:
        self.axis, self.descending, self.stable = axis, descending, stable

    def forward(self, x: Array) -> Array:
        self.order = order_of(x, self.axis, self.descending, self.stable)
        y: Array = get_array_module(x).take_along_axis(x, self.order, axis=self.axis)
        return y

    def backward(self, gy: AnyArray) -> Any:
        inverse = backend_of(self.order).argsort(self.order, self.axis, False)
        return take_along_axis(gy, inverse, self.axis)


@hinted
def sort(x: Operand, axis: int = -1, descending: bool = False, stable: bool = True) -> Variable:
    """Return the elements of ``x`` sorted along ``axis``, as in the array API standard.

    PyTorch's ``sort`` returns the indices too; they are ``argsort(x)``.

    Args:
        x: an array with at least one axis. NaN counts as larger than every number.
        axis: the axis to sort along; the last (default).
        descending: whether to begin with the largest element (default False).
        stable: whether equal elements keep their order (default True), which decides which of
            them gets which gradient. False may be faster.

    Raises:
        ShapeError: ``axis`` is out of range.
        ArgumentTypeError: ``axis`` is not an integer, or ``descending`` or ``stable`` not a bool.
    """
    array, axis = with_axis("sort", x, axis)
    require_bool("sort", "descending", descending)
    require_bool("sort", "stable", stable)
    return Sort(axis, descending, stable)(array)


class ArgSort(Sort):
    """y = the indices that sort x along an axis;  there is no derivative."""

    def forward(self, x: Array) -> Any:
        return order_of(x, self.axis, self.descending, self.stable)


@hinted
def argsort(x: Operand, axis: int = -1, descending: bool = False, stable: bool = True) -> Variable:
    """Return the indices that sort ``x`` along ``axis``; no gradient flows through them.

    The arguments and errors are those of `sort`.
    """
    array, axis = with_axis("argsort", x, axis)
    require_bool("argsort", "descending", descending)
    require_bool("argsort", "stable", stable)
    return ArgSort(axis, descending, stable)(unwrap(array))


class TopIndices(Function):
    """y = the indices of the k largest or smallest elements of x;  there is no derivative."""

    def __init__(self, k: int, axis: int, largest: bool) -> None:
        self.k, self.axis, self.largest = k, axis, largest

    def forward(self, x: Array) -> Any:
        k, axis, xp = self.k, self.axis, get_array_module(x)
        can_select = hasattr(xp, "argpartition") and 0 < k < x.shape[axis]
        if can_select and backend_of(x).can_read(x):  # `omits_ties` reads values
            selected = self.partitioned(x, xp)
            values = xp.take_along_axis(x, selected, axis=axis)
            order = order_of(values, axis, self.largest, True)
            if not self.omits_ties(x, values, xp):
                return xp.take_along_axis(selected, order, axis=axis)
        order = order_of(x, axis, self.largest, True)
        return order[(*[slice(None)] * axis, slice(None, k), ...)]

    def partitioned(self, x: Array, xp: Any) -> Any:
        """Return k indices of largest or smallest elements, in linear time, by NumPy or CuPy."""
        k, axis, n = self.k, self.axis, x.shape[self.axis]
        indices = xp.argpartition(x, n - k if self.largest else k - 1, axis=axis)
        part = slice(n - k, None) if self.largest else slice(None, k)
        return xp.sort(indices[(*[slice(None)] * axis, part, ...)], axis=axis)

    def omits_ties(self, x: Array, values: Array, xp: Any) -> bool:
        """Return whether an element that is not in ``values`` equals the last of ``values``."""
        last = (xp.min if self.largest else xp.max)(values, axis=self.axis, keepdims=True)
        every, found = (xp.sum(part == last, axis=self.axis) for part in (x, values))
        return bool(xp.any(every != found))


@hinted
def topk(x: Operand, k: int, axis: int = -1, *, largest: bool = True) -> tuple[Variable, Variable]:
    """Return the ``k`` largest elements of ``x`` along ``axis`` in descending order.

    Of equal elements, those with the lowest indices are selected.

    Args:
        x: an array with at least one axis. NaN counts as larger than every number.
        k: the number of elements, from 0 to the length of ``axis``.
        axis: the axis to select along; the last (default).
        largest: False returns the ``k`` smallest elements in ascending order (default True).

    Returns:
        the elements and their indices, both with length ``k`` along ``axis``. Gradients flow to the
        selected elements.

    Raises:
        ArgumentError: ``k`` is negative, or larger than the length of ``axis``.
        ArgumentTypeError: ``k`` or ``axis`` is not an integer, or ``largest`` not a bool.
        ShapeError: ``axis`` is out of range.
    """
    (array, axis), k = with_axis("topk", x, axis), as_integer("topk", "k", k, 0)
    require_bool("topk", "largest", largest)
    n = array.shape[axis]
    if k > n:
        raise ArgumentError(
            f"topk: k {k} for axis {axis} of shape {tuple(array.shape)}: expected at most {n}"
        )
    indices: Variable = TopIndices(k, axis, largest)(unwrap(array))
    return take_along_axis(array, indices, axis), indices
