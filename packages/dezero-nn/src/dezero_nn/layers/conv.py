"""Convolutional layer."""

from __future__ import annotations

from typing import Any

from dezero_core import Parameter, Variable, as_variable
from dezero_core.errors import ShapeError
from dezero_core.extend import backend_of, default_backend, dtype_name, host_normal

from ..functions import conv2d
from ..windows import Pair, pair
from .layer import Layer


class Conv2d(Layer):
    """y = W slid over x, + b (book step 57).

    Args:
        out_channels: number of filters.
        kernel_size: size of the filters, an integer or a pair (KH, KW).
        stride: steps between applications, an integer or a pair.
        pad: zeros around the images, an integer or a pair.
        nobias: leave out ``b``.
        dtype: dtype of the parameters, by name or as NumPy's (default float32).
        in_channels: channels of the images; taken from the first input if None.

    Attributes:
        W: shape (OC, C, KH, KW), drawn from a normal distribution with variance
            1 / (C KH KW) on the host: one seed, equal weights everywhere.
        b: shape (OC,), zeros; None with ``nobias``.
    """

    def __init__(
        self,
        out_channels: int,
        kernel_size: int | Pair,
        stride: int | Pair = 1,
        pad: int | Pair = 0,
        nobias: bool = False,
        dtype: Any = "float32",
        in_channels: int | None = None,
    ) -> None:
        self.in_channels, self.out_channels = in_channels, out_channels
        self.kernel_size, self.stride, self.pad = pair(kernel_size), pair(stride), pair(pad)
        self.dtype = dtype_name(dtype)
        self.W = Parameter(None, name="W")
        self.b = None if nobias else Parameter(None, name="b")
        backend = default_backend()
        if self.b is not None:
            self.b.data = backend.xp.zeros((out_channels,), dtype=backend.dtype(self.dtype))
        if in_channels is not None:
            self._init_W(backend)

    def _init_W(self, backend: Any) -> None:
        assert self.in_channels is not None
        KH, KW = self.kernel_size
        shape = (self.out_channels, self.in_channels, KH, KW)
        scale = (self.in_channels * KH * KW) ** -0.5
        self.W.data = backend.from_numpy(host_normal(shape, scale, self.dtype))

    def forward(self, x: Any) -> Variable:
        x = as_variable(x)
        if self.W.data is None:
            if x.ndim != 4:
                raise ShapeError(f"Conv2d: x {x.shape}: images have the shape (N, C, H, W)")
            self.in_channels = x.shape[1]
            self._init_W(backend_of(x.data))
        return conv2d(x, self.W, self.b, self.stride, self.pad)
