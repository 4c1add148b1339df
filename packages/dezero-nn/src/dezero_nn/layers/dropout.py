"""Define `Dropout`, the layer that calls `dezero_nn.functions.dropout`."""

from __future__ import annotations

from dezero_core import Variable
from dezero_core.variable import Operand

from ..functions.dropout import dropout, require_ratio
from .layer import Layer


class Dropout(Layer):
    """Drop elements while training; see `dezero_nn.functions.dropout`.

    Args:
        dropout_ratio: probability of dropping an element (default 0.5).

    Raises:
        ArgumentError: ``dropout_ratio`` is not in [0, 1).
    """

    def __init__(self, dropout_ratio: float = 0.5) -> None:
        require_ratio("Dropout", dropout_ratio)
        self.dropout_ratio = dropout_ratio

    def forward(self, x: Operand) -> Variable:
        return dropout(x, self.dropout_ratio)
