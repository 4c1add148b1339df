"""Multi-layer perceptron."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from dezero_core.errors import ArgumentError
from dezero_core.extend import as_integers

from ..functions import sigmoid
from ..layers import Linear
from .model import Model


class MLP(Model):
    """Fully connected layers with an activation between them (book step 45).

    Args:
        fc_output_sizes: output size of each layer; the last has no activation.
        activation: between layers (default sigmoid, as in the book).
        in_size: length of the input rows; taken from the first input if None.

    Raises:
        ArgumentError: the sizes are not a sequence, or the activation is not a function.
    """

    def __init__(
        self,
        fc_output_sizes: Sequence[int],
        activation: Callable[[Any], Any] = sigmoid,
        in_size: int | None = None,
    ) -> None:
        if not callable(activation):
            raise ArgumentError(
                "MLP: output sizes must be one argument, the size of the input a keyword, and the "
                "activation a function: MLP((100, 10), activation=relu, in_size=784); got "
                f"MLP({fc_output_sizes!r}, {getattr(activation, '__name__', activation)!r})"
            )
        self.activation = activation
        self.layers: list[Linear] = []
        for position, out_size in enumerate(as_integers("MLP", "fc_output_sizes", fc_output_sizes)):
            layer = Linear(out_size, in_size=in_size)
            setattr(self, f"l{position}", layer)
            self.layers.append(layer)
            in_size = None if in_size is None else out_size

    def forward(self, x: Any) -> Any:
        for layer in self.layers[:-1]:
            x = self.activation(layer(x))
        return self.layers[-1](x)
