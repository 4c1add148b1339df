"""Define `RMSNorm`, which divides each example by its root mean square."""

from __future__ import annotations

from typing import Any

from dezero_core import Parameter, Variable, as_variable
from dezero_core.arguments import as_integer, as_number
from dezero_core.errors import ArgumentError, ShapeError
from dezero_core.state import PyTorchArray
from dezero_core.variable import Operand

from ..functions import rms_norm
from ..initializers import create_once
from .layer import Layer
from .normalization import host_zeros, zeros_on_device_of
from .weighted import parameter_dtype


class RMSNorm(Layer):
    """Divide each example by its root mean square; see `dezero_nn.functions.rms_norm`.

    Args:
        size: length C of the last axis; taken from the first input if None.
        eps: added to the mean of the squares (default 1e-6).
        dtype: dtype of ``gamma``, a name or a NumPy dtype (default float32).

    Attributes:
        gamma: Parameter, shape (C,), initially 1. If ``size`` is None, ``gamma`` is created at the
            first input.

    Raises:
        ArgumentError: ``eps`` is not in [0, 1), or ``size`` is below 1.
    """

    _needed = ("gamma",)

    def __init__(
        self, size: int | None = None, *, eps: float = 1e-6, dtype: object = "float32"
    ) -> None:
        self.dtype = parameter_dtype("RMSNorm", dtype)
        self.size = None if size is None else as_integer("RMSNorm", "size", size, 1)
        self.eps = as_number("RMSNorm", "eps", eps)
        if not 0 <= self.eps < 1:
            raise ArgumentError(f"RMSNorm: eps {eps!r} is not in [0, 1)")
        self.gamma = Parameter(None, name="gamma")
        if self.size is not None:
            self._init_params(host_zeros((self.size,), self.dtype))

    def pytorch_arrays(self) -> dict[str, PyTorchArray]:
        return {"gamma": PyTorchArray(("weight",), (self.size,))}

    def _init_params(self, zeros: Any) -> None:
        """Create ``gamma``, an array of ones, from an array of zeros."""
        self.gamma.data = zeros + 1.0

    def forward(self, x: Operand) -> Variable:
        x = as_variable(x)
        if x.ndim == 0 or self.size not in (None, x.shape[-1]):
            raise ShapeError(f"RMSNorm: x {x.shape}; expected (..., {self.size or 'C'})")
        if self.gamma.data is None:
            create_once(
                (self.gamma,),
                lambda: self._init_params(zeros_on_device_of(x, x.shape[-1:], self.dtype)),
            )
        return rms_norm(x, self.gamma, self.eps)
