"""Define the layers `BatchNorm` and `LayerNorm`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dezero_core import Buffer, Config, Parameter, Variable, as_variable, test_mode
from dezero_core.arguments import as_integer, as_number, as_shape, require_bool
from dezero_core.dtypes import cast
from dezero_core.errors import ArgumentError, ShapeError
from dezero_core.extend import backend_of
from dezero_core.state import PyTorchArray, default_backend
from dezero_core.variable import Operand

from ..functions import batch_norm, layer_norm
from ..functions.normalization import AllSum
from ..initializers import create_once
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

    If ``channels`` is None, all arrays are created at the first input, on the device of that
    input. Many programs call a model with one example to create all weights. Therefore the first
    input may have only one value per channel if it is the output of other layers, or under
    `no_grad`; the first pass then normalises with the running statistics. In later passes, training
    with one value per channel is an error. With ``all_sum``, the values of all processes are
    counted together, in the first pass too.

    Args:
        channels: the number of channels C; taken from the first input if None.
        eps: added to the variance (default 2e-5 as in the book; PyTorch's default is 1e-5).
        decay: factor of the old running statistics, 1 - PyTorch's momentum (default 0.9).
        affine: whether to create ``gamma`` and ``beta`` (default True).
        dtype: dtype of parameters and statistics, a name or a NumPy dtype (default float32).
        all_sum: a function that adds up a vector over the processes of data parallel training, as
            for `dezero_nn.functions.batch_norm`; None (default) normalises by each process's batch.

    Attributes:
        avg_mean, avg_var: Buffers, shape (C,): the running statistics, initially 0 and 1.
        gamma, beta: Parameters, shape (C,): standard deviation and mean of the output, initially 1
            and 0; None without ``affine``.
        all_sum: the argument ``all_sum``; a program may assign another function or None.

    Raises:
        ArgumentError: ``channels`` is less than 1, or ``decay`` or ``eps`` is not in [0, 1).
    """

    _needed, _optional = ("avg_mean", "avg_var"), ("gamma", "beta")
    decay: float = 0.9
    eps: float = 2e-5
    all_sum: AllSum | None = None

    def __init__(
        self,
        channels: int | None = None,
        *,
        eps: float = 2e-5,
        decay: float = 0.9,
        affine: bool = True,
        dtype: object = "float32",
        all_sum: AllSum | None = None,
    ) -> None:
        name = type(self).__name__
        if all_sum is not None:
            self.all_sum = all_sum
        self.dtype = parameter_dtype(name, dtype)
        self.eps, self.decay = fraction(name, "eps", eps), fraction(name, "decay", decay)
        require_bool(name, "affine", affine, "; False leaves gamma and beta out")
        self.avg_mean = Buffer(None, name="avg_mean", reduce="mean")
        self.avg_var = Buffer(None, name="avg_var", reduce="mean")
        self.gamma = Parameter(None, name="gamma") if affine else None
        self.beta = Parameter(None, name="beta") if affine else None
        self.channels = channels
        if channels is not None:
            self.channels = as_integer(name, "channels", channels, 1)
            self._init_params(host_zeros((self.channels,), self.dtype))

    def pytorch_arrays(self) -> dict[str, PyTorchArray]:
        found = {key: name for key, name in STATISTICS.items() if getattr(self, key) is not None}
        return {key: PyTorchArray((name,), (None,)) for key, name in found.items()}

    def _zeros_for(self, x: Variable) -> Any:
        """Return zeros for the channels of the first input ``x``."""
        if x.ndim < 2:
            raise ShapeError(f"BatchNorm: x {x.shape}; expected (N, C) or (N, C, ...)")
        if x.size == 0:
            raise ShapeError(f"BatchNorm: x {x.shape} has no elements to take a mean of")
        return zeros_on_device_of(x, (x.shape[1],), self.dtype)

    def _init_params(self, zeros: Any) -> None:
        """Create the parameters and statistics that do not exist yet from an array of zeros."""
        for param, value in (
            (self.avg_mean, 0.0),
            (self.avg_var, 1.0),
            (self.gamma, 1.0),
            (self.beta, 0.0),
        ):
            if param is not None and param.data is None:
                param.data = zeros + value

    def forward(self, x: Operand) -> Variable:
        x = as_variable(x)
        arrays = [
            array
            for array in (self.avg_mean, self.avg_var, self.gamma, self.beta)
            if array is not None
        ]
        if any(param.data is None for param in arrays):
            create_once(arrays, lambda: self._init_params(self._zeros_for(x)))
            is_computed = x.creator is not None or not Config.enable_backprop
            if x.size == x.shape[1] and is_computed and self.all_sum is None:
                with test_mode():  # the first pass only creates the weights, as in the book's GAN
                    return self._normalised(x)
        return self._normalised(x)

    def _normalised(self, x: Variable) -> Variable:
        """Call `dezero_nn.functions.batch_norm` with the arrays of this layer."""
        gamma = self._zeros_for(x) + 1.0 if self.gamma is None else self.gamma
        beta = self._zeros_for(x) if self.beta is None else self.beta
        running = self.avg_mean, self.avg_var
        return batch_norm(x, gamma, beta, *running, self.decay, self.eps, all_sum=self.all_sum)


