"""Define pooling layers, which call the functions of the same names; they have no parameters.

The arguments are those of the functions, with PyTorch's defaults: the stride is ``kernel_size``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from dezero_core import Variable
from dezero_core.arguments import require_bool
from dezero_core.variable import Operand

from ..functions import (
    adaptive_avg_pool1d,
    adaptive_avg_pool2d,
    adaptive_avg_pool3d,
    adaptive_max_pool1d,
    adaptive_max_pool2d,
    avg_pool1d,
    avg_pool2d,
    avg_pool3d,
    max_pool1d,
    max_pool2d,
    max_pool3d,
)
from ..functions.convolutions import Sizes
from ..functions.resampling import OutputSizes
from ..windows import per_axis
from .layer import Layer


class MaxPool(Layer):
    """Base class of max pooling layers; see `dezero_nn.functions.max_pool2d`.

    Args:
        kernel_size: the size of the windows, an integer or one for each axis.
        stride: the distance between windows. Default None: ``kernel_size``.
        padding: the elements added on each side (default 0), which are never the maximum.
        dilation: the distance between the elements of a window (default 1).
        ceil_mode: whether a last window may reach past the end (default False).
    """

    axes: ClassVar[int]
    function: ClassVar[Callable[..., Variable]]

    def __init__(
        self,
        kernel_size: Sizes,
        stride: Sizes | None = None,
        padding: Sizes = 0,
        dilation: Sizes = 1,
        *,
        ceil_mode: bool = False,
    ) -> None:
        name, n = type(self).__name__, self.axes
        self.kernel_size = per_axis(n, kernel_size, f"{name}: kernel_size", 1)
        self.stride = None if stride is None else per_axis(n, stride, f"{name}: stride", 1)
        self.padding = per_axis(n, padding, f"{name}: padding", 0)
        self.dilation = per_axis(n, dilation, f"{name}: dilation", 1)
        require_bool(name, "ceil_mode", ceil_mode)
        self.ceil_mode = ceil_mode

    def forward(self, x: Operand) -> Variable:
        settings = self.stride, self.padding, self.dilation, self.ceil_mode
        return type(self).function(x, self.kernel_size, *settings)


class MaxPool1d(MaxPool):
    """Return the largest element of each window of signals; arguments as for `MaxPool`."""

    axes, function = 1, staticmethod(max_pool1d)


class MaxPool2d(MaxPool):
    """Return the largest element of each window of images; arguments as for `MaxPool`."""

    axes, function = 2, staticmethod(max_pool2d)


class MaxPool3d(MaxPool):
    """Return the largest element of each window of volumes; arguments as for `MaxPool`."""

    axes, function = 3, staticmethod(max_pool3d)


class AvgPool(Layer):
    """Base class of average pooling layers; see `dezero_nn.functions.avg_pool2d`.

    Args:
        kernel_size: the size of the windows, an integer or one for each axis.
        stride: the distance between windows. Default None: ``kernel_size``.
        padding: the zeros added on each side (default 0).
        ceil_mode: whether a last window may reach past the end (default False).
        count_include_pad: whether a mean counts the zeros of the padding (default True).
    """

    axes: ClassVar[int]
    function: ClassVar[Callable[..., Variable]]

    def __init__(
        self,
        kernel_size: Sizes,
        stride: Sizes | None = None,
        padding: Sizes = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        name, n = type(self).__name__, self.axes
        self.kernel_size = per_axis(n, kernel_size, f"{name}: kernel_size", 1)
        self.stride = None if stride is None else per_axis(n, stride, f"{name}: stride", 1)
        self.padding = per_axis(n, padding, f"{name}: padding", 0)
        require_bool(name, "ceil_mode", ceil_mode)
        require_bool(name, "count_include_pad", count_include_pad)
        self.ceil_mode, self.count_include_pad = ceil_mode, count_include_pad

    def forward(self, x: Operand) -> Variable:
        settings = self.stride, self.padding, self.ceil_mode, self.count_include_pad
        return type(self).function(x, self.kernel_size, *settings)


class AvgPool1d(AvgPool):
    """Return the mean of each window of signals; arguments as for `AvgPool`."""

    axes, function = 1, staticmethod(avg_pool1d)


class AvgPool2d(AvgPool):
    """Return the mean of each window of images; arguments as for `AvgPool`."""

    axes, function = 2, staticmethod(avg_pool2d)


class AvgPool3d(AvgPool):
    """Return the mean of each window of volumes; arguments as for `AvgPool`."""

    axes, function = 3, staticmethod(avg_pool3d)


class AdaptivePool(Layer):
    """Base class of pooling layers with a given output size; see `adaptive_avg_pool2d`.

    Args:
        output_size: an integer, or one for each axis; None keeps the length of an axis.
    """

    function: ClassVar[Callable[..., Variable]]

    def __init__(self, output_size: OutputSizes) -> None:
        self.output_size = output_size

    def forward(self, x: Operand) -> Variable:
        return type(self).function(x, self.output_size)


class AdaptiveAvgPool1d(AdaptivePool):
    """Return means of signals in a given output length; arguments as for `AdaptivePool`."""

    function = staticmethod(adaptive_avg_pool1d)


class AdaptiveAvgPool2d(AdaptivePool):
    """Return means of images in a given output size; arguments as for `AdaptivePool`."""

    function = staticmethod(adaptive_avg_pool2d)


class AdaptiveAvgPool3d(AdaptivePool):
    """Return means of volumes in a given output size; arguments as for `AdaptivePool`."""

    function = staticmethod(adaptive_avg_pool3d)


class AdaptiveMaxPool1d(AdaptivePool):
    """Return maxima of signals in a given output length; arguments as for `AdaptivePool`."""

    function = staticmethod(adaptive_max_pool1d)


class AdaptiveMaxPool2d(AdaptivePool):
    """Return maxima of images in a given output size; arguments as for `AdaptivePool`."""

    function = staticmethod(adaptive_max_pool2d)
