"""Define layers that drop elements or channels while training."""

from __future__ import annotations

from dezero_core import Variable
from dezero_core.variable import Operand

from ..functions.dropout import (
    alpha_dropout,
    dropout,
    dropout1d,
    dropout2d,
    dropout3d,
    require_ratio,
)
from .layer import Layer


class Dropout(Layer):
    """Drop elements while training; see `dezero_nn.functions.dropout`.

    Args:
        dropout_ratio: probability of dropping an element (default 0.5).

    Raises:
        ArgumentError: ``dropout_ratio`` is not in [0, 1).
    """

    def __init__(self, dropout_ratio: float = 0.5) -> None:
        require_ratio(type(self).__name__, dropout_ratio)
        self.dropout_ratio = dropout_ratio

    def forward(self, x: Operand) -> Variable:
        return dropout(x, self.dropout_ratio)


class Dropout1d(Dropout):
    """Drop channels of sequences (N, C, L) while training; see `dezero_nn.functions.dropout1d`.

    The argument and the error are those of `Dropout`.
    """

    def forward(self, x: Operand) -> Variable:
        return dropout1d(x, self.dropout_ratio)


class Dropout2d(Dropout):
    """Drop channels of images (N, C, H, W) while training; see `dezero_nn.functions.dropout2d`.

    The argument and the error are those of `Dropout`.
    """

    def forward(self, x: Operand) -> Variable:
        return dropout2d(x, self.dropout_ratio)


class Dropout3d(Dropout):
    """Drop channels of volumes (N, C, D, H, W) while training; see `dezero_nn.functions.dropout3d`.

    The argument and the error are those of `Dropout`.
    """

    def forward(self, x: Operand) -> Variable:
        return dropout3d(x, self.dropout_ratio)


class AlphaDropout(Dropout):
    """Drop inputs of layers with `SELU` while training; see `dezero_nn.functions.alpha_dropout`.

    The argument and the error are those of `Dropout`.
    """

    def forward(self, x: Operand) -> Variable:
        return alpha_dropout(x, self.dropout_ratio)
