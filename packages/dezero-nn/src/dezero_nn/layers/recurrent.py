"""Recurrent layers: what they return depends on what came before."""

from __future__ import annotations

from typing import Any

from dezero_core import Variable, as_variable
from dezero_core.errors import ShapeError
from dezero_core.extend import backend_of
from dezero_core.functions import tanh

from ..functions import sigmoid
from .layer import Layer
from .linear import Linear


class Recurrent(Layer):
    """A layer with a state ``h``, shape (N, hidden), from one call to the next.

    The state keeps the graph of the calls before: cut it with ``unchain_backward()`` from time
    to time, and start anew with ``reset_state()``. A copy starts anew.
    """

    def __init__(self, hidden_size: int) -> None:
        self.hidden_size = hidden_size
        self.reset_state()

    def reset_state(self) -> None:
        """Forget what came before."""
        self.h: Variable | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "h": None}

    def prepared(self, x: Any) -> Variable:
        """``x`` as a Variable of as many rows as the state has."""
        x = as_variable(x)
        if x.ndim != 2 or (self.h is not None and self.h.shape[0] != x.shape[0]):
            rows = "" if self.h is None else f"; the state is of {self.h.shape[0]} rows"
            raise ShapeError(
                f"{type(self).__name__}: x {x.shape}: expected (N, in), one step of N sequences"
                f"{rows}; reset_state() forgets it"
            )
        return x


class RNN(Recurrent):
    """h = tanh(x2h(x) + h2h(h)), an Elman network (book step 59).

    Args:
        hidden_size: length of the state's rows.
        in_size: length of the input's rows; taken from the first input if None.

    Attributes:
        x2h, h2h: `Linear`, the second without bias.
        h: the state, shape (N, hidden), or None.
    """

    def __init__(self, hidden_size: int, in_size: int | None = None) -> None:
        super().__init__(hidden_size)
        (self.x2h,) = from_input(1, hidden_size, in_size)
        (self.h2h,) = from_state(1, hidden_size)

    def forward(self, x: Any) -> Variable:
        y = self.x2h(self.prepared(x))
        self.h = tanh(y if self.h is None else y + self.h2h(self.h))
        return self.h


class LSTM(Recurrent):
    """c = f * c + i * u,  h = o * tanh(c),  with f, i, o = sigmoid and u = tanh of x and h.

    Hochreiter and Schmidhuber, "Long Short-Term Memory", 1997; book step 60.

    Args:
        hidden_size: length of the state's rows.
        in_size: length of the input's rows; taken from the first input if None.

    Attributes:
        x2f, x2i, x2o, x2u: `Linear`, from the input to the gates.
        h2f, h2i, h2o, h2u: `Linear` without bias, from the state to the gates.
        h, c: the state, shape (N, hidden), or None.
    """

    def __init__(self, hidden_size: int, in_size: int | None = None) -> None:
        super().__init__(hidden_size)
        self.x2f, self.x2i, self.x2o, self.x2u = from_input(4, hidden_size, in_size)
        self.h2f, self.h2i, self.h2o, self.h2u = from_state(4, hidden_size)

    def reset_state(self) -> None:
        super().reset_state()
        self.c: Variable | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "c": None}

    def forward(self, x: Any) -> Variable:
        x = self.prepared(x)
        f, i, o, u = self.x2f(x), self.x2i(x), self.x2o(x), self.x2u(x)
        if self.h is None or self.c is None:  # there is nothing to forget
            self.c = sigmoid(i) * tanh(u)
        else:
            f, i = f + self.h2f(self.h), i + self.h2i(self.h)
            o, u = o + self.h2o(self.h), u + self.h2u(self.h)
            self.c = sigmoid(f) * self.c + sigmoid(i) * tanh(u)
        self.h = sigmoid(o) * tanh(self.c)
        return self.h


class GRU(Recurrent):
    """h = (1 - z) * n + z * h,  with n = tanh(x2n(x) + r * h2n(h)) and r, z = sigmoid of x and h.

    Cho et al., 2014, with the reset gate behind the product, as PyTorch and cuDNN have it.

    Args:
        hidden_size: length of the state's rows.
        in_size: length of the input's rows; taken from the first input if None.

    Attributes:
        x2r, x2z, x2n, h2n: `Linear`.
        h2r, h2z: `Linear` without bias.
        h: the state, shape (N, hidden), or None: zeros.
    """

    def __init__(self, hidden_size: int, in_size: int | None = None) -> None:
        super().__init__(hidden_size)
        self.x2r, self.x2z, self.x2n = from_input(3, hidden_size, in_size)
        self.h2r, self.h2z = from_state(2, hidden_size)
        self.h2n = Linear(hidden_size, in_size=hidden_size)

    def forward(self, x: Any) -> Variable:
        x = self.prepared(x)
        r, z, n = self.x2r(x), self.x2z(x), self.x2n(x)
        h = as_variable(backend_of(n.data).zeros(n.shape, n.data)) if self.h is None else self.h
        r, z = sigmoid(r + self.h2r(h)), sigmoid(z + self.h2z(h))
        n = tanh(n + r * self.h2n(h))
        self.h = n + z * (h - n)
        return self.h


def from_input(gates: int, hidden_size: int, in_size: int | None) -> list[Linear]:
    """A layer for each gate, from the input to the state."""
    return [Linear(hidden_size, in_size=in_size) for _ in range(gates)]


def from_state(gates: int, hidden_size: int) -> list[Linear]:
    """A layer for each gate, from the state to itself."""
    return [Linear(hidden_size, nobias=True, in_size=hidden_size) for _ in range(gates)]
