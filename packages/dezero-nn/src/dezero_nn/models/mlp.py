"""Define `MLP`, the multi-layer perceptron."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from dezero_core import Variable
from dezero_core.arguments import as_integer, as_integers
from dezero_core.errors import ArgumentError
from dezero_core.variable import Operand

from ..functions import sigmoid
from ..layers import Linear
from .layer_list import Layered


class MLP(Layered):
    """Apply fully connected layers with an activation between them (book step 45).

    The layers are the attributes ``l0``, ``l1``, ... and the list ``layers``, see `LayerList`.

    Args:
        fc_output_sizes: output size of each layer; no activation follows the last layer.
        activation: the function between two layers (default sigmoid, as in the book).
        in_size: size of the input; taken from the first input if None.

    Raises:
        ArgumentError: the sizes are not a sequence, or the activation is not a function.
    """

    def __init__(
        self,
        fc_output_sizes: Sequence[int],
        activation: Callable[[Any], Any] = sigmoid,
        *,
        in_size: int | None = None,
    ) -> None:
        if not callable(activation):
            raise ArgumentError(
                "MLP: output sizes must be one argument, the size of the input a keyword, and the "
                "activation a function: MLP((100, 10), activation=relu, in_size=784); got "
                f"MLP({fc_output_sizes!r}, {getattr(activation, '__name__', activation)!r})"
            )
        self.activation = activation
        out_sizes = as_integers("MLP", "fc_output_sizes", fc_output_sizes)
        if in_size is not None:
            as_integer("MLP", "in_size", in_size, 1)
        in_sizes = [in_size, *(None if in_size is None else size for size in out_sizes[:-1])]
        sizes = zip(out_sizes, in_sizes, strict=False)
        super().__init__([Linear(out_size, in_size=in_size) for out_size, in_size in sizes])

    def forward(self, x: Operand) -> Variable:
        *hidden, last = self.layers
        for layer in hidden:
            x = self.activation(layer(x))
        return last(x)
