"""Define `Linear`, the fully connected layer."""

from __future__ import annotations

from functools import partial

from dezero_core import Variable, as_variable
from dezero_core.arguments import as_integer
from dezero_core.errors import ShapeError
from dezero_core.extend import ArrayBackend, backend_of
from dezero_core.state import PyTorchArray, default_backend
from dezero_core.variable import Operand

from ..functions.linear import linear
from ..initializers import Initializer, create_once
from .weighted import Weighted


class Linear(Weighted):
    """Multiply by a weight and add a bias: y = x W + b (book step 44).

    Args:
        out_size: length of the last axis of the output.
        nobias: leave ``b`` out (default False).
        dtype: dtype of the parameters, a name or a NumPy dtype (default float32).
        in_size: length of the last axis of the input; taken from the first input if None.
        initializer: draws ``W`` (default `dezero_nn.initializers.LeCun`).

    Attributes:
        W: shape (in, out).
        b: shape (out,), zeros; None with ``nobias``.
    """

    output_axis = 1

    def __init__(
        self,
        out_size: int,
        *,
        nobias: bool = False,
        dtype: object = "float32",
        in_size: int | None = None,
        initializer: Initializer | None = None,
    ) -> None:
        self.in_size, self.out_size = in_size, as_integer("Linear", "out_size", out_size, 0)
        super().__init__(self.out_size, nobias, dtype, initializer)
        if in_size is not None:
            self._init_W(as_integer("Linear", "in_size", in_size, 1), default_backend())

    def _init_W(self, in_size: int, backend: ArrayBackend) -> None:
        """Create ``W`` on a backend, for inputs of length ``in_size``."""
        self.in_size = in_size
        self.draw_W((in_size, self.out_size), in_size, self.out_size, backend)

    def pytorch_arrays(self) -> dict[str, PyTorchArray]:
        return self.pytorch_pair((self.out_size, self.in_size), self.out_size, transposed=True)

    def ready_for(self, x: Variable) -> Linear:
        """Return this layer; create ``W`` if ``x`` is the first input."""
        if self.W.data is None:
            if x.ndim == 0:
                raise ShapeError("Linear: x has no axes; expected (..., in)")
            create_once((self.W,), partial(self._init_W, x.shape[-1], backend_of(x.data)))
        return self

    def forward(self, x: Operand) -> Variable:
        x = as_variable(x)
        return linear(x, self.ready_for(x).W, self.b)
