"""Define the embedding layer, under the book's name and under PyTorch's."""

from __future__ import annotations

from typing import Any

from dezero_core import Parameter, Variable
from dezero_core.arguments import as_integer
from dezero_core.state import PyTorchArray, default_backend
from dezero_core.variable import Operand

from ..functions.embedding import embedding, require_row
from ..initializers import host_normal, require_generator
from .layer import Layer
from .weighted import parameter_dtype


class EmbedID(Layer):
    """Look up a trained vector for each id; see `dezero_nn.functions.embedding`.

    Args:
        in_size: the number of ids, V.
        out_size: length of the vectors, D.
        padding_idx: the id of padding, from -V to V - 1, or None (default). The row of this id is
            initially 0, and gets no gradient.
        dtype: dtype of the table, a name or a NumPy dtype (default float32).
        generator: a ``numpy.random.Generator`` that draws ``W``; DeZero's own generator if None.

    Attributes:
        W: the table, shape (V, D), drawn from a normal distribution with standard deviation 1.

    Raises:
        ArgumentError: a size is negative, or ``padding_idx`` is not in [-V, V).
    """

    _needed = ("W",)
    padding_idx: int | None = None

    def __init__(
        self,
        in_size: int,
        out_size: int,
        padding_idx: int | None = None,
        *,
        dtype: object = "float32",
        generator: Any = None,
    ) -> None:
        name = type(self).__name__
        in_size = as_integer(name, "in_size", in_size, 0)
        out_size = as_integer(name, "out_size", out_size, 0)
        self.in_size, self.out_size = in_size, out_size
        require_generator(name, generator)
        table = host_normal((in_size, out_size), 1.0, parameter_dtype(name, dtype), generator)
        if padding_idx is not None:
            self.padding_idx = require_row(name, padding_idx, in_size)
            table[self.padding_idx] = 0.0
        self.W = Parameter(default_backend().from_numpy(table), name="W")

    def pytorch_arrays(self) -> dict[str, PyTorchArray]:
        return {"W": PyTorchArray(("weight",), (self.in_size, self.out_size))}

    def forward(self, x: Operand) -> Variable:
        return embedding(x, self.W, self.padding_idx)


class Embedding(EmbedID):
    """Look up a trained vector for each id: `EmbedID` under PyTorch's name."""
