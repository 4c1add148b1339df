"""Define `EmbedID`, the embedding layer."""

from __future__ import annotations

from typing import Any

from dezero_core import Parameter, Variable
from dezero_core.arguments import as_integer
from dezero_core.state import PyTorchArray, default_backend, host_normal
from dezero_core.variable import Operand

from ..functions import embed_id
from .layer import Layer
from .weighted import parameter_dtype


class EmbedID(Layer):
    """Look up a trained vector for each id; see `dezero_nn.functions.embed_id`.

    Args:
        in_size: the number of ids, V.
        out_size: length of the vectors, D.
        dtype: dtype of the table, a name or a NumPy dtype (default float32).
        generator: a ``numpy.random.Generator`` that draws ``W``; DeZero's own generator if None.

    Attributes:
        W: the table, shape (V, D), drawn from a normal distribution with standard deviation 1.
    """

    _needed = ("W",)

    def __init__(
        self,
        in_size: int,
        out_size: int,
        *,
        dtype: object = "float32",
        generator: Any = None,
    ) -> None:
        in_size = as_integer("EmbedID", "in_size", in_size, 0)
        out_size = as_integer("EmbedID", "out_size", out_size, 0)
        self.in_size, self.out_size = in_size, out_size
        table = host_normal((in_size, out_size), 1.0, parameter_dtype("EmbedID", dtype), generator)
        self.W = Parameter(default_backend().from_numpy(table), name="W")

    def pytorch_arrays(self) -> dict[str, PyTorchArray]:
        return {"W": PyTorchArray(("weight",), (self.in_size, self.out_size))}

    def forward(self, x: Operand) -> Variable:
        return embed_id(x, self.W)
