"""Define transposed convolutions under PyTorch's names, with PyTorch's arguments and defaults."""

from __future__ import annotations

from dezero_core.arguments import require_bool

from ..functions.convolutions import (
    Sizes,
    conv_transpose1d,
    conv_transpose2d,
    conv_transpose3d,
)
from ..initializers import Initializer
from .conv import TransposedConvolution


class ConvTranspose(TransposedConvolution):
    """Base class of `ConvTranspose1d`, `ConvTranspose2d` and `ConvTranspose3d`.

    The layers compute what `Deconv1d`, `Deconv2d` and `Deconv3d` do.

    Args:
        in_channels, out_channels: channels of the input and of the output.
        kernel_size: the size of the filters, an integer or one for each axis.
        stride: elements of the output from one element of the input to the next (default 1).
        padding: elements that are cut off on each side of the output (default 0).
        output_padding: elements added at the end of each axis, less than ``stride`` (default 0).
        groups: the number of groups of channels that are convolved separately (default 1).
        bias: whether to create ``b`` (default True).
        dilation: elements from one kernel position to the next (default 1).
        dtype: dtype of the parameters, a name or a NumPy dtype (default float32).
        initializer: draws ``W`` (default `dezero_nn.initializers.LeCun`).
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Sizes,
        stride: Sizes = 1,
        padding: Sizes = 0,
        output_padding: Sizes = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Sizes = 1,
        *,
        dtype: object = "float32",
        initializer: Initializer | None = None,
    ) -> None:
        require_bool(type(self).__name__, "bias", bias, "; False leaves the bias out")
        super().__init__(
            out_channels,
            kernel_size,
            stride=stride,
            pad=padding,
            nobias=not bias,
            dtype=dtype,
            in_channels=in_channels,
            dilation=dilation,
            groups=groups,
            initializer=initializer,
            output_padding=output_padding,
        )
        self.padding = self.pad


class ConvTranspose1d(ConvTranspose):
    """Apply the transpose of a convolution of signals (N, C, L); see `ConvTranspose`."""

    axes, function = 1, staticmethod(conv_transpose1d)


class ConvTranspose2d(ConvTranspose):
    """Apply the transpose of a convolution of images (N, C, H, W); see `ConvTranspose`."""

    axes, function = 2, staticmethod(conv_transpose2d)


class ConvTranspose3d(ConvTranspose):
    """Apply the transpose of a convolution of volumes (N, C, D, H, W); see `ConvTranspose`."""

    axes, function = 3, staticmethod(conv_transpose3d)
