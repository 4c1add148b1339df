"""Define layer normalisation, and RMS normalisation, which does not subtract the mean.

The ops return what their gradients need as further results: the mean and the inverse standard
deviation of each example, which the functions do not return.
"""

from __future__ import annotations

import math
from typing import Any

from dezero_core import Config, Function, Variable
from dezero_core.arguments import as_number
from dezero_core.dtypes import as_floating, call_widened, sum_over
from dezero_core.errors import ArgumentTypeError, ShapeError
from dezero_core.extend import Array, backend_of, kernel_op, unwrap
from dezero_core.functions import sum, sum_to
from dezero_core.hints import hinted
from dezero_core.variable import AnyArray

from .gelu import first
from .recurrent import with_values


@kernel_op
def layer_norm_op(
    x: Array, gamma: Array | None, beta: Array | None, axes: int, eps: float
) -> tuple[Array, Array, Array]:
    """Return gamma n + beta, n = (x - mean) / sqrt(var + eps), mean and 1 / sqrt(var + eps).

    Mean and var are over the last ``axes`` axes, which have length 1 in the second and the third
    result. gamma and beta have the shape of these axes; None stands for 1 and 0.
    """
    mean = mean_of_array(x, axes)
    centred = x - mean
    inverse_std = (mean_of_array(centred * centred, axes) + eps) ** -0.5
    y = centred * inverse_std if gamma is None else centred * inverse_std * gamma
    return y if beta is None else y + beta, mean, inverse_std


@kernel_op
def layer_norm_grad_op(
    gy: Array, x: Array, gamma: Array | None, mean: Array, inverse_std: Array, axes: int
) -> tuple[Any, ...]:
    """Return the gradients of x, gamma (None if gamma is None) and beta.

    x, gamma, axes: arguments of `layer_norm_op`; mean, inverse_std: its results.
    """
    return on_arrays(gradients, gy, (x - mean) * inverse_std, inverse_std, gamma, axes, True)


class LayerNorm(Function):
    """y = gamma n + beta, with n = (x - mean) / sqrt(var + eps) over the last axes.

    With g = gy gamma, and means over these last axes:
    dL/dx = (g - mean of g - n mean of (g n)) / sqrt(var + eps),
    dL/dgamma = sum of gy n,  dL/dbeta = sum of gy, both over the remaining axes.
    """

    materialize_grads = False

    def __init__(self, axes: int, eps: float) -> None:
        self.axes, self.eps = axes, eps

    def forward(self, x: Array, gamma: Array | None, beta: Array | None) -> Any:
        results = layer_norm_op(x, gamma, beta, self.axes, self.eps)
        return results if Config.enable_backprop else results[0]

    def backward(self, gy: AnyArray, *_: AnyArray) -> Any:
        (x, gamma, _beta), (y, mean, inverse_std) = self.inputs, self.outputs
        arguments = *map(unwrap, (gy, x, gamma, mean, inverse_std)), self.axes
        arrays = layer_norm_grad_op(*arguments)
        if not isinstance(y, Variable):
            return arrays
        centred = x - mean_of(x, self.axes)
        inverse_std = (mean_of(centred * centred, self.axes) + self.eps) ** -0.5
        found = gradients(gy, centred * inverse_std, inverse_std, gamma, self.axes, True)
        return with_values(found, arrays)


@kernel_op
def rms_norm_op(x: Array, gamma: Array | None, axes: int, eps: float) -> tuple[Array, Array]:
    """Return gamma x / s and 1 / s, with s = sqrt(mean of x**2 + eps) over the last axes.

    gamma, axes: as for `layer_norm_op`.
    """
    inverse = (mean_of_array(x * x, axes) + eps) ** -0.5
    return x * inverse if gamma is None else x * inverse * gamma, inverse


@kernel_op
def rms_norm_grad_op(
    gy: Array, x: Array, gamma: Array | None, inverse: Array, axes: int
) -> tuple[Any, ...]:
    """Return the gradients of x and gamma (None if gamma is None).

    x, gamma, axes: arguments of `rms_norm_op`; inverse: its second result.
    """
    return on_arrays(gradients, gy, x * inverse, inverse, gamma, axes, False)[:2]


class RMSNorm(Function):
    """y = gamma n, with n = x / s, s = sqrt(mean of x**2 + eps) over the last axes.

    dL/dx = (g - n mean of (g n)) / s, g = gy gamma;  dL/dgamma = sum of gy n.
    """

    materialize_grads = False

    def __init__(self, axes: int, eps: float) -> None:
        self.axes, self.eps = axes, eps

    def forward(self, x: Array, gamma: Array | None) -> Any:
        results = rms_norm_op(x, gamma, self.axes, self.eps)
        return results if Config.enable_backprop else results[0]

    def backward(self, gy: AnyArray, _: AnyArray) -> Any:
        (x, gamma), (y, inverse) = self.inputs, self.outputs
        arguments = *map(unwrap, (gy, x, gamma, inverse)), self.axes
        arrays = rms_norm_grad_op(*arguments)
        if not isinstance(y, Variable):
            return arrays
        inverse = (mean_of(x * x, self.axes) + self.eps) ** -0.5  # recorded, unlike the output
        found = gradients(gy, x * inverse, inverse, gamma, self.axes, False)[:2]
        return with_values(found, arrays)


