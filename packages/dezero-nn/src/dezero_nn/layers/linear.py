"""Fully connected layer."""

from __future__ import annotations

from typing import Any

from dezero_core import Parameter, Variable, as_variable
from dezero_core.errors import ShapeError
from dezero_core.extend import backend_of, default_backend, dtype_name, host_normal

from ..functions.linear import linear
from .layer import Layer


class Linear(Layer):
    """y = x W + b (book step 44).

    Args:
        out_size: length of the last axis of the output.
        nobias: leave out ``b``.
        dtype: dtype of the parameters, by name or as NumPy's (default float32).
        in_size: length of the last axis of the input; taken from the first input if None.

    Attributes:
        W: shape (in, out), drawn from a normal distribution with variance 1 / in (LeCun et
            al., "Efficient BackProp", 1998), on the host: one seed, equal weights everywhere.
        b: shape (out,), zeros; None with ``nobias``.
    """

    def __init__(
        self,
        out_size: int,
        nobias: bool = False,
        dtype: Any = "float32",
        in_size: int | None = None,
    ) -> None:
        self.in_size, self.out_size = in_size, out_size
        self.dtype = dtype_name(dtype)
        self.W = Parameter(None, name="W")
        self.b = None if nobias else Parameter(None, name="b")
        backend = default_backend()
        if self.b is not None:
            self.b.data = backend.xp.zeros((out_size,), dtype=backend.dtype(self.dtype))
        if in_size is not None:
            self._init_W(backend)

    def _init_W(self, backend: Any) -> None:
        assert self.in_size is not None
        shape = (self.in_size, self.out_size)
        self.W.data = backend.from_numpy(host_normal(shape, self.in_size**-0.5, self.dtype))

    def forward(self, x: Any) -> Variable:
        x = as_variable(x)
        if self.W.data is None:
            if x.ndim == 0:
                raise ShapeError("Linear: x has no axes; expected (..., in)")
            self.in_size = x.shape[-1]
            self._init_W(backend_of(x.data))
        return linear(x, self.W, self.b)
