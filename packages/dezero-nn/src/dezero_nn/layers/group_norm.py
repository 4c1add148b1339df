"""Define layers of group, instance and local response normalisation."""

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar

from dezero_core import Parameter, Variable, as_variable
from dezero_core.arguments import as_integer, as_number, require_bool
from dezero_core.errors import ShapeError
from dezero_core.state import PyTorchArray
from dezero_core.variable import Operand

from ..functions import group_norm, instance_norm, local_response_norm
from ..functions.convolutions import AXES
from ..initializers import create_once
from .layer import Layer
from .normalization import fraction, host_zeros, zeros_on_device_of
from .weighted import parameter_dtype


class ChannelAffine(Layer):
    """Base class of layers that scale and shift each channel by Parameters, if ``affine`` is True.

    Args:
        channels: the number of channels C; taken from the first input if None.
        eps: added to the variance, in [0, 1).
        affine: whether to create ``gamma`` and ``beta``.
        dtype: dtype of the parameters, a name or a NumPy dtype.
    """

    _optional = ("gamma", "beta")

    def __init__(self, channels: int | None, eps: float, affine: bool, dtype: object) -> None:
        name = type(self).__name__
        self.dtype, self.eps = parameter_dtype(name, dtype), fraction(name, "eps", eps)
        require_bool(name, "affine", affine, "; False leaves gamma and beta out")
        self.gamma = Parameter(None, name="gamma") if affine else None
        self.beta = Parameter(None, name="beta") if affine else None
        self.channels = None if channels is None else as_integer(name, "channels", channels, 1)
        self.affine = affine
        if affine and self.channels is not None:
            self._init_params(host_zeros((self.channels,), self.dtype))

    def _init_params(self, zeros: Any) -> None:
        """Create ``gamma`` and ``beta`` from an array of zeros."""
        for param, value in ((self.gamma, 1.0), (self.beta, 0.0)):
            if param is not None and param.data is None:
                param.data = zeros + value

    def pytorch_arrays(self) -> dict[str, PyTorchArray]:
        shape = (self.channels,)
        pairs = (("gamma", self.gamma, "weight"), ("beta", self.beta, "bias"))
        return {
            key: PyTorchArray((name,), shape) for key, param, name in pairs if param is not None
        }

    def normalise(self, x: Variable, gamma: Parameter | None, beta: Parameter | None) -> Variable:
        """Return ``x`` normalised, scaled by ``gamma`` and shifted by ``beta``."""
        raise NotImplementedError(f"{type(self).__name__} must define normalise")

    def forward(self, x: Operand) -> Variable:
        x = as_variable(x)
        params = [param for param in (self.gamma, self.beta) if param is not None]
        if any(param.data is None for param in params):
            self.normalise(x, None, None)  # raises an error before the parameters have a size
            zeros = partial(zeros_on_device_of, x, (x.shape[1],), self.dtype)
            create_once(params, lambda: self._init_params(zeros()))
        return self.normalise(x, self.gamma, self.beta)


class GroupNorm(ChannelAffine):
    """Normalise groups of channels of each example; see `dezero_nn.functions.group_norm`.

    Args:
        num_groups: the number of equal groups of adjacent channels.
        channels: the number of channels C; taken from the first input if None.
        eps: added to the variance (default 1e-5).
        affine: whether to create ``gamma`` and ``beta`` (default True).
        dtype: dtype of the parameters, a name or a NumPy dtype (default float32).

    Attributes:
        gamma, beta: Parameters, shape (C,), initially 1 and 0, or None.

    Raises:
        ShapeError: ``num_groups`` does not divide ``channels``.
        ArgumentError: ``eps`` is not in [0, 1), or an argument is below 1.
    """

    def __init__(
        self,
        num_groups: int,
        channels: int | None = None,
        *,
        eps: float = 1e-5,
        affine: bool = True,
        dtype: object = "float32",
    ) -> None:
        self.num_groups = as_integer("GroupNorm", "num_groups", num_groups, 1)
        super().__init__(channels, eps, affine, dtype)
        if (self.channels or 0) % self.num_groups:
            raise ShapeError(
                f"GroupNorm: num_groups {num_groups} does not divide channels {channels}"
            )

    def normalise(self, x: Variable, gamma: Parameter | None, beta: Parameter | None) -> Variable:
        return group_norm(x, self.num_groups, gamma, beta, self.eps)


class InstanceNorm(ChannelAffine):
    """Normalise each channel of each example; see `dezero_nn.functions.instance_norm`.

    The layer takes signals, images and volumes, and has no running statistics.

    Args:
        channels: the number of channels C; taken from the first input if None.
        eps: added to the variance (default 1e-5).
        affine: whether to create ``gamma`` and ``beta``. The default False is PyTorch's.
        dtype: dtype of the parameters, a name or a NumPy dtype (default float32).

    Attributes:
        gamma, beta: Parameters, shape (C,), initially 1 and 0, or None.
    """

    def __init__(
        self,
        channels: int | None = None,
        *,
        eps: float = 1e-5,
        affine: bool = False,
        dtype: object = "float32",
    ) -> None:
        super().__init__(channels, eps, affine, dtype)

    def normalise(self, x: Variable, gamma: Parameter | None, beta: Parameter | None) -> Variable:
        return instance_norm(x, gamma, beta, self.eps)


class InstanceNorm1d(InstanceNorm):
    """Normalise each channel of signals (N, C, L), with PyTorch's arguments; see `InstanceNorm`.

    Args:
        num_features: the number of channels C.
        eps: added to the variance (default 1e-5).
        affine: whether to create ``gamma`` and ``beta`` (default False).
        dtype: dtype of the parameters, a name or a NumPy dtype (default float32).
    """

    ndim: ClassVar[int] = 3

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        *,
        affine: bool = False,
        dtype: object = "float32",
    ) -> None:
        super().__init__(num_features, eps=eps, affine=affine, dtype=dtype)
        self.num_features = self.channels

    def forward(self, x: Operand) -> Variable:
        x = as_variable(x)
        if x.ndim != self.ndim or x.shape[1] != self.channels:
            axes = AXES[self.ndim - 2]
            raise ShapeError(
                f"{type(self).__name__}: x {x.shape}: expected (N, {self.channels}, {axes})"
            )
        return super().forward(x)


class InstanceNorm2d(InstanceNorm1d):
    """Normalise each channel of images (N, C, H, W); arguments as for `InstanceNorm1d`."""

    ndim: ClassVar[int] = 4


class InstanceNorm3d(InstanceNorm1d):
    """Normalise each channel of volumes (N, C, D, H, W); arguments as for `InstanceNorm1d`."""

    ndim: ClassVar[int] = 5


class LocalResponseNorm(Layer):
    """Divide by a power of the mean square of neighbouring channels; see `local_response_norm`.

    Args:
        size: the number of channels in a window.
        alpha, beta, k: numbers (defaults 1e-4, 0.75, 1.0).
    """

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> None:
        name = type(self).__name__
        self.size = as_integer(name, "size", size, 1)
        self.alpha, self.beta = as_number(name, "alpha", alpha), as_number(name, "beta", beta)
        self.k = as_number(name, "k", k)

    def forward(self, x: Operand) -> Variable:
        return local_response_norm(x, self.size, self.alpha, self.beta, self.k)
