"""Define dropout. During training, the elements that are not dropped are scaled up."""

from __future__ import annotations

from dezero_core import Config, Variable, as_variable
from dezero_core.arguments import as_number
from dezero_core.dtypes import as_floating
from dezero_core.errors import ArgumentError, ShapeError
from dezero_core.extend import backend_of
from dezero_core.functions import reshape, where
from dezero_core.hints import hinted
from dezero_core.variable import Operand

from .exponential_units import ALPHA, SCALE
from .masking import ScaledWhere


class Dropout(ScaledWhere):
    """y = scale x where the mask is true, else 0."""


def require_ratio(op: str, ratio: float, name: str = "dropout_ratio") -> None:
    """Raise `ArgumentError` unless a ratio, the argument called ``name``, is in [0, 1)."""
    if not 0 <= as_number(op, name, ratio) < 1:
        raise ArgumentError(f"{op}: {name} {ratio!r} is not in [0, 1)")


@hinted
def dropout(x: Operand, dropout_ratio: float = 0.5) -> Variable:
    """Set each element to 0 with probability ``dropout_ratio`` (book step 54).

    The remaining elements are divided by ``1 - dropout_ratio``, so that the expectation of the
    result is ``x``. In evaluation (``test_mode()``, ``model.eval()``) and if ``dropout_ratio`` is
    0, the result is a view of ``x``, connected to the graph. The mask is drawn on the device of
    ``x``. Srivastava et al., "Dropout", JMLR 15 (2014).

    Raises:
        ArgumentError: ``dropout_ratio`` is not in [0, 1).
        ArgumentTypeError: ``dropout_ratio`` is not a number.
    """
    dropout_ratio = as_number("dropout", "dropout_ratio", dropout_ratio)
    require_ratio("dropout", dropout_ratio)
    x = as_variable(as_floating(x))
    if not Config.train or dropout_ratio == 0:
        return reshape(x, x.shape)  # a new Variable, so that x keeps its own name and grad
    mask = backend_of(x.data).bernoulli(1 - dropout_ratio, x.data)
    return Dropout(1 / (1 - dropout_ratio))(x, mask)


@hinted
def dropout1d(x: Operand, p: float = 0.5) -> Variable:
    """Set each channel of sequences to 0 with probability ``p``.

    The other channels are divided by ``1 - p``. In evaluation, the result is a view of
    ``x``. Tompson et al., "Efficient Object Localization", 2015.

    Args:
        x: shape (N, C, L), or (C, L) without a batch axis.
        p: a number in [0, 1); default 0.5.

    Raises:
        ShapeError: ``x`` has another number of axes.
        ArgumentError: ``p`` is not in [0, 1).
    """
    return dropout_channels("dropout1d", x, p, {2: 1, 3: 2})


@hinted
def dropout2d(x: Operand, p: float = 0.5) -> Variable:
    """Set each channel of images (N, C, H, W) to 0 with a probability; see `dropout1d`."""
    return dropout_channels("dropout2d", x, p, {4: 2})


@hinted
def dropout3d(x: Operand, p: float = 0.5) -> Variable:
    """Set each channel of volumes (N, C, D, H, W) to 0 with a probability; see `dropout1d`.

    The batch axis may be missing.
    """
    return dropout_channels("dropout3d", x, p, {4: 1, 5: 2})


def dropout_channels(op: str, x: Operand, ratio: float, leading: dict[int, int]) -> Variable:
    """Apply dropout to whole channels.

    Args:
        op: the name of the op, for error messages.
        x: an array whose number of axes is a key of ``leading``.
        ratio: the probability of dropping a channel.
        leading: a dictionary from numbers of axes to the number of axes up to the channels.
    """
    ratio = as_number(op, "p", ratio)
    require_ratio(op, ratio, "p")
    x = as_variable(as_floating(x))
    if x.ndim not in leading:
        expected = " or ".join(map(str, leading))
        raise ShapeError(f"{op}: shape {tuple(x.shape)}: expected {expected} axes")
    if not Config.train or ratio == 0:
        return reshape(x, x.shape)
    n = leading[x.ndim]
    backend = backend_of(x.data)
    channels = backend.zeros((*x.shape[:n], *(1,) * (x.ndim - n)), x.data)
    return Dropout(1 / (1 - ratio))(x, backend.bernoulli(1 - ratio, channels))


@hinted
def alpha_dropout(x: Operand, p: float = 0.5) -> Variable:
    """Set elements to the limit of `selu`, so that the mean 0 and the variance 1 are preserved.

    Each element is replaced by -1.7581 with probability ``p``; then all elements are
    scaled and shifted. In evaluation, the result is a view of ``x``. Klambauer et al.,
    "Self-Normalizing Neural Networks", 2017.

    Raises:
        ArgumentError: ``p`` is not in [0, 1).
    """
    ratio = as_number("alpha_dropout", "p", p)
    require_ratio("alpha_dropout", ratio, "p")
    x = as_variable(as_floating(x))
    if not Config.train or ratio == 0:
        return reshape(x, x.shape)
    limit = -ALPHA * SCALE
    scale = ((1 - ratio) * (1 + ratio * limit**2)) ** -0.5
    mask = backend_of(x.data).bernoulli(1 - ratio, x.data)
    return (where(mask, x, limit) - limit * ratio) * scale
