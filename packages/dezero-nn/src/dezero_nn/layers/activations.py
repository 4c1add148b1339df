"""Define layers that call an activation function, for models that consist of layers only.

`Sequential` also accepts the functions themselves, such as ``relu``. The settings have PyTorch's
names and defaults, apart from ``axis`` and ``slope``.
"""

from __future__ import annotations

from dezero_core import Parameter, Variable, as_variable
from dezero_core.arguments import as_integer, as_number
from dezero_core.dtypes import cast
from dezero_core.functions import flatten, tanh
from dezero_core.state import PyTorchArray, default_backend
from dezero_core.variable import Operand

from ..functions.activation import (
    leaky_relu,
    log_softmax,
    relu,
    sigmoid,
    softmax,
)
from ..functions.exponential_units import elu, selu
from ..functions.gated import glu
from ..functions.gelu import gelu, silu
from ..functions.piecewise import hardsigmoid, hardswish, hardtanh, prelu, relu6
from ..functions.smooth import logsigmoid, mish, softplus
from .layer import Layer
from .weighted import parameter_dtype


class ReLU(Layer):
    """Set negative elements to 0; see `dezero_nn.functions.relu`."""

    def forward(self, x: Operand) -> Variable:
        return relu(x)


class ReLU6(Layer):
    """Limit elements to the interval from 0 to 6; see `dezero_nn.functions.relu6`."""

    def forward(self, x: Operand) -> Variable:
        return relu6(x)


class LeakyReLU(Layer):
    """Multiply negative elements by ``slope``; see `dezero_nn.functions.leaky_relu`.

    Args:
        slope: the factor; the default 0.01 is PyTorch's, while that of the function is the book's.
    """

    def __init__(self, slope: float = 0.01) -> None:
        self.slope = as_number("LeakyReLU", "slope", slope)

    def forward(self, x: Operand) -> Variable:
        return leaky_relu(x, self.slope)


class PReLU(Layer):
    """Multiply negative elements by trained factors; see `dezero_nn.functions.prelu`.

    Args:
        channels: the number of factors: 1 (default), or the length of axis 1 of the input.
        init: the first value of each factor (default 0.25).
        dtype: the dtype of the factors, a name or a NumPy dtype (default float32).

    Attributes:
        a: the factors, shape (channels,).

    Raises:
        ArgumentError: ``channels`` is below 1, or ``dtype`` is not a floating-point dtype.
    """

    _needed = ("a",)

    def __init__(self, channels: int = 1, init: float = 0.25, *, dtype: object = "float32") -> None:
        self.channels = as_integer("PReLU", "channels", channels, 1)
        self.init = as_number("PReLU", "init", init)
        backend, name = default_backend(), parameter_dtype("PReLU", dtype)
        factors = backend.asarray([float(self.init)] * self.channels)
        self.a = Parameter(cast(factors, backend.dtype(name)), name="a")

    def pytorch_arrays(self) -> dict[str, PyTorchArray]:
        return {"a": PyTorchArray(("weight",), (self.channels,))}

    def forward(self, x: Operand) -> Variable:
        return prelu(x, self.a)


class ELU(Layer):
    """Apply the exponential linear unit; see `dezero_nn.functions.elu`.

    Args:
        alpha: minus the limit for negative elements (default 1.0).
    """

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = as_number("ELU", "alpha", alpha)

    def forward(self, x: Operand) -> Variable:
        return elu(x, self.alpha)


class SELU(Layer):
    """Apply the self-normalising exponential unit; see `dezero_nn.functions.selu`."""

    def forward(self, x: Operand) -> Variable:
        return selu(x)


class GELU(Layer):
    """Apply the Gaussian error linear unit; see `dezero_nn.functions.gelu`.

    Args:
        approximate: ``"none"`` (default), or ``"tanh"`` for the approximation.
    """

    def __init__(self, approximate: str = "none") -> None:
        self.approximate = approximate

    def forward(self, x: Operand) -> Variable:
        return gelu(x, self.approximate)


