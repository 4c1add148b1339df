"""Define recurrent layers, whose output also depends on earlier inputs."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from reprlib import repr as shortened

from dezero_core import Variable, as_variable
from dezero_core.arguments import as_integer
from dezero_core.dtypes import as_floating
from dezero_core.errors import ArgumentError
from dezero_core.extend import backend_of
from dezero_core.functions import concat, stack, tanh, transpose, unstack
from dezero_core.state import PyTorchArray

from ..functions import gru, lstm, relu, sigmoid
from .hooks import has_hooks
from .lengths import Lengths
from .linear import Linear
from .recurrent_base import Recurrent


class RNN(Recurrent):
    """Elman network: h = tanh(x2h(x) + h2h(h)) (book step 59).

    Args:
        hidden_size: size of the state.
        in_size: size of the input; taken from the first input if None.
        nonlinearity: "tanh" (default) or "relu", as in PyTorch.
        num_layers, bidirectional, dropout, batch_first, nobias, dtype: see `Recurrent` (default 1,
            False, 0.0, False, False and float32).

    Attributes:
        x2h, h2h: `Linear`; h2h has no bias.
        h: the state, shape (N, hidden), or None.
    """

    nonlinearity: str = "tanh"

    def __init__(
        self,
        hidden_size: int,
        *,
        in_size: int | None = None,
        nonlinearity: str = "tanh",
        num_layers: int = 1,
        bidirectional: bool = False,
        dropout: float = 0.0,
        batch_first: bool = False,
        nobias: bool = False,
        dtype: object = "float32",
    ) -> None:
        super().__init__(
            hidden_size,
            num_layers=num_layers,
            bidirectional=bidirectional,
            dropout=dropout,
            batch_first=batch_first,
            nobias=nobias,
            dtype=dtype,
        )
        if not isinstance(nonlinearity, str) or nonlinearity not in ("tanh", "relu"):
            raise ArgumentError(
                f"RNN: nonlinearity {shortened(nonlinearity)}; expected 'tanh' or 'relu'"
            )
        self.nonlinearity = nonlinearity
        (self.x2h,) = from_input(1, self, in_size)
        (self.h2h,) = from_state(1, self)
        self.cells = self.further_cells(partial(RNN, nonlinearity=nonlinearity), in_size)

    def pytorch_arrays(self) -> dict[str, PyTorchArray]:
        return pytorch_gates("h", self, self.x2h.in_size)

    def step(self, x: Variable) -> Variable:
        return self.next_state(self.x2h(x))

    def next_state(self, y: Variable) -> Variable:
        """Update the state, where ``y`` is x2h(x), and return the new state."""
        if self.h is None and not are_linear([self.h2h], bias=False):
            self.h = zeros_for(y, y.shape, y)
        y = y if self.h is None else y + self.h2h(self.h)
        self.h = relu(y) if self.nonlinearity == "relu" else tanh(y)
        return self.h

    def sequence(self, x: Variable, lengths: Lengths | None = None) -> Variable:
        if type(self).step is not RNN.step or type(self.x2h) is not Linear:
            return super().sequence(x, lengths)
        hs = stack([self.next_state(y) for y in unstack(self.x2h(x))])
        if lengths is not None:
            self.h = lengths.last_step(hs)
        return hs


class LSTM(Recurrent):
    """Long short-term memory: c = f * c + i * u,  h = o * tanh(c).

    The gates are f = sigmoid(x2f(x) + h2f(h)), i and o are computed likewise, and u = tanh(x2u(x) +
    h2u(h)). Hochreiter and Schmidhuber, "Long Short-Term Memory", 1997; book step 60.

    Args:
        hidden_size: size of the state.
        in_size: size of the input; taken from the first input if None.
        num_layers, bidirectional, dropout, batch_first, nobias, dtype: see `Recurrent` (default 1,
            False, 0.0, False, False and float32).

    Attributes:
        x2f, x2i, x2o, x2u: `Linear`, from the input to the gates.
        h2f, h2i, h2o, h2u: `Linear` without bias, from the state to the gates.
        h, c: the state, shape (N, hidden), or None.
    """

    STATES = "h", "c"
    c: Variable | None

    def __init__(
        self,
        hidden_size: int,
        *,
        in_size: int | None = None,
        num_layers: int = 1,
        bidirectional: bool = False,
        dropout: float = 0.0,
        batch_first: bool = False,
        nobias: bool = False,
        dtype: object = "float32",
    ) -> None:
        super().__init__(
            hidden_size,
            num_layers=num_layers,
            bidirectional=bidirectional,
            dropout=dropout,
            batch_first=batch_first,
            nobias=nobias,
            dtype=dtype,
        )
        self.x2f, self.x2i, self.x2o, self.x2u = from_input(4, self, in_size)
        self.h2f, self.h2i, self.h2o, self.h2u = from_state(4, self)
        self.cells = self.further_cells(LSTM, in_size)

    def pytorch_arrays(self) -> dict[str, PyTorchArray]:
        return pytorch_gates("ifuo", self, self.x2f.in_size)

    def step(self, x: Variable) -> Variable:
        f, i, o, u = self.x2f(x), self.x2i(x), self.x2o(x), self.x2u(x)
        from_h = [self.h2f, self.h2i, self.h2o, self.h2u]
        if self.h is None and not are_linear(from_h, bias=False):
            self.h = self.c = zeros_for(i, i.shape, i)
        if self.h is None or self.c is None:  # no state yet, so nothing to forget
            self.c = sigmoid(i) * tanh(u)
        else:
            f, i = f + self.h2f(self.h), i + self.h2i(self.h)
            o, u = o + self.h2o(self.h), u + self.h2u(self.h)
            self.c = sigmoid(f) * as_floating(self.c, i) + sigmoid(i) * tanh(u)
        self.h = sigmoid(o) * tanh(self.c)
        return self.h

    def sequence(self, x: Variable, lengths: Lengths | None = None) -> Variable:
        from_x = [self.x2i, self.x2f, self.x2u, self.x2o]
        from_h = [self.h2i, self.h2f, self.h2u, self.h2o]
        are_gates = are_linear(from_x, not self.nobias) and are_linear(from_h, bias=False)
        if type(self).step is not LSTM.step or not are_gates:  # the op has other steps
            return super().sequence(x, lengths)
        from_x = [gate.ready_for(x) for gate in from_x]
        Wx, Wh = (concat([transpose(gate.W) for gate in gates]) for gates in (from_x, from_h))
        b, h, c = biases_of(from_x, Wh), self.h, self.c
        if h is None or c is None:
            h = c = zeros_for(x, (x.shape[1], self.hidden_size), Wh)
        if lengths is not None:
            x, Wx = lengths.close_gates(x, Wx)
        hs, self.c = lstm(x, Wx, Wh, b, h, c)
        self.h = hs[-1] if lengths is None else lengths.last_step(hs)
        return hs


class GRU(Recurrent):
    """Gated recurrent unit: h = (1 - z) * n + z * h,  with n = tanh(x2n(x) + r * h2n(h)).

    The gates are r = sigmoid(x2r(x) + h2r(h)), and z = sigmoid(x2z(x) + h2z(h)). Cho et al., 2014,
    with the reset gate applied after the matmul, as in PyTorch and cuDNN.

    Args:
        hidden_size: size of the state.
        in_size: size of the input; taken from the first input if None.
        num_layers, bidirectional, dropout, batch_first, nobias, dtype: see `Recurrent` (default 1,
            False, 0.0, False, False and float32).

    Attributes:
        x2r, x2z, x2n, h2n: `Linear`.
        h2r, h2z: `Linear` without bias.
        h: the state, shape (N, hidden), or None, which stands for zeros.
    """

    def __init__(
        self,
        hidden_size: int,
        *,
        in_size: int | None = None,
        num_layers: int = 1,
        bidirectional: bool = False,
        dropout: float = 0.0,
        batch_first: bool = False,
        nobias: bool = False,
        dtype: object = "float32",
    ) -> None:
        super().__init__(
            hidden_size,
            num_layers=num_layers,
            bidirectional=bidirectional,
            dropout=dropout,
            batch_first=batch_first,
            nobias=nobias,
            dtype=dtype,
        )
        self.x2r, self.x2z, self.x2n = from_input(3, self, in_size)
        self.h2r, self.h2z = from_state(2, self)
        (self.h2n,) = from_input(1, self, self.hidden_size)
        self.cells = self.further_cells(GRU, in_size)

    def pytorch_arrays(self) -> dict[str, PyTorchArray]:
        arrays = pytorch_gates("rzn", self, self.x2r.in_size)
        if self.nobias:
            return arrays
        n = arrays["x2n/b"]  # h2n has PyTorch's second bias: the reset gate multiplies it
        arrays["x2n/b"] = replace(n, names=("bias_ih_l0",))
        arrays["h2n/b"] = replace(n, names=("bias_hh_l0",))
        return arrays

    def step(self, x: Variable) -> Variable:
        r, z, n = self.x2r(x), self.x2z(x), self.x2n(x)
        h = zeros_for(n, n.shape, n) if self.h is None else as_floating(self.h, n)
        r, z = sigmoid(r + self.h2r(h)), sigmoid(z + self.h2z(h))
        n = tanh(n + r * self.h2n(h))
        self.h = n + z * (h - n)
        return self.h

    def sequence(self, x: Variable, lengths: Lengths | None = None) -> Variable:
        from_x, from_h = [self.x2r, self.x2z, self.x2n], [self.h2r, self.h2z]
        with_bias = [*from_x, self.h2n]
        are_gates = are_linear(with_bias, not self.nobias) and are_linear(from_h, bias=False)
        if type(self).step is not GRU.step or not are_gates:  # the op has other steps
            return super().sequence(x, lengths)
        from_x = [gate.ready_for(x) for gate in from_x]
        h2n = self.h2n.ready_for(from_h[0].W)
        Wx, Wh = (concat([transpose(g.W) for g in gates]) for gates in (from_x, [*from_h, h2n]))
        bx, b = biases_of(from_x, Wh), biases_of([h2n], Wh)
        shape, h = (x.shape[1], self.hidden_size), self.h
        bh = concat([zeros_for(b, (2 * self.hidden_size,), b), b])
        hs = gru(x, Wx, Wh, bx, bh, zeros_for(x, shape, Wh) if h is None else h)
        self.h = hs[-1] if lengths is None else lengths.last_step(hs)
        return hs


def are_linear(gates: list[Linear], bias: bool) -> bool:
    """Return whether all gates are plain `Linear` layers without hooks, with a bias or without one.

    If ``bias`` is False, as for layers applied to the state, the weights must already exist too.
    """
    if not all(type(gate) is Linear and (gate.b is not None) == bias for gate in gates):
        return False
    if any(has_hooks(gate) for gate in gates):
        return False
    return bias or all(gate.W.data is not None for gate in gates)


def from_input(gates: int, layer: Recurrent, in_size: int | None) -> list[Linear]:
    """Create the `Linear` layers from the input to the gates."""
    size, nobias, dtype = layer.hidden_size, layer.nobias, layer.dtype
    if in_size is not None:
        as_integer(type(layer).__name__, "in_size", in_size, 1)
    return [Linear(size, nobias=nobias, dtype=dtype, in_size=in_size) for _ in range(gates)]


def from_state(gates: int, layer: Recurrent) -> list[Linear]:
    """Create the `Linear` layers from the state to the gates, without bias."""
    size, dtype = layer.hidden_size, layer.dtype
    return [Linear(size, nobias=True, dtype=dtype, in_size=size) for _ in range(gates)]


def biases_of(gates: list[Linear], W: Variable) -> Variable:
    """Return the joined biases of the gates, or zeros in the dtype of ``W`` if they have none."""
    biases = [gate.b for gate in gates if gate.b is not None]
    return concat(biases) if biases else zeros_for(W, (sum(gate.out_size for gate in gates),), W)


def pytorch_gates(gates: str, layer: Recurrent, in_size: int | None) -> dict[str, PyTorchArray]:
    """Describe the arrays of PyTorch's recurrent layer, which stack the gates along the first axis.

    Args:
        gates: the letters of the gates, such as "ifuo", in PyTorch's order.
        layer: the layer, which has no biases if its ``nobias`` is True.
        in_size: the size of the input.
    """
    hidden_size, parts = layer.hidden_size, len(gates)
    rows = parts * hidden_size
    arrays: dict[str, PyTorchArray] = {}
    for part, gate in enumerate(gates):
        for key, names, shape, transposed in (
            (f"x2{gate}/W", ("weight_ih_l0",), (rows, in_size), True),
            (f"h2{gate}/W", ("weight_hh_l0",), (rows, hidden_size), True),
            (f"x2{gate}/b", ("bias_ih_l0", "bias_hh_l0"), (rows,), False),
        ):
            if transposed or not layer.nobias:
                arrays[key] = PyTorchArray(names, shape, transposed, part, parts)
    return arrays


def zeros_for(x: Variable, shape: tuple[int, ...], like: Variable) -> Variable:
    """Return zeros on the device of ``x``, with its dtype (the dtype of ``like`` for integers)."""
    zeros = Variable(backend_of(x.data).zeros(shape, x.data), requires_grad=False)
    return as_variable(as_floating(zeros, like))
