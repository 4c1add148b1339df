"""Select elements of an array by slices, integers and masks."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from numbers import Integral
from typing import Any

from ..backends.host import accepts_index
from ..backends.interface import Array
from ..backends.portable import is_basic
from ..backends.precision import to_single
from ..backends.registry import backend_of
from ..diagnosis import mixed_arrays_error
from ..errors import OutOfRange, UnsupportedType
from ..function import Function
from ..variable import Index, Operand, Variable, cast
from .part_sums import part_sums


class GetItem(Function):
    """y = x[index];  gy is scatter-added to the selected positions of a zero gx."""

    def __init__(self, index: Index) -> None:
        self.index = index

    def forward(self, x: Array) -> Array:
        self.index = normalize_index(self.index, x)
        return backend_of(x).get_item(x, self.index)

    def backward(self, gy: Array | Variable) -> Any:
        (x,) = self.inputs
        sums = part_sums() if self._is_ours else None  # a user's subclass may need the full gx
        if sums is None or not is_basic(self.index):
            return PutItem(self.index, x.shape)(gy)
        (variable,) = self._call_inputs()
        if sums.add(variable, x.shape, self.index, gy):
            return None
        gx = PutItem(self.index, x.shape)(gy)
        sums.own(variable, gx)
        return gx

    def diagnose(self, *arrays: Array) -> None:
        (x,) = arrays
        parts = self.index if isinstance(self.index, tuple) else (self.index,)
        foreign = [part for part in parts if backend_name(part) not in (None, backend_name(x))]
        if foreign:
            raise mixed_arrays_error(self, (x, *foreign))
        if not is_valid_index(self.index, x):
            raise OutOfRange(
                f"GetItem: index {self.index} for shape {tuple(x.shape)}: expected integers, "
                "slices, ..., None, or arrays or lists of integers or bools, within that shape"
            )


def get_item(x: Operand, index: Index) -> Variable:
    """Return ``x[index]`` (book step 47).

    The cost of backward through a loop over ``x[t]`` is linear in the number of steps, unless
    ``create_graph=True``: then each ``x[t]`` creates a gradient of the size of ``x``. With
    ``create_graph=True``, use `unstack` instead of ``x[t]``.

    Args:
        x: any shape.
        index: integers, slices, ``...``, None, arrays of integers or bools (also Variables, or
            lists, ranges and nested lists), or a tuple of these. If an element is selected multiple
            times, its gradients are summed. As in NumPy, an empty list selects nothing.

    Raises:
        OutOfRange: ``index`` is not a valid index, or is out of range for ``x``.
        BackendMismatch: ``index`` holds an array of another library.
    """
    return GetItem(index)(x)


class PutItem(Function):
    """Scatter-add x to zeros at ``index``;  gx = gy[index].  This is the transpose of `GetItem`."""

    def __init__(self, index: Index, shape: tuple[int, ...]) -> None:
        self.index, self.shape = index, shape

    def forward(self, x: Array) -> Array:
        backend = backend_of(x)
        dtype, x = x.dtype, to_single(x, backend)
        y = backend.scatter_add(backend.zeros(self.shape, x), self.index, x)
        return y if y.dtype == dtype else cast(y, dtype)

    def backward(self, gy: Array | Variable) -> Any:
        return get_item(gy, self.index)


def normalize_index(index: Index, x: Array) -> Index:
    """Return ``index`` with each sequence converted to an array of the backend of ``x``.

    Variables become their arrays, NumPy integers become ints, and bools become 0-d arrays.
    """
    if isinstance(index, tuple):
        return tuple([normalize_part(part, x) for part in index])
    return normalize_part(index, x)


def normalize_part(part: Any, x: Array) -> Any:
    """Convert one part of an index; see `normalize_index`."""
    if type(part) is int or type(part) is slice or part is None or part is Ellipsis:
        return part
    if isinstance(part, Variable):
        return part.data
    if isinstance(part, list | tuple | range):
        return integers_or_bools(part, x)
    if type(part).__name__ == "bool":  # True selects all elements, False selects none
        return backend_of(x).asarray(bool(part))
    if isinstance(part, Integral):
        return operator.index(part)
    return backend_of(part).admit(part) if hasattr(part, "dtype") else part


def backend_name(part: Any) -> str | None:
    """Return the name of the backend of an array, or None for anything else."""
    try:
        return backend_of(part).name
    except UnsupportedType:
        return None


def integers_or_bools(values: Sequence[Any], x: Array) -> Any:
    """Convert a sequence to an array of the backend of ``x`` (int64 if the sequence is empty)."""
    backend = backend_of(x)
    array = backend.asarray(list(values))
    return cast(array, backend.dtype("int64")) if 0 in array.shape else array


def is_valid_index(index: Index, x: Array) -> bool:
    """Return whether NumPy accepts ``index`` for the shape of ``x``."""
    try:
        index = normalize_index(index, x)
    except (TypeError, ValueError):  # a ragged list, for example
        return False
    parts = index if isinstance(index, tuple) else (index,)
    on_host = [
        part if backend_name(part) is None else backend_of(x).to_numpy(part) for part in parts
    ]
    return accepts_index(tuple(x.shape), tuple(on_host))