class LayerNorm(Layer):
    """Normalise each example over its last axes; see `dezero_nn.functions.layer_norm`.

    Args:
        shape: lengths of the normalised axes, an integer or a sequence; the last axis of the first
            input if None.
        eps: added to the variance (default 1e-5).
        elementwise_affine: whether to create ``gamma`` and ``beta`` (default True).
        bias: whether to create ``beta`` (default True).
        dtype: dtype of the parameters, a name or a NumPy dtype (default float32).

    Attributes:
        gamma, beta: Parameters, shape ``shape``, initially 1 and 0, or None. If ``shape`` is None,
            they are created at the first input, on the device of that input.

    Raises:
        ArgumentError: ``eps`` is not in [0, 1).
    """

    _optional = ("gamma", "beta")

    def __init__(
        self,
        shape: int | Sequence[int] | None = None,
        *,
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        dtype: object = "float32",
    ) -> None:
        self.dtype = parameter_dtype(type(self).__name__, dtype)
        self.shape = None if shape is None else as_shape("LayerNorm", shape)
        for length in self.shape or ():
            as_integer("LayerNorm", "shape", length, 0)
        self.eps = fraction("LayerNorm", "eps", eps)
        require_bool(
            "LayerNorm", "elementwise_affine", elementwise_affine, "; False leaves gamma out"
        )
        require_bool("LayerNorm", "bias", bias, "; False leaves beta out")
        self.gamma = Parameter(None, name="gamma") if elementwise_affine else None
        self.beta = Parameter(None, name="beta") if elementwise_affine and bias else None
        if self.shape is not None:
            self._init_params(host_zeros(self.shape, self.dtype))

    def pytorch_arrays(self) -> dict[str, PyTorchArray]:
        shape = self.shape or (None,)
        pairs = (("gamma", self.gamma, "weight"), ("beta", self.beta, "bias"))
        return {
            key: PyTorchArray((name,), shape) for key, param, name in pairs if param is not None
        }

    def _zeros_for(self, x: Variable) -> Any:
        """Return zeros in the shape of the parameters for an input ``x``, on its device."""
        if x.ndim == 0:
            raise ShapeError("LayerNorm: x has no axes; expected (..., M)")
        return zeros_on_device_of(x, self.shape or x.shape[-1:], self.dtype)

    def _init_params(self, zeros: Any) -> None:
        """Create the parameters that do not exist yet from an array of zeros."""
        for param, value in ((self.gamma, 1.0), (self.beta, 0.0)):
            if param is not None and param.data is None:
                param.data = zeros + value

    def forward(self, x: Operand) -> Variable:
        x = as_variable(x)
        params = [param for param in (self.gamma, self.beta) if param is not None]
        if any([param.data is None for param in params]):
            create_once(params, lambda: self._init_params(self._zeros_for(x)))
        gamma = self._zeros_for(x) + 1.0 if self.gamma is None else self.gamma
        beta = self._zeros_for(x) if self.beta is None else self.beta
        return layer_norm(x, gamma, beta, self.eps)


def fraction(op: str, name: str, value: float) -> float:
    """Return an argument; raise `ArgumentError` unless it is a number in [0, 1)."""
    if not 0 <= as_number(op, name, value) < 1:
        raise ArgumentError(f"{op}: {name} {value!r} is not in [0, 1)")
    return value


def host_zeros(shape: tuple[int, ...], dtype: str) -> Any:
    """Return zeros of ``dtype`` on the default backend."""
    backend = default_backend()
    return backend.xp.zeros(shape, dtype=backend.dtype(dtype))


def zeros_on_device_of(x: Variable, shape: tuple[int, ...], dtype: str) -> Any:
    """Return zeros of ``dtype``, on the backend and device of ``x``."""
    backend = backend_of(x.data)
    return cast(backend.zeros(shape, x.data), backend.dtype(dtype))