def gradients(
    gy: AnyArray, n: AnyArray, inverse: AnyArray, gamma: AnyArray | None, axes: int, centred: bool
) -> tuple[Any, Any, Any]:
    """Return the gradients of x, gamma and beta, where n is (x - mean) * inverse or x * inverse."""
    g = gy if gamma is None else gy * gamma
    gx = g - n * mean_of(g * n, axes)
    if centred:
        gx = gx - mean_of(g, axes)
    shape = n.shape[n.ndim - axes :]
    return gx * inverse, None if gamma is None else sum_to(gy * n, shape), sum_to(gy, shape)


def on_arrays(function: Any, *arguments: Any) -> tuple[Any, ...]:
    """Return the arrays that a function of Variables computes from arrays, without a graph."""
    wrapped = [Variable(x, requires_grad=False) if hasattr(x, "shape") else x for x in arguments]
    return tuple(map(unwrap, function(*wrapped)))


def mean_of(x: AnyArray, axes: int) -> Any:
    """Return the mean over the last axes, which stay with length 1; the mean of nothing is 0."""
    return sum(x, tuple(range(-axes, 0)), keepdims=True) / count_of(x, axes)


def mean_of_array(x: Array, axes: int) -> Any:
    """Return `mean_of` of an array as an array."""
    total = sum_over(x, backend_of(x), tuple(range(-axes, 0)), keepdims=True)
    return total / count_of(x, axes)


def count_of(x: AnyArray, axes: int) -> int:
    """Return the number of elements of an example, at least 1."""
    return max(math.prod(x.shape[x.ndim - axes :]), 1)


@hinted
def layer_norm(
    x: AnyArray, gamma: AnyArray | None = None, beta: AnyArray | None = None, eps: float = 1e-5
) -> Variable:
    """Normalise each example of ``x`` to mean ``beta`` and standard deviation ``gamma``.

    Ba, Kiros and Hinton, "Layer Normalization", 2016. If an example has one element, the result is
    ``beta``, as in PyTorch.

    Args:
        x: shape (..., M), or (..., *gamma.shape) if ``gamma`` has more than one axis.
        gamma, beta: shape (M,), or the shape of the last axes of ``x``; None (default) stands for
            ones and zeros. If both are None, the last axis is normalised.
        eps: added to the variance (default 1e-5).

    Raises:
        ShapeError: the shapes are incompatible.
    """
    axes = normalised_axes("layer_norm", x, {"gamma": gamma, "beta": beta})
    x, gamma, beta = as_floating(x, gamma), as_floating(gamma, x), as_floating(beta, x)
    function = LayerNorm(axes, as_number("layer_norm", "eps", eps))
    return first(call_widened(function, x, gamma, beta))


@hinted
def rms_norm(x: AnyArray, gamma: AnyArray | None = None, eps: float = 1e-6) -> Variable:
    """Divide each example of ``x`` by its root mean square, and multiply it by ``gamma``.

    Zhang and Sennrich, "Root Mean Square Layer Normalization", 2019.

    Args:
        x: shape (..., M), or (..., *gamma.shape) if ``gamma`` has more than one axis.
        gamma: shape (M,), or the shape of the last axes of ``x``; if None (default), the last axis
            is normalised and not multiplied.
        eps: added to the mean of the squares (default 1e-6; Llama uses 1e-5 or 1e-6, and PyTorch's
            default is the precision of the dtype, 1.2e-7 for float32).

    Raises:
        ShapeError: the shapes are incompatible.
    """
    axes = normalised_axes("rms_norm", x, {"gamma": gamma})
    x, gamma = as_floating(x, gamma), as_floating(gamma, x)
    return first(call_widened(RMSNorm(axes, as_number("rms_norm", "eps", eps)), x, gamma))


def normalised_axes(op: str, x: AnyArray, params: dict[str, AnyArray | None]) -> int:
    """Return how many of the last axes of ``x`` are normalised: the axes of the parameters, or 1.

    Raises:
        ShapeError: ``x`` has no axes, or a parameter does not have the shape of its last axes.
        ArgumentTypeError: a parameter is neither an array nor None, but for example a shape.
    """
    arrays = {name: param for name, param in params.items() if param is not None}
    for name, param in arrays.items():
        if not hasattr(param, "shape"):
            raise ArgumentTypeError(
                f"{op}: {name} is {param!r}; expected an array or None. The last axes of x in the "
                f"shape of {name} are normalised; PyTorch's normalized_shape is not an argument"
            )
    shape, shapes = tuple(x.shape), [tuple(param.shape) for param in arrays.values()]
    axes = len(shapes[0]) if shapes else 1
    if len(shape) >= axes > 0 and shapes.count(shape[-axes:]) == len(shapes):
        return axes
    found = "".join([f", {name} {own}" for name, own in zip(arrays, shapes, strict=True)])
    raise ShapeError(
        f"{op}: x {shape}{found}; expected {' and '.join(params)} in the shape of the last axes "
        "of x"
    )
