"""Define the layers of convolutions and transposed convolutions over one, two and three axes."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar

from dezero_core import Variable, as_variable
from dezero_core.arguments import as_integer
from dezero_core.errors import ShapeError
from dezero_core.extend import ArrayBackend, backend_of
from dezero_core.state import PyTorchArray, default_backend
from dezero_core.variable import Operand

from ..functions import conv1d, conv2d, conv3d
from ..functions.conv import require_groups
from ..functions.convolutions import (
    AXES,
    Sizes,
    conv_transpose1d,
    conv_transpose2d,
    conv_transpose3d,
)
from ..initializers import Initializer, create_once
from ..windows import Shape, padding_of, per_axis, window_counts_along
from .weighted import Weighted


class Convolution(Weighted):
    """Base class of layers with filters that slide over signals, images or volumes.

    Args:
        out_channels: channels of the output.
        kernel_size: the size of the filters, an integer or one for each axis.
        stride: elements from one position of a filter to the next, an integer or one for each axis
            (default 1).
        pad: zeros added on each side of the input, an integer or one for each axis (default 0).
            Layers that are not transposed also take "same" and "valid", as `conv2d` does.
        nobias: leave ``b`` out (default False).
        dtype: dtype of the parameters, a name or a NumPy dtype (default float32).
        in_channels: channels of the input; taken from the first input if None.
        dilation: elements from one kernel position to the next, an integer or one for each axis
            (default 1).
        groups: the number of groups of channels that are convolved separately (default 1).
        initializer: draws ``W`` (default `dezero_nn.initializers.LeCun`).
    """

    axes: ClassVar[int]
    function: ClassVar[Callable[..., Variable]]

    def __init__(
        self,
        out_channels: int,
        kernel_size: Sizes,
        *,
        stride: Sizes = 1,
        pad: Sizes | str = 0,
        nobias: bool = False,
        dtype: object = "float32",
        in_channels: int | None = None,
        dilation: Sizes = 1,
        groups: int = 1,
        initializer: Initializer | None = None,
    ) -> None:
        name, n = type(self).__name__, self.axes
        self.in_channels = in_channels
        self.out_channels = as_integer(name, "out_channels", out_channels, 0)
        self.kernel_size = per_axis(n, kernel_size, f"{name}: kernel_size", 1)
        self.stride = per_axis(n, stride, f"{name}: stride", 1)
        self.dilation = per_axis(n, dilation, f"{name}: dilation", 1)
        pads, _ = padding_of(name, n, pad, self.kernel_size, self.stride, self.dilation)
        self.pad = pad if isinstance(pad, str) else pads
        self.groups = as_integer(name, "groups", groups, 1)
        super().__init__(self.out_channels, nobias, dtype, initializer)
        if in_channels is not None:
            self._init_W(as_integer(name, "in_channels", in_channels, 1), default_backend())

    def W_shape(self, in_channels: int) -> tuple[int, int]:
        """Return the lengths of the first two axes of ``W``."""
        raise NotImplementedError(f"{type(self).__name__} must define W_shape")

    def _init_W(self, in_channels: int, backend: ArrayBackend) -> None:
        """Create ``W`` on a backend, for images with ``in_channels`` channels."""
        G = self.groups
        require_groups(type(self).__name__, G, in_channels, self.out_channels)
        self.in_channels = in_channels
        fan_in = in_channels // G * self.taps_of_output()
        fan_out = self.out_channels // G * math.prod(self.kernel_size)
        self.draw_W((*self.W_shape(in_channels), *self.kernel_size), fan_in, fan_out, backend)

    def taps_of_output(self) -> float:
        """Return the number of kernel positions per input channel that contribute to one output."""
        return math.prod(self.kernel_size)

    def require_windows(self, size: Shape) -> None:
        """Raise `ShapeError` if no window fits into inputs whose last axes have these lengths."""

    def prepared(self, x: Operand) -> Variable:
        """Return ``x`` as a Variable; create ``W`` if ``x`` is the first input."""
        x = as_variable(x)
        if self.W.data is None:
            if x.ndim != self.axes + 2:
                inputs = {1: "signals", 2: "images", 3: "volumes"}[self.axes]
                raise ShapeError(
                    f"{type(self).__name__}: x {x.shape}: {inputs} have the shape (N, C, "
                    f"{AXES[self.axes]})"
                )
            self.require_windows(x.shape[2:])  # raises an error before W has a size
            create_once((self.W,), partial(self._init_W, x.shape[1], backend_of(x.data)))
        return x


class ForwardConvolution(Convolution):
    """Base class of `Conv1d`, `Conv2d` and `Conv3d`."""

    def W_shape(self, in_channels: int) -> tuple[int, int]:
        return self.out_channels, in_channels // self.groups

    def require_windows(self, size: Shape) -> None:
        name, steps = type(self).__name__, (self.stride, self.dilation)
        pad, _ = padding_of(name, self.axes, self.pad, self.kernel_size, *steps)
        window_counts_along(name, size, self.kernel_size, self.stride, pad, self.dilation)

    def pytorch_arrays(self) -> dict[str, PyTorchArray]:
        each = None if self.in_channels is None else self.in_channels // self.groups
        return self.pytorch_pair((self.out_channels, each, *self.kernel_size), self.out_channels)

    def forward(self, x: Operand) -> Variable:
        settings = self.stride, self.pad, self.dilation, self.groups
        return type(self).function(self.prepared(x), self.W, self.b, *settings)


class Conv1d(ForwardConvolution):
    """Convolve signals (N, C, L) with filters and add a bias; arguments as for `Convolution`.

    Attributes:
        W: shape (OC, C / groups, K).
        b: shape (OC,), zeros; None with ``nobias``.
    """

    axes, function = 1, staticmethod(conv1d)


class Conv2d(ForwardConvolution):
    """Convolve images with filters and add a bias (book step 57); arguments as for `Convolution`.

    Attributes:
        W: shape (OC, C / groups, KH, KW).
        b: shape (OC,), zeros; None with ``nobias``.
    """

    axes, function = 2, staticmethod(conv2d)


class Conv3d(ForwardConvolution):
    """Convolve volumes (N, C, D, H, W) with filters and add a bias; arguments as for `Convolution`.

    Attributes:
        W: shape (OC, C / groups, KD, KH, KW).
        b: shape (OC,), zeros; None with ``nobias``.
    """

    axes, function = 3, staticmethod(conv3d)


class TransposedConvolution(Convolution):
    """Base class of `Deconv1d`, `Deconv2d` and `Deconv3d`; see `Deconv2d`."""

    output_axis = 1

    output_padding: Any = 0  # layers that were pickled by earlier versions lack this setting

    def __init__(
        self,
        out_channels: int,
        kernel_size: Sizes,
        *,
        stride: Sizes = 1,
        pad: Sizes = 0,
        nobias: bool = False,
        dtype: object = "float32",
        in_channels: int | None = None,
        dilation: Sizes = 1,
        groups: int = 1,
        initializer: Initializer | None = None,
        output_padding: Sizes = 0,
    ) -> None:
        name = f"{type(self).__name__}: output_padding"
        self.output_padding = per_axis(self.axes, output_padding, name, 0)
        super().__init__(
            out_channels,
            kernel_size,
            stride=stride,
            pad=per_axis(self.axes, pad, f"{type(self).__name__}: pad", 0),
            nobias=nobias,
            dtype=dtype,
            in_channels=in_channels,
            dilation=dilation,
            groups=groups,
            initializer=initializer,
        )

    def W_shape(self, in_channels: int) -> tuple[int, int]:
        return in_channels, self.out_channels // self.groups

    def taps_of_output(self) -> float:
        return math.prod(self.kernel_size) / math.prod(self.stride)

    def pytorch_arrays(self) -> dict[str, PyTorchArray]:
        each = self.out_channels // self.groups
        return self.pytorch_pair((self.in_channels, each, *self.kernel_size), self.out_channels)

    def forward(self, x: Operand) -> Variable:
        settings = self.stride, self.pad, self.output_padding, self.groups, self.dilation
        return type(self).function(self.prepared(x), self.W, self.b, *settings)


class Deconv1d(TransposedConvolution):
    """Apply the transpose of a convolution of signals, and add a bias; see `Deconv2d`.

    Attributes:
        W: shape (C, OC / groups, K).
        b: shape (OC,), zeros; None with ``nobias``.
    """

    axes, function = 1, staticmethod(conv_transpose1d)


class Deconv2d(TransposedConvolution):
    """Apply the transpose of a convolution, and add a bias; arguments as for `Convolution`.

    Each element of x adds a filter, multiplied by that element, to the output. The argument
    ``output_padding`` (default 0) adds rows and columns to the output, as in `conv_transpose2d`.

    Attributes:
        W: shape (C, OC / groups, KH, KW). ``W`` is drawn from a normal distribution, by default
            with variance ``1 / fan_in``, where ``fan_in = C / groups * KH * KW / (SH * SW)``.
        b: shape (OC,), zeros; None with ``nobias``.

    With stride (SH, SW), adjacent input positions are SH rows or SW columns apart in the output. On
    average, an output has contributions from KH * KW / (SH * SW) kernel positions only (Dumoulin
    and Visin, "A guide to convolution arithmetic for deep learning", 2016). The variance is chosen
    for a sum of ``fan_in`` terms (LeCun et al., "Efficient BackProp", 1998), so the scale of the
    outputs does not depend on the stride. PyTorch's layer ignores the stride when it draws the
    weight.
    """

    axes, function = 2, staticmethod(conv_transpose2d)


class Deconv3d(TransposedConvolution):
    """Apply the transpose of a convolution of volumes, and add a bias; see `Deconv2d`.

    Attributes:
        W: shape (C, OC / groups, KD, KH, KW).
        b: shape (OC,), zeros; None with ``nobias``.
    """

    axes, function = 3, staticmethod(conv_transpose3d)
