"""Define batch normalisation under PyTorch's names, with PyTorch's arguments and defaults."""

from __future__ import annotations

from typing import ClassVar

from dezero_core import Variable, as_variable
from dezero_core.arguments import as_number
from dezero_core.errors import ArgumentError, ShapeError
from dezero_core.variable import Operand

from .normalization import BatchNorm


class BatchNorm1d(BatchNorm):
    """Normalise each channel of (N, C) or (N, C, L), as `BatchNorm` does.

    Args:
        num_features: the number of channels C.
        eps: added to the variance (default 1e-5).
        momentum: factor of the new statistics, 1 - ``decay`` of `BatchNorm` (default 0.1).
        affine: whether to create ``gamma`` and ``beta`` (default True).
        dtype: dtype of parameters and statistics, a name or a NumPy dtype (default float32).

    Raises:
        ArgumentError: ``num_features`` is less than 1, ``eps`` is not in [0, 1), or ``momentum`` is
            not in (0, 1].
    """

    forms: ClassVar[dict[int, str]] = {2: "(N, C)", 3: "(N, C, L)"}

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = True,
        *,
        dtype: object = "float32",
    ) -> None:
        name = type(self).__name__
        self.momentum = as_number(name, "momentum", momentum)
        if not 0 < self.momentum <= 1:
            raise ArgumentError(f"{name}: momentum {momentum!r} is not in (0, 1]")
        decay = 1 - self.momentum
        super().__init__(num_features, eps=eps, decay=decay, affine=affine, dtype=dtype)
        self.num_features = self.channels

    def forward(self, x: Operand) -> Variable:
        x = as_variable(x)
        if x.ndim not in self.forms:
            forms = " or ".join(self.forms.values())
            raise ShapeError(f"{type(self).__name__}: x {x.shape}; expected {forms}")
        return super().forward(x)


class BatchNorm2d(BatchNorm1d):
    """Normalise each channel of images (N, C, H, W); arguments as for `BatchNorm1d`."""

    forms: ClassVar[dict[int, str]] = {4: "(N, C, H, W)"}


class BatchNorm3d(BatchNorm1d):
    """Normalise each channel of volumes (N, C, D, H, W); arguments as for `BatchNorm1d`."""

    forms: ClassVar[dict[int, str]] = {5: "(N, C, D, H, W)"}
