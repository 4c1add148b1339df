"""Define `CNN`, a small convolutional network."""

from __future__ import annotations

from dezero_core import Variable
from dezero_core.arguments import as_integer
from dezero_core.errors import ArgumentError
from dezero_core.functions import flatten
from dezero_core.variable import Operand

from ..functions import dropout, pooling, relu
from ..functions.dropout import require_ratio
from ..layers import Conv2d, Linear
from .model import Model


class CNN(Model):
    """Classify small images by two convolutions and two fully connected layers.

    The layers are: conv 3x3, relu, conv 3x3, relu, max pooling 2x2, dropout, fully connected, relu,
    dropout, fully connected. Images must be at least 6 pixels high and wide.

    Args:
        out_size: number of classes.
        channels: output channels of the first and the second convolution (default 32 and 64).
        hidden_size: size of the first fully connected layer (default 128).
        dropout_ratio: probability of dropping an element before each fully connected layer
            (default 0.25).

    Raises:
        ArgumentError: ``channels`` is not a pair, or ``dropout_ratio`` is not in [0, 1).
    """

    def __init__(
        self,
        out_size: int,
        channels: tuple[int, int] = (32, 64),
        hidden_size: int = 128,
        dropout_ratio: float = 0.25,
    ) -> None:
        require_ratio("CNN", dropout_ratio)
        if not isinstance(channels, list | tuple) or len(channels) != 2:
            raise ArgumentError(f"CNN: channels must be a pair such as (32, 64), got {channels!r}")
        as_integer("CNN", "out_size", out_size, 0)
        as_integer("CNN", "hidden_size", hidden_size, 0)
        self.dropout_ratio = dropout_ratio
        self.conv0, self.conv1 = Conv2d(channels[0], 3), Conv2d(channels[1], 3)
        self.fc0, self.fc1 = Linear(hidden_size), Linear(out_size)

    def forward(self, x: Operand) -> Variable:
        x = relu(self.conv1(relu(self.conv0(x))))
        x = dropout(flatten(pooling(x, 2, 2)), self.dropout_ratio)
        x = dropout(relu(self.fc0(x)), self.dropout_ratio)
        return self.fc1(x)
