"""A recurrent layer over a whole sequence: one op, which multiplies all steps at once if it can.

Only the state waits for the step before. What the gates see of the input is one product for all
steps, and so are the gradients of the weights:

      Wx @ x (T, C, N)   -->   a[0]  a[1]  a[2]  ...      one product
                                |     |     |
      h0, c0  ------------->   [ ] - [ ] - [ ] - ...      a small one for each step

Inside, the N sequences are the last axis: then each gate of a step is one piece of memory.
"""

from __future__ import annotations

from typing import Any

from dezero_core import Function, Variable, get_array_module
from dezero_core.errors import ShapeError
from dezero_core.extend import array_of
from dezero_core.functions import (
    concat,
    expand_dims,
    matmul,
    matrix_transpose,
    reshape,
    stack,
    sum,
    tanh,
    transpose,
)  # fmt: skip

from .. import signatures

GATES = 4
"""o, f, i and u: what to give out, to forget and to take in, and what there is to take."""


class LSTMSequence(Function):
    """c[t] = f c[t-1] + i u,  h[t] = o tanh(c[t]),  with o, f, i = sigmoid and u = tanh of a[t].

    a[t] = Wx x[t] + Wh h[t-1] + b. The states c and the gates are outputs too. The gradient of a
    is that of `gradient_of_gates`; those of x, Wx, Wh and b are those of the products.
    (Hochreiter and Schmidhuber, "Long Short-Term Memory", 1997.)
    """

    materialize_grads = False

    def forward(self, x: Any, Wx: Any, Wh: Any, b: Any, h: Any, c: Any) -> Any:
        return signatures.lstm(x, Wx, Wh, b, h, c)

    def backward(self, ghs: Any, gcs: Any, ggates: Any) -> Any:
        x, Wx, Wh, _, h, c = self.inputs
        hs, cs, gates = self.outputs
        (T, C, N), H = x.shape, h.shape[0]
        # a kernel knows no Variables
        going_back = gradient_of_gates if isinstance(gates, Variable) else signatures.lstm_grad
        ga, gh, gc = going_back(gates, cs, c, Wh, ghs, gcs, ggates)
        ga, gx = reshape(ga, (GATES * H, T * N)), None
        if self.needs_grad[0]:
            gx = reshape(matmul(matrix_transpose(Wx), ga), (C, T, N))
        before = concat([expand_dims(h, 0), hs[:-1, ...]])
        return (
            None if gx is None else transpose(gx, (1, 0, 2)),
            matmul(ga, reshape(matrix_transpose(x), (T * N, C))),
            matmul(ga, reshape(matrix_transpose(before), (T * N, H))),
            sum(ga, 1),
            gh,
            gc,
        )


def gradient_of_gates(
    gates: Any, cs: Any, c: Any, Wh: Any, ghs: Any, gcs: Any, ggates: Any
) -> tuple[Any, Any, Any]:
    """Going back, with gh and gc the gradients of a step's two states.

        gc += gh o (1 - tanh(c)**2)
        ga = (gh tanh(c) o', gc c[t-1] f', gc u i', gc i u'),  s' = s (1 - s),  u' = 1 - u**2

    Then gh = Wh^T ga and gc f are what the step before gets.
    """
    T, _, H, N = gates.shape
    WhT = matrix_transpose(Wh)
    gas: list[Any] = [None] * T
    gh: Any = 0
    gc: Any = 0
    for t in reversed(range(T)):
        o, f, i, u = (gates[t, k, ...] for k in range(GATES))
        tanh_c, before = tanh(cs[t, ...]), cs[t - 1, ...] if t > 0 else c
        gh = gh if ghs is None else ghs[t, ...] + gh
        gc = gc if gcs is None else gcs[t, ...] + gc
        gc = gh * o * (1 - tanh_c * tanh_c) + gc
        ga = stack([gh * tanh_c, gc * before, gc * u, gc * i])
        ga = ga if ggates is None else ga + ggates[t, ...]
        ga = ga * stack([o * (1 - o), f * (1 - f), i * (1 - i), 1 - u * u])
        gas[t] = reshape(ga, (GATES * H, N))
        gh, gc = matmul(WhT, gas[t]), gc * f
    return stack(gas, axis=1), gh, gc


@signatures.lstm_grad.define
def _lstm_grad(*arrays: Any) -> tuple[Any, ...]:
    return tuple([array_of(gradient) for gradient in gradient_of_gates(*arrays)])


@signatures.lstm.define
def _lstm(x: Any, Wx: Any, Wh: Any, b: Any, h: Any, c: Any) -> tuple[Any, Any, Any]:
    xp, (T, _, N), H = get_array_module(x), x.shape, h.shape[0]
    from_x = Wx @ x + xp.reshape(b, (GATES * H, 1))
    hs: list[Any] = []
    cs: list[Any] = []
    gates: list[Any] = []
    for t in range(T):
        a = xp.reshape(from_x[t, ...] + Wh @ h, (GATES, H, N))
        ofi, u = signatures.sigmoid(a[:3, ...]), xp.tanh(a[3, ...])
        c = ofi[1, ...] * c + ofi[2, ...] * u
        h = ofi[0, ...] * xp.tanh(c)
        hs.append(h)
        cs.append(c)
        gates.append(xp.concat([ofi, xp.expand_dims(u, axis=0)]))
    return xp.stack(hs), xp.stack(cs), xp.stack(gates)


def lstm(x: Any, Wx: Any, Wh: Any, b: Any, h: Any, c: Any) -> tuple[Variable, Variable]:
    """Return the states of an LSTM after each step of a sequence (book step 60).

    Args:
        x: shape (T, N, C): T steps of N sequences, at least one.
        Wx: shape (4 H, C), from the input to the gates o, f, i and u.
        Wh: shape (4 H, H), from the state to the gates.
        b: shape (4 H,).
        h, c: the states before the first step, shape (N, H).

    Returns:
        the states h and c after each step, shape (T, N, H) both.

    Raises:
        ShapeError: the shapes do not fit together.
    """
    (H,), given = h.shape[-1:], [tuple(array.shape) for array in (x, Wx, Wh, b, h, c)]
    T, N, C = given[0] if len(given[0]) == 3 else (0, 0, 0)
    if T == 0 or given[1:] != [(GATES * H, C), (GATES * H, H), (GATES * H,), (N, H), (N, H)]:
        raise ShapeError(
            f"lstm: x {given[0]}, Wx {given[1]}, Wh {given[2]}, b {given[3]}, h {given[4]}, "
            f"c {given[5]}: expected (T, N, C), (4 H, C), (4 H, H), (4 H,), (N, H), (N, H)"
        )
    inside = matrix_transpose(x), Wx, Wh, b, transpose(h), transpose(c)
    hs, cs, _ = LSTMSequence()(*inside)
    return matrix_transpose(hs), matrix_transpose(cs)
