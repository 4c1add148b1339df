"""Select elements of an array by slices, integers and masks."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from numbers import Integral
from typing import Any

from ..backends.interface import Array
from ..backends.portable import is_basic
from ..backends.precision import to_single
from ..backends.registry import admit, backend_of
from ..diagnosis import mixed
from ..errors import OutOfRange, UnsupportedType
from ..function import Function
from ..variable import Index, Operand, Variable, cast, get_array_module
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
        sums = part_sums() if self._is_ours else None  # a subclass may use the returned gradient
        if sums is None or not is_basic(self.index):
            return PutItem(self.index, x.shape)(gy)
        (variable,) = self._given()
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
            raise mixed(self, (x, *foreign))
        if is_out_of_range(self.index, x):
            raise OutOfRange(
                f"GetItem: index {self.index} for shape {tuple(x.shape)}: expected integers, "
                "slices, ..., None, or arrays or lists of integers or bools, within that shape"
            )


def get_item(x: Operand, index: Index) -> Variable:
    """Return ``x[index]`` (book step 47).

    In a plain backward, the cost of a loop over ``x[t]`` is linear in the number of steps. With
    ``create_graph=True`` each ``x[t]`` needs a gradient of the size of ``x``; use `unstack` there.

    Args:
        x: any shape.
        index: integers, slices, ``...``, None, arrays of integers or bools (also Variables, or
            lists, ranges and nested lists), or a tuple of these. An element selected several
            times gets the sum of its gradients. As in NumPy, an empty list selects nothing.

    Raises:
        OutOfRange: ``index`` is not an index, or is out of range for ``x``.
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
    if type(part).__name__ == "bool":  # Python's or NumPy's: it selects everything or nothing
        return backend_of(x).asarray(bool(part))
    if isinstance(part, Integral):
        return operator.index(part)
    return admit(part) if hasattr(part, "dtype") else part


def backend_name(part: Any) -> str | None:
    """Return the name of the backend of an array, or None for anything else."""
    try:
        return backend_of(part).name
    except UnsupportedType:
        return None


def integers_or_bools(values: Sequence[Any], x: Array) -> Any:
    """Convert a sequence to an array of the backend of ``x``; an empty one becomes int64."""
    backend = backend_of(x)
    array = backend.asarray(list(values))
    return cast(array, backend.dtype("int64")) if 0 in array.shape else array


def is_out_of_range(index: Index, x: Array) -> bool:
    """Return whether ``index`` is invalid or out of range for the array ``x``."""
    try:
        index = normalize_index(index, x)
    except (TypeError, ValueError):  # such as a ragged list
        return True
    shape = tuple(x.shape)
    parts = [part for part in (index if isinstance(index, tuple) else (index,)) if part is not None]
    used = [axes_used(part) for part in parts]
    skipped = len(shape) - sum(used)  # the axes that an ellipsis stands for
    if skipped < 0:
        return True
    axis = 0
    for part, count in zip(parts, used, strict=True):
        if is_part_out_of_range(part, shape[axis : axis + count]):
            return True
        axis += skipped if part is Ellipsis else count
    return False


def is_mask(part: Index) -> bool:
    """Return whether a part of an index is an array of bools, or a bool."""
    return isinstance(part, bool) or str(getattr(part, "dtype", "")).endswith("bool")


def axes_used(part: Index) -> int:
    """Return how many axes of the array a part of an index selects from."""
    return getattr(part, "ndim", 0) if part is Ellipsis or is_mask(part) else 1


def is_part_out_of_range(part: Any, lengths: tuple[int, ...]) -> bool:
    """Return whether a part of an index is out of range for axes of these lengths."""
    if is_mask(part):
        return tuple(getattr(part, "shape", ())) != lengths
    if part is Ellipsis or isinstance(part, slice):
        return False
    if backend_name(part) is None:
        if not isinstance(part, Integral):
            return True
        lowest = highest = int(part)
    else:
        xp = get_array_module(part)
        if not xp.isdtype(part.dtype, "integral"):
            return 0 not in part.shape
        if 0 in part.shape:
            return False
        lowest, highest = int(xp.min(part)), int(xp.max(part))
    return lowest < -lengths[0] or highest >= lengths[0]