class SiLU(Layer):
    """Multiply elements by their sigmoid; see `dezero_nn.functions.silu`."""

    def forward(self, x: Operand) -> Variable:
        return silu(x)


class Mish(Layer):
    """Multiply elements by tanh of their softplus; see `dezero_nn.functions.mish`."""

    def forward(self, x: Operand) -> Variable:
        return mish(x)


class Hardswish(Layer):
    """Multiply elements by their hardsigmoid; see `dezero_nn.functions.hardswish`."""

    def forward(self, x: Operand) -> Variable:
        return hardswish(x)


class Softplus(Layer):
    """Compute log(1 + exp(beta x)) / beta; see `dezero_nn.functions.softplus`.

    Args:
        beta, threshold: the settings of the function (default 1.0 and 20.0).
    """

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        self.beta = as_number("Softplus", "beta", beta)
        self.threshold = as_number("Softplus", "threshold", threshold)

    def forward(self, x: Operand) -> Variable:
        return softplus(x, self.beta, self.threshold)


class Sigmoid(Layer):
    """Apply the logistic function; see `dezero_nn.functions.sigmoid`."""

    def forward(self, x: Operand) -> Variable:
        return sigmoid(x)


class LogSigmoid(Layer):
    """Compute the logarithm of the sigmoid; see `dezero_nn.functions.logsigmoid`."""

    def forward(self, x: Operand) -> Variable:
        return logsigmoid(x)


class Hardsigmoid(Layer):
    """Apply the sigmoid in three linear pieces; see `dezero_nn.functions.hardsigmoid`."""

    def forward(self, x: Operand) -> Variable:
        return hardsigmoid(x)


class Tanh(Layer):
    """Apply the hyperbolic tangent; see `dezero_core.functions.tanh`."""

    def forward(self, x: Operand) -> Variable:
        return tanh(x)


class Hardtanh(Layer):
    """Limit elements to an interval; see `dezero_nn.functions.hardtanh`.

    Args:
        min_val, max_val: the bounds (default -1.0 and 1.0).
    """

    def __init__(self, min_val: float = -1.0, max_val: float = 1.0) -> None:
        self.min_val = as_number("Hardtanh", "min_val", min_val)
        self.max_val = as_number("Hardtanh", "max_val", max_val)

    def forward(self, x: Operand) -> Variable:
        return hardtanh(x, self.min_val, self.max_val)


class Softmax(Layer):
    """Compute probabilities along an axis; see `dezero_nn.functions.softmax`.

    Args:
        axis: the axis of the classes, by default the last. The default of the function is 1.
    """

    def __init__(self, axis: int = -1) -> None:
        self.axis = as_integer("Softmax", "axis", axis)

    def forward(self, x: Operand) -> Variable:
        return softmax(x, self.axis)


class LogSoftmax(Layer):
    """Compute logarithms of probabilities along an axis; see `dezero_nn.functions.log_softmax`.

    Args:
        axis: the axis of the classes, by default the last. The default of the function is 1.
    """

    def __init__(self, axis: int = -1) -> None:
        self.axis = as_integer("LogSoftmax", "axis", axis)

    def forward(self, x: Operand) -> Variable:
        return log_softmax(x, self.axis)


class GLU(Layer):
    """Multiply one half of the features by the sigmoid of the other; see `dezero_nn.functions.glu`.

    Args:
        axis: the axis to split into halves, by default the last.
    """

    def __init__(self, axis: int = -1) -> None:
        self.axis = as_integer("GLU", "axis", axis)

    def forward(self, x: Operand) -> Variable:
        return glu(x, self.axis)


class Identity(Layer):
    """Return the input unchanged, for example in place of a layer that is left out."""

    def forward(self, x: Operand) -> Variable:
        return as_variable(x)


class Flatten(Layer):
    """Reshape (N, ...) to (N, M); see `dezero_core.functions.flatten`."""

    def forward(self, x: Operand) -> Variable:
        return flatten(x)
