"""Define the layers `Conv2d` and `Deconv2d`."""

from __future__ import annotations

import math
from functools import partial

from dezero_core import Variable, as_variable
from dezero_core.arguments import as_integer
from dezero_core.errors import ShapeError
from dezero_core.extend import ArrayBackend, backend_of
from dezero_core.state import PyTorchArray, create_once, default_backend
from dezero_core.variable import Operand

from ..functions import conv2d, deconv2d
from ..functions.conv import conv_params, require_groups
from ..initializers import Initializer
from ..windows import Pair, pair
from .weighted import Weighted


class Convolution(Weighted):
    """Base class of `Conv2d` and `Deconv2d`, layers with filters that slide over images.

    Args:
        out_channels: channels of the output.
        kernel_size: height and width of the filters, an integer or a pair (KH, KW).
        stride: pixels from one position of a filter to the next, an integer or a pair (default 1).
        pad: zeros added on each side of the images, an integer or a pair (default 0).
        nobias: leave ``b`` out (default False).
        dtype: dtype of the parameters, a name or a NumPy dtype (default float32).
        in_channels: channels of the input; taken from the first input if None.
        dilation: pixels from one kernel position to the next, an integer or a pair (default 1).
        groups: the number of groups of channels that are convolved separately (default 1).
        initializer: draws ``W`` (default `dezero_nn.initializers.LeCun`).
    """

    def __init__(
        self,
        out_channels: int,
        kernel_size: int | Pair,
        *,
        stride: int | Pair = 1,
        pad: int | Pair = 0,
        nobias: bool = False,
        dtype: object = "float32",
        in_channels: int | None = None,
        dilation: int | Pair = 1,
        groups: int = 1,
        initializer: Initializer | None = None,
    ) -> None:
        name = type(self).__name__
        self.in_channels = in_channels
        self.out_channels = as_integer(name, "out_channels", out_channels, 0)
        self.kernel_size = pair(kernel_size, f"{name}: kernel_size")
        params = conv_params(name, stride, pad, dilation, groups)
        self.stride, self.pad, self.dilation, self.groups = params
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

    def prepared(self, x: Operand) -> Variable:
        """Return ``x`` as a Variable; create ``W`` if ``x`` is the first input."""
        x = as_variable(x)
        if self.W.data is None:
            if x.ndim != 4:
                raise ShapeError(
                    f"{type(self).__name__}: x {x.shape}: images have the shape (N, C, H, W)"
                )
            create_once((self.W,), partial(self._init_W, x.shape[1], backend_of(x.data)))
        return x


class Conv2d(Convolution):
    """Convolve images with filters and add a bias (book step 57); arguments as for `Convolution`.

    Attributes:
        W: shape (OC, C / groups, KH, KW).
        b: shape (OC,), zeros; None with ``nobias``.
    """

    def W_shape(self, in_channels: int) -> tuple[int, int]:
        return self.out_channels, in_channels // self.groups

    def pytorch_arrays(self) -> dict[str, PyTorchArray]:
        each = None if self.in_channels is None else self.in_channels // self.groups
        return self.pytorch_pair((self.out_channels, each, *self.kernel_size), self.out_channels)

    def forward(self, x: Operand) -> Variable:
        settings = self.stride, self.pad, self.dilation, self.groups
        return conv2d(self.prepared(x), self.W, self.b, *settings)


class Deconv2d(Convolution):
    """Apply the transpose of a convolution, and add a bias; arguments as for `Convolution`.

    Each element of x adds a filter, multiplied by that element, to the output.

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

    output_axis = 1

    def W_shape(self, in_channels: int) -> tuple[int, int]:
        return in_channels, self.out_channels // self.groups

    def taps_of_output(self) -> float:
        return math.prod(self.kernel_size) / math.prod(self.stride)

    def pytorch_arrays(self) -> dict[str, PyTorchArray]:
        each = self.out_channels // self.groups
        return self.pytorch_pair((self.in_channels, each, *self.kernel_size), self.out_channels)

    def forward(self, x: Operand) -> Variable:
        settings = self.stride, self.pad, None, self.dilation, self.groups
        return deconv2d(self.prepared(x), self.W, self.b, *settings)
