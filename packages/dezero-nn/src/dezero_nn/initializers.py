"""Define initialisers, which layers take as an argument, and functions that fill Parameters.

Weights are drawn on the host, so that a seed gives the same weights on every backend. The functions
have PyTorch's names, and take a Parameter::

    initializers.kaiming_normal(layer.W, mode="fan_out", nonlinearity="relu")
    initializers.zeros(layer.b)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from reprlib import repr as shortened
from typing import TYPE_CHECKING, Any

from dezero_core import Parameter
from dezero_core.arguments import as_number
from dezero_core.dtypes import cast, dtype_name
from dezero_core.errors import ArgumentError, ArgumentTypeError
from dezero_core.extend import backend_of, generator, plugins
from dezero_core.hints import hinted, hinting
from dezero_core.state import match_device, updating

from .hints import INITIALIZERS

__all__ = [
    "He",
    "Initializer",
    "LeCun",
    "Xavier",
    "calculate_gain",
    "constant",
    "kaiming_normal",
    "kaiming_uniform",
    "normal",
    "ones",
    "orthogonal",
    "truncated_normal",
    "uniform",
    "xavier_normal",
    "xavier_uniform",
    "zeros",
]


def host_normal(shape: tuple[int, ...], scale: float, dtype: str, draw: Any = None) -> Any:
    """Draw normal numbers with mean 0 and standard deviation ``scale``; return a NumPy array.

    Args:
        shape, dtype: the shape and dtype of the result.
        scale: the standard deviation.
        draw: the NumPy generator to draw from; None (default) uses the result of `generator`.
    """
    draw = generator() if draw is None else draw
    return (draw.standard_normal(shape) * scale).astype(dtype)


def require_generator(op: str, source: Any) -> None:
    """Raise `ArgumentTypeError` if ``source`` is neither a generator nor None, but perhaps a seed.

    ``op`` is the name of the function or layer, for the error message.
    """
    if source is not None and not hasattr(source, "standard_normal"):
        raise ArgumentTypeError(
            f"{op}: generator {shortened(source)} ({type(source).__name__}): expected a random "
            "generator, such as the result of default_rng(0)"
        )


def create_once(parameters: Iterable[Any], create: Callable[[], object]) -> None:
    """Call ``create()`` unless all parameters have data; only one thread calls ``create``.

    Args:
        parameters: Parameters and Buffers that may have no data yet.
        create: sets the data of all parameters.
    """
    with plugins.lock:
        if any(x.data is None for x in parameters):
            create()


class Initializer:
    """Base class of initialisers. Subclasses define ``deviation``.

    Args:
        generator: a ``numpy.random.Generator`` that draws the weights; DeZero's own generator (see
            `dezero_core.seed`) if None.
    """

    @hinted
    def __init__(self, generator: Any = None) -> None:
        require_generator(type(self).__name__, generator)
        self.generator = generator

    def __call__(self, shape: tuple[int, ...], fan_in: float, fan_out: int, dtype: str) -> Any:
        """Return new weights, an array on the host.

        Args:
            shape: shape of the weights.
            fan_in: the number of inputs that one output depends on; for a transposed convolution,
                the average of this number over all outputs.
            fan_out: the number of outputs that one input contributes to.
            dtype: name of the dtype.
        """
        return host_normal(shape, self.deviation(fan_in, fan_out), dtype, self.generator)

    def deviation(self, fan_in: float, fan_out: int) -> float:
        """Return the standard deviation of the weights."""
        raise NotImplementedError(f"{type(self).__name__} must define deviation")


class LeCun(Initializer):
    """Use variance 1 / fan_in, as in the book (LeCun et al., "Efficient BackProp", 1998)."""

    def deviation(self, fan_in: float, fan_out: int) -> float:
        return float((fan_in or 1) ** -0.5)


class He(Initializer):
    """Use variance 2 / fan_in, for relu (He et al., "Delving Deep into Rectifiers", 2015)."""

    def deviation(self, fan_in: float, fan_out: int) -> float:
        return float((2 / (fan_in or 1)) ** 0.5)


class Xavier(Initializer):
    """Use variance 2 / (fan_in + fan_out), for tanh (Glorot and Bengio, 2010)."""

    def deviation(self, fan_in: float, fan_out: int) -> float:
        return float((2 / (fan_in + fan_out or 1)) ** 0.5)


def uniform(
    param: Parameter, low: float = 0.0, high: float = 1.0, *, generator: Any = None
) -> Parameter:
    """Draw the elements of a Parameter uniformly from [low, high); return the Parameter.

    Args:
        param: a Parameter that has data; its shape, dtype and device stay.
        low, high: the limits (default 0 and 1).
        generator: a ``numpy.random.Generator``; DeZero's own generator if None (default).

    Raises:
        ArgumentError: ``param`` is not a Parameter or has no data, a number is not finite, or
            ``low`` is above ``high``.
    """
    low, high = numbers("uniform", low=low, high=high)
    if low > high:
        raise ArgumentError(f"uniform: low {low}, high {high}: expected low <= high")
    return draw_parameter(
        "uniform", param, lambda draw, shape: draw.uniform(low, high, shape), generator
    )


def normal(
    param: Parameter, mean: float = 0.0, std: float = 1.0, *, generator: Any = None
) -> Parameter:
    """Draw the elements of a Parameter from a normal distribution; return the Parameter.

    Args:
        param, generator: as for `uniform`.
        mean, std: the mean and the standard deviation (default 0 and 1).

    Raises:
        ArgumentError: as for `uniform`, or ``std`` is negative.
    """
    mean, std = numbers("normal", mean=mean, std=std)
    return draw_parameter(
        "normal", param, lambda draw, shape: draw.normal(mean, std, shape), generator
    )


def truncated_normal(
    param: Parameter,
    mean: float = 0.0,
    std: float = 1.0,
    low: float = -2.0,
    high: float = 2.0,
    *,
    generator: Any = None,
) -> Parameter:
    """Draw elements from a normal distribution, and those outside of [low, high] again.

    Args:
        param, generator: as for `uniform`.
        mean, std: the mean and the standard deviation before truncation (default 0 and 1).
        low, high: the smallest and the largest value (default -2 and 2). These are values, not
            multiples of ``std``, as in PyTorch.

    Raises:
        ArgumentError: as for `uniform`; ``std`` is negative; or fewer than one in a thousand
            values would be between ``low`` and ``high``.
    """
    op = "truncated_normal"
    mean, std, low, high = numbers(op, mean=mean, std=std, low=low, high=high)
    scale = std * 2**0.5 or 1e-300
    if math.erf((high - mean) / scale) - math.erf((low - mean) / scale) < 0.002:
        raise ArgumentError(
            f"{op}: less than 0.1 % of a normal distribution with mean {mean} and std {std} is "
            f"between low {low} and high {high}; choose a wider interval"
        )

    def draw_values(draw: Any, shape: tuple[int, ...]) -> Any:
        values = draw.normal(mean, std, shape)
        while (outside := (values < low) | (values > high)).any():
            values[outside] = draw.normal(mean, std, len(values[outside]))
        return values

    return draw_parameter(op, param, draw_values, generator)


def constant(param: Parameter, value: float) -> Parameter:
    """Set every element of a Parameter to ``value``; return the Parameter.

    Raises:
        ArgumentError: ``param`` is not a Parameter or has no data, or ``value`` is not finite.
    """
    (number,) = numbers("constant", value=value)
    return fill("constant", param, number)


def fill(op: str, param: Parameter, number: float) -> Parameter:
    """Set every element of a Parameter to ``number``; errors name the function ``op``."""
    return draw_parameter(op, param, lambda draw, shape: draw.random(shape) * 0 + number, None)


def zeros(param: Parameter) -> Parameter:
    """Set every element of a Parameter to 0; return the Parameter."""
    return fill("zeros", param, 0.0)


def ones(param: Parameter) -> Parameter:
    """Set every element of a Parameter to 1; return the Parameter."""
    return fill("ones", param, 1.0)


def xavier_uniform(param: Parameter, gain: float = 1.0, *, generator: Any = None) -> Parameter:
    """Draw uniformly, with variance gain**2 * 2 / (fan_in + fan_out); return the Parameter.

    Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks",
    2010.

    Args:
        param: a Parameter of at least two axes: (inputs, outputs) as in Linear, or (outputs,
            inputs, *kernel) as in a convolution.
        gain: a factor of the standard deviation (default 1); see `calculate_gain`.
        generator: as for `uniform`.

    Raises:
        ArgumentError: as for `uniform`, or ``param`` has fewer than two axes.
    """
    bound = 3**0.5 * xavier_deviation("xavier_uniform", param, gain)
    return uniform(param, -bound, bound, generator=generator)


def xavier_normal(param: Parameter, gain: float = 1.0, *, generator: Any = None) -> Parameter:
    """Draw from a normal distribution with the variance of `xavier_uniform`."""
    std = xavier_deviation("xavier_normal", param, gain)
    return normal(param, 0.0, std, generator=generator)


def kaiming_uniform(
    param: Parameter,
    a: float = 0.0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    *,
    generator: Any = None,
) -> Parameter:
    """Draw uniformly, with variance gain**2 / fan; return the Parameter.

    He et al., "Delving Deep into Rectifiers", 2015.

    Args:
        param, generator: as for `xavier_uniform`.
        a: the slope of leaky_relu for negative inputs (default 0, with which leaky_relu is relu).
        mode: "fan_in" keeps the variance of activations (default), "fan_out" that of gradients.
        nonlinearity: the function after the layer (default "leaky_relu"), whose `calculate_gain`
            is the gain.

    Raises:
        ArgumentError: as for `xavier_uniform`, or ``mode`` or ``nonlinearity`` is unknown.
    """
    bound = 3**0.5 * kaiming_deviation("kaiming_uniform", param, a, mode, nonlinearity)
    return uniform(param, -bound, bound, generator=generator)


def kaiming_normal(
    param: Parameter,
    a: float = 0.0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    *,
    generator: Any = None,
) -> Parameter:
    """Draw from a normal distribution with the variance of `kaiming_uniform`."""
    std = kaiming_deviation("kaiming_normal", param, a, mode, nonlinearity)
    return normal(param, 0.0, std, generator=generator)


def orthogonal(param: Parameter, gain: float = 1.0, *, generator: Any = None) -> Parameter:
    """Draw a matrix with orthonormal rows or columns, and multiply it by ``gain``.

    Saxe, McClelland and Ganguli, "Exact solutions to the nonlinear dynamics of learning in deep
    linear neural networks", 2014.

    Args:
        param: a Parameter of at least two axes; all axes after the first are joined.
        gain: the factor (default 1).
        generator: as for `uniform`.

    Raises:
        ArgumentError: as for `xavier_uniform`.
    """
    fans("orthogonal", param)  # checks the shape
    (gain,) = numbers("orthogonal", gain=gain)

    def draw_matrix(draw: Any, shape: tuple[int, ...]) -> Any:
        rows, columns = shape[0], math.prod(shape[1:])
        x = draw.normal(size=(max(rows, columns), min(rows, columns)))
        q, r = backend_of(x).xp.linalg.qr(x)
        q = q * (1.0 - 2.0 * (r.diagonal() < 0))  # a uniform distribution needs a unique r
        return (q if rows >= columns else q.T).reshape(shape) * gain

    return draw_parameter("orthogonal", param, draw_matrix, generator)


def calculate_gain(nonlinearity: str, a: float = 0.01) -> float:
    """Return the recommended gain for a function: tanh 5/3, relu sqrt(2), selu 3/4, others 1.

    Args:
        nonlinearity: the name of a function of `dezero.functions`.
        a: the slope of leaky_relu for negative inputs (default 0.01); the gain of leaky_relu is
            sqrt(2 / (1 + a**2)).

    Raises:
        ArgumentError: the gain of the function is not known.
    """
    (a,) = numbers("calculate_gain", a=a)
    if isinstance(nonlinearity, str) and nonlinearity == "leaky_relu":
        return float((2 / (1 + a * a)) ** 0.5)
    if not isinstance(nonlinearity, str) or nonlinearity not in GAINS:
        raise ArgumentError(
            f"calculate_gain: nonlinearity is {nonlinearity!r}; expected one of leaky_relu, "
            f"{', '.join(GAINS)}"
        )
    return GAINS[nonlinearity]


GAINS = {"linear": 1.0, "sigmoid": 1.0, "tanh": 5 / 3, "relu": 2**0.5, "selu": 0.75}


def xavier_deviation(op: str, param: Parameter, gain: float) -> float:
    """Return the standard deviation of `xavier_uniform`."""
    (gain,) = numbers(op, gain=gain)
    if gain < 0:
        raise ArgumentError(f"{op}: gain is {gain}; expected a number of at least 0")
    return float(gain * (2 / (sum(fans(op, param)) or 1)) ** 0.5)


def kaiming_deviation(op: str, param: Parameter, a: float, mode: str, function: str) -> float:
    """Return the standard deviation of `kaiming_uniform`."""
    if not isinstance(mode, str) or mode not in ("fan_in", "fan_out"):
        raise ArgumentError(f"{op}: mode is {mode!r}; expected 'fan_in' or 'fan_out'")
    fan = fans(op, param)[mode == "fan_out"]
    return float(calculate_gain(function, a) / (fan or 1) ** 0.5)


def fans(op: str, param: Parameter) -> tuple[int, int]:
    """Return the numbers of inputs and outputs that one weight connects: fan_in and fan_out."""
    shape = require_data(op, param).shape
    if len(shape) < 2:
        raise ArgumentError(
            f"{op}: the parameter {param.name!r} has shape {shape}; expected at least two axes; "
            "use normal or zeros for vectors"
        )
    if len(shape) == 2:
        return shape[0], shape[1]
    return math.prod(shape[1:]), shape[0] * math.prod(shape[2:])


def draw_parameter(op: str, param: Parameter, draw: Callable[..., Any], source: Any) -> Parameter:
    """Set a Parameter to ``draw(generator, shape)``, in the dtype and on the device that it has."""
    old = require_data(op, param).data
    require_generator(op, source)
    values = draw(generator() if source is None else source, param.shape)
    values = values.astype("float64" if dtype_name(old.dtype) == "float64" else "float32")
    with updating():
        param.data = cast(match_device(values, old), old.dtype)
    return param


def require_data(op: str, param: Parameter) -> Parameter:
    """Raise `ArgumentError` unless ``param`` is a Parameter with data."""
    if not isinstance(param, Parameter):
        raise ArgumentError(
            f"{op}: param is of type {type(param).__name__}; expected a Parameter, such as layer.W"
        )
    if param.data is None:
        raise ArgumentError(
            f"{op}: the parameter {param.name!r} has no data yet; pass the input size to its "
            "layer, or run one forward pass first"
        )
    return param


def numbers(op: str, **values: float) -> list[float]:
    """Return numbers as Python floats; raise `ArgumentError` if one is infinite, NaN or a std < 0.

    Raises:
        ArgumentTypeError: a value is not a number.
    """
    found = {name: float(as_number(op, name, value)) for name, value in values.items()}
    for name, value in found.items():
        if not math.isfinite(value) or (name == "std" and value < 0):
            low = " of at least 0" if name == "std" else ""
            raise ArgumentError(f"{op}: {name} is {value}; expected a finite number{low}")
    return list(found.values())


if not TYPE_CHECKING:  # type checkers must report unknown names
    __getattr__ = hinting(__name__, INITIALIZERS)
