"""Select elements along one axis, and add values at selected positions."""

from __future__ import annotations

from typing import Any

from ..backends.interface import Array
from ..backends.registry import backend_of
from ..diagnosis import broadcast_shape, shape_of
from ..errors import NONE_IS_NO_ARRAY, OutOfRange, ShapeError, UnsupportedType
from ..function import Function
from ..hints import hinted
from ..variable import Index, Operand, Variable, get_array_module, unwrap
from .broadcast import broadcast_to
from .indexing import PutItem, get_item, normalize_index
from .shape import require_array, reshape, with_axis


@hinted
def take(x: Operand, indices: Index, axis: int | None = None) -> Variable:
    """Return the elements of ``x`` at ``indices`` along one axis.

    Args:
        x: any shape.
        indices: integers, an array or a list of any shape; negative values count from the end.
        axis: an integer; None (default) flattens ``x`` first.

    Returns:
        the shape of ``x`` with ``axis`` replaced by the axes of ``indices``.

    Raises:
        ShapeError: ``axis`` is out of range.
        OutOfRange: an index is out of range, or is not an integer.
        ArgumentTypeError: ``axis`` is not an integer.
    """
    if indices is None:  # in NumPy, indexing with None would add an axis
        raise UnsupportedType(f"take: indices: {NONE_IS_NO_ARRAY}")
    if axis is None:
        return get_item(reshape(x, (-1,)), indices)
    array, axis = with_axis("take", x, axis)
    return get_item(array, (*[slice(None)] * axis, indices))


class TakeAlongAxis(Function):
    """y[i, j, k] = x[i, indices[i, j, k], k];  gy is scatter-added to these positions of gx."""

    def __init__(self, axis: int) -> None:
        self.axis = axis

    def forward(self, x: Array, indices: Array) -> Array:
        if indices.ndim != x.ndim:
            self.diagnose(x, indices)
        backend, last = backend_of(x), x.ndim - 1
        index = [
            backend.xp.reshape(backend.arange(n, x), (-1, *(1,) * (last - axis)))
            for axis, n in enumerate(x.shape)
        ]
        index[self.axis] = indices
        self.index = tuple(index)
        return backend.get_item(x, self.index)

    def backward(self, gy: Array | Variable) -> Any:
        x, _ = self.inputs
        return PutItem(self.index, x.shape)(gy), None

    def diagnose(self, *arrays: Array) -> None:
        x, indices = map(shape_of, arrays)
        what = f"TakeAlongAxis: x of shape {x}, indices of shape {indices}, axis {self.axis}"
        others = [[*shape[: self.axis], *shape[self.axis + 1 :]] for shape in (x, indices)]
        if len(x) != len(indices) or broadcast_shape(*others) is None:
            raise ShapeError(
                f"{what}: the numbers of axes must be equal, and the other axes must broadcast"
            )
        n, index, xp = x[self.axis], arrays[1], get_array_module(arrays[1])
        if 0 not in indices and (xp.min(index) < -n or xp.max(index) >= n):
            raise OutOfRange(f"{what}: an index is out of range; expected indices in [{-n}, {n})")


@hinted
def take_along_axis(x: Operand, indices: Operand, axis: int = -1) -> Variable:
    """Return the elements of ``x`` at ``indices`` along an axis, one index for each element.

    For a matrix and axis 1, ``y[i, j] = x[i, indices[i, j]]``. Thus the results of ``argsort`` and
    ``argmax(keepdims=True)`` select elements. An element that is selected multiple times gets the
    sum of the gradients.

    Args:
        x: an array with at least one axis.
        indices: integers, with as many axes as ``x``; axes other than ``axis`` broadcast. Negative
            values count from the end. No gradient flows to the indices.
        axis: the axis to select along; the last (default).

    Raises:
        ShapeError: the shapes do not match, or ``axis`` is out of range.
        OutOfRange: an index is out of range.
        UnsupportedType: ``indices`` is not an array of integers.
    """
    array, axis = with_axis("take_along_axis", x, axis)
    indices = unwrap(indices)
    if not is_integral(indices):
        found = getattr(indices, "dtype", type(indices).__name__)
        raise UnsupportedType(f"take_along_axis: indices of {found}: expected an integer array")
    return TakeAlongAxis(axis)(array, indices)


def is_integral(x: Any) -> bool:
    """Return whether ``x`` is an array of integers."""
    return hasattr(x, "dtype") and bool(backend_of(x).xp.isdtype(x.dtype, "integral"))


def add_at(x: Operand, index: Index, values: Operand) -> Variable:
    """Return ``x`` with ``values`` added at ``x[index]``, like ``torch.index_add``.

    If ``index`` selects an element multiple times, all values for this element are added, as
    ``numpy.add.at`` does; ``x`` itself is not changed. The gradient of ``values`` is ``gy[index]``.

    Args:
        x: any shape.
        index: an index of ``x``, as for `get_item`; for rows, an array of integers.
        values: a number, array or Variable that broadcasts to the shape of ``x[index]``.

    Raises:
        OutOfRange: ``index`` is not a valid index, or is out of range for ``x``.
        ShapeError: ``values`` does not broadcast to the shape of ``x[index]``.
    """
    array, added = require_array("add_at", x), require_array("add_at", values)
    plain = unwrap(array)
    shape = get_item(plain, index).shape  # also checks the index
    if broadcast_shape(added.shape, shape) != tuple(shape):
        raise ShapeError(
            f"add_at: values {tuple(added.shape)} do not broadcast to {tuple(shape)}, the shape "
            "of x[index]"
        )
    rows = broadcast_to(added, shape)
    return array + PutItem(normalize_index(index, plain), plain.shape)(rows)
