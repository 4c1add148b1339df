"""Define dropout. During training, the elements that are not dropped are scaled up."""

from __future__ import annotations

from typing import Any

from dezero_core import Config, Function, Variable, as_variable, get_array_module
from dezero_core.arguments import as_number
from dezero_core.dtypes import as_floating
from dezero_core.errors import ArgumentError
from dezero_core.extend import Array, backend_of, kernel_op, unwrap
from dezero_core.functions import reshape
from dezero_core.hints import hinted
from dezero_core.variable import AnyArray, Operand


@kernel_op
def scaled_where_op(x: Array, mask: Array, scale: float) -> Array:
    """Return x times scale where the mask (bools, the shape of x) is true, and 0 elsewhere."""
    return get_array_module(x).where(mask, x * scale, backend_of(x).scalar_like(0.0, x))


class Dropout(Function):
    """y = scale x where the mask is true, else 0;  dL/dx = scale gy where the mask is true."""

    def __init__(self, scale: float) -> None:
        self.scale = scale

    def forward(self, x: Array, mask: Array) -> Any:
        return scaled_where_op(x, mask, self.scale)

    def backward(self, gy: AnyArray) -> Any:
        _, mask = self.inputs
        return Dropout(self.scale)(gy, unwrap(mask)), None


def require_ratio(op: str, ratio: float, name: str = "dropout_ratio") -> None:
    """Raise `ArgumentError` unless a ratio, the argument called ``name``, is in [0, 1)."""
    try:
        fits = 0 <= ratio < 1
    except TypeError:
        fits = False
    if not fits:
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
