"""Define the layers `BatchNorm` and `LayerNorm`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from dezero_core import Buffer, Config, Parameter, Variable, as_variable, test_mode
from dezero_core.arguments import as_shape
from dezero_core.dtypes import cast
from dezero_core.errors import ArgumentError, ShapeError
from dezero_core.extend import backend_of
from dezero_core.state import PyTorchArray, create_once
from dezero_core.variable import Operand

from ..functions import batch_norm, layer_norm
from .layer import Layer
from .weighted import parameter_dtype

STATISTICS = {
    "avg_mean": "running_mean",
    "avg_var": "running_var",
    "gamma": "weight",
    "beta": "bias",
}
"""A dictionary from DeZero's names of the arrays of batch normalisation to PyTorch's names."""


class BatchNorm(Layer):
    """Normalise each channel over the batch; see `dezero_nn.functions.batch_norm`.

    Attributes:
        avg_mean, avg_var: Buffers, shape (C,): the running statistics, initially 0 and 1.
        gamma, beta: Parameters, shape (C,): standard deviation and mean of the output, initially 1
            and 0.

    All four arrays are created at the first input, on the device of that input, with ``dtype``.
    Many programs call a model with one example to create all weights. Therefore the first input may
    have only one value per channel if it is the output of other layers, or under `no_grad`; the
    first pass then normalises with the running statistics. In later passes, training with one value
    per channel is an error.

    Args:
        dtype: dtype of parameters and statistics, a name or a NumPy dtype (default float32).
    """

    _needed = tuple(STATISTICS)

    def __init__(self, *, dtype: object = "float32") -> None:
        self.dtype = parameter_dtype(type(self).__name__, dtype)
        self.avg_mean, self.avg_var = Buffer(None, name="avg_mean"), Buffer(None, name="avg_var")
        self.gamma, self.beta = Parameter(None, name="gamma"), Parameter(None, name="beta")

    def pytorch_arrays(self) -> dict[str, PyTorchArray]:
        return {key: PyTorchArray((name,), (None,)) for key, name in STATISTICS.items()}

    def _init_params(self, x: Variable) -> None:
        """Create the parameters and statistics that do not exist yet."""
        if x.ndim < 2:
            raise ShapeError(f"BatchNorm: x {x.shape}; expected (N, C) or (N, C, ...)")
        if x.size == 0:
            raise ShapeError(f"BatchNorm: x {x.shape} has no elements to take a mean of")
        zeros = zeros_beside(x, (x.shape[1],), self.dtype)
        for param, value in (
            (self.avg_mean, 0.0),
            (self.avg_var, 1.0),
            (self.gamma, 1.0),
            (self.beta, 0.0),
        ):
            if param.data is None:
                param.data = zeros + value

    def forward(self, x: Operand) -> Variable:
        x = as_variable(x)
        arrays = self.avg_mean, self.avg_var, self.gamma, self.beta
        if any(param.data is None for param in arrays):
            create_once(arrays, partial(self._init_params, x))
            is_computed = x.creator is not None or not Config.enable_backprop
            if x.size == x.shape[1] and is_computed:
                with test_mode():  # the first pass only creates the weights, as in the book's GAN
                    return batch_norm(x, self.gamma, self.beta, self.avg_mean, self.avg_var)
        return batch_norm(x, self.gamma, self.beta, self.avg_mean, self.avg_var)


class LayerNorm(Layer):
    """Normalise each example over its last axes; see `dezero_nn.functions.layer_norm`.

    Args:
        shape: lengths of the normalised axes, an integer or a sequence; the last axis of the first
            input if None.
        eps: added to the variance (default 1e-5).
        dtype: dtype of the parameters, a name or a NumPy dtype (default float32).

    Raises:
        ArgumentError: ``eps`` is not in [0, 1).

    Attributes:
        gamma, beta: Parameters, shape ``shape``, initially 1 and 0, created at the first input, on
            the device of that input.
    """

    _needed = ("gamma", "beta")

    def __init__(
        self,
        shape: int | Sequence[int] | None = None,
        *,
        eps: float = 1e-5,
        dtype: object = "float32",
    ) -> None:
        self.dtype = parameter_dtype(type(self).__name__, dtype)
        if isinstance(eps, bool) or not 0 <= eps < 1:
            raise ArgumentError(f"LayerNorm: eps {eps!r} is not in [0, 1)")
        self.shape = None if shape is None else as_shape("LayerNorm", shape)
        self.eps = eps
        self.gamma, self.beta = Parameter(None, name="gamma"), Parameter(None, name="beta")

    def pytorch_arrays(self) -> dict[str, PyTorchArray]:
        shape = self.shape or (None,)
        return {
            "gamma": PyTorchArray(("weight",), shape),
            "beta": PyTorchArray(("bias",), shape),
        }

    def _init_params(self, x: Variable) -> None:
        """Create the parameters that do not exist yet."""
        if x.ndim == 0:
            raise ShapeError("LayerNorm: x has no axes; expected (..., M)")
        zeros = zeros_beside(x, self.shape or x.shape[-1:], self.dtype)
        for param, value in ((self.gamma, 1.0), (self.beta, 0.0)):
            if param.data is None:
                param.data = zeros + value

    def forward(self, x: Operand) -> Variable:
        x = as_variable(x)
        if self.gamma.data is None or self.beta.data is None:
            create_once((self.gamma, self.beta), partial(self._init_params, x))
        return layer_norm(x, self.gamma, self.beta, self.eps)


def zeros_beside(x: Variable, shape: tuple[int, ...], dtype: str) -> Any:
    """Return zeros of ``dtype``, on the backend and device of ``x``."""
    backend = backend_of(x.data)
    return cast(backend.zeros(shape, x.data), backend.dtype(dtype))
