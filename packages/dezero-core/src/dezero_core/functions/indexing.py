"""Parts of an array: slices, gathers and masks."""

from __future__ import annotations

from typing import Any

from ..backends.precision import in_single
from ..backends.registry import backend_of
from ..errors import OutOfRange
from ..function import Function
from ..variable import Variable, array_of, cast

Index = Any
"""What NumPy takes between brackets: integers, slices, ``...``, None, arrays, or a tuple."""


class GetItem(Function):
    """y = x[index];  the gradient is added up where the elements came from."""

    def __init__(self, index: Index) -> None:
        self.index = index

    def forward(self, x: Any) -> Any:
        self.index = arrays_in(self.index, x)
        return backend_of(x).get_item(x, self.index)

    def backward(self, gy: Any) -> Any:
        (x,) = self.inputs
        return PutItem(self.index, x.shape)(gy)

    def diagnose(self, *arrays: Any) -> None:
        (x,) = arrays
        raise OutOfRange(f"GetItem: index {self.index} for shape {tuple(x.shape)}")


def get_item(x: Any, index: Index) -> Variable:
    """Return ``x[index]`` (book step 47).

    Args:
        x: any shape.
        index: integers, slices, ``...``, None, arrays of integers or bools (also in Variables
            or lists), or a tuple of these. An element taken several times gets the sum of
            its gradients.

    Raises:
        OutOfRange: ``x`` has no such elements.
    """
    return GetItem(index)(x)


class PutItem(Function):
    """y = zeros, with x added up at index: the transpose of taking ``y[index]``."""

    def __init__(self, index: Index, shape: tuple[int, ...]) -> None:
        self.index, self.shape = index, shape

    def forward(self, x: Any) -> Any:
        backend = backend_of(x)
        dtype, x = x.dtype, in_single(x, backend)
        y = backend.scatter_add(backend.zeros(self.shape, x), self.index, x)
        return y if y.dtype == dtype else cast(y, dtype)

    def backward(self, gy: Any) -> Any:
        return get_item(gy, self.index)


def arrays_in(index: Index, x: Any) -> Index:
    """``index`` with arrays in place of Variables and lists, on the backend of ``x``."""
    if isinstance(index, tuple):
        return tuple([arrays_in(i, x) for i in index])
    if isinstance(index, list):
        return backend_of(x).asarray(index)
    return array_of(index)
