"""The same values in another dtype."""

from __future__ import annotations

from typing import Any

from ..function import Function
from ..variable import Variable, cast


class AsType(Function):
    """y = x in another dtype;  the gradient goes back to the dtype of x."""

    def __init__(self, dtype: Any) -> None:
        self.dtype = dtype

    def forward(self, x: Any) -> Any:
        return cast(x, self.dtype)

    def backward(self, gy: Any) -> Any:
        (x,) = self.inputs
        return astype(gy, x.dtype)


def astype(x: Any, dtype: Any) -> Variable:
    """Return ``x`` converted to ``dtype``, a dtype of its array library."""
    return AsType(dtype)(x)
