"""Define `Upsample`, `PixelShuffle` and `PixelUnshuffle`, layers that change the size of images."""

from __future__ import annotations

from collections.abc import Sequence

from dezero_core import Variable
from dezero_core.arguments import as_integer, require_bool
from dezero_core.errors import ArgumentError
from dezero_core.variable import Operand

from ..functions import interpolate, pixel_shuffle, pixel_unshuffle
from ..functions.convolutions import Sizes
from .layer import Layer


class Upsample(Layer):
    """Resize signals, images or volumes; see `dezero_nn.functions.interpolate`.

    Args:
        size: the size of the output, an integer or one for each axis.
        scale_factor: the output length divided by that of the input; give this or ``size``.
        mode: "nearest" (default), "linear", "bilinear", "trilinear", "bicubic" or "area".
        align_corners: whether the first and last elements keep their positions; not for "nearest"
            and "area".

    Raises:
        ArgumentError: neither or both of ``size`` and ``scale_factor`` are given.
    """

    def __init__(
        self,
        size: Sizes | None = None,
        scale_factor: float | Sequence[float] | None = None,
        mode: str = "nearest",
        align_corners: bool | None = None,
    ) -> None:
        if (size is None) == (scale_factor is None):
            given = "neither" if size is None else "both"
            raise ArgumentError(f"Upsample: {given} of size and scale_factor; expected one of them")
        if align_corners is not None:
            require_bool("Upsample", "align_corners", align_corners)
        self.size, self.scale_factor = size, scale_factor
        self.mode, self.align_corners = mode, align_corners

    def forward(self, x: Operand) -> Variable:
        return interpolate(x, self.size, self.scale_factor, self.mode, self.align_corners)


class PixelShuffle(Layer):
    """Move channels to space; see `dezero_nn.functions.pixel_shuffle`.

    Args:
        upscale_factor: the factor r by which height and width grow, an integer of at least 1.
    """

    def __init__(self, upscale_factor: int) -> None:
        self.upscale_factor = as_integer("PixelShuffle", "upscale_factor", upscale_factor, 1)

    def forward(self, x: Operand) -> Variable:
        return pixel_shuffle(x, self.upscale_factor)


class PixelUnshuffle(Layer):
    """Move space to channels; see `dezero_nn.functions.pixel_unshuffle`.

    Args:
        downscale_factor: the factor r by which height and width shrink, an integer of at least 1.
    """

    def __init__(self, downscale_factor: int) -> None:
        self.downscale_factor = as_integer(
            "PixelUnshuffle", "downscale_factor", downscale_factor, 1
        )

    def forward(self, x: Operand) -> Variable:
        return pixel_unshuffle(x, self.downscale_factor)
