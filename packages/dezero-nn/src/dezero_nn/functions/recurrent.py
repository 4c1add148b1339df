"""A recurrent layer over a whole sequence: one op, which multiplies all steps at once if it can.

Only the state waits for the step before. What the gates see of the input is one product for all
steps, and so are the gradients of the weights:

      x (T, N, C) @ Wx   -->   a[0]  a[1]  a[2]  ...      one product
                                |     |     |
      h0, c0  ------------->   [ ] - [ ] - [ ] - ...      a small one for each step
"""

from __future__ import annotations

from typing import Any

from dezero_core import Function, Variable, get_array_module
from dezero_core.errors import ShapeError
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
"""f, i, o and u: what to forget, to take in and to give out, and what there is to take."""


class LSTMSequence(Function):
    """c[t] = f c[t-1] + i u,  h[t] = o tanh(c[t]),  with f, i, o = sigmoid and u = tanh of a[t].

    a[t] = x[t] Wx + h[t-1] Wh + b, for each of the four gates. The states c and the gates are
    outputs too. Going back, with gh and gc the gradients of a step's two states,

        gc += gh o (1 - tanh(c)**2),  ga = (gc c[t-1] f', gc u i', gh tanh(c) o', gc i u'),

    where s' = s (1 - s) and u' = 1 - u**2; then gh = ga Wh^T and gc f are what the step before
    gets. Those of x, Wx, Wh and b are those of the products. (Hochreiter and Schmidhuber, 1997.)
    """

    def forward(self, x: Any, Wx: Any, Wh: Any, b: Any, h: Any, c: Any) -> Any:
        return signatures.lstm(x, Wx, Wh, b, h, c)

    def backward(self, ghs: Any, gcs: Any, ggates: Any) -> Any:
        x, Wx, Wh, _, h0, c0 = self.inputs
        hs, cs, gates = self.outputs
        (T, N, C), H = x.shape, h0.shape[1]
        WhT = stack([transpose(Wh[k, ...]) for k in range(GATES)])  # copied: faster than a view
        gas: list[Any] = [None] * T
        gh: Any = 0
        gc: Any = 0
        for t in reversed(range(T)):
            f, i, o, u = (gates[k, t, ...] for k in range(GATES))
            of_f, of_i, of_o, of_u = (ggates[k, t, ...] for k in range(GATES))
            tanh_c, gh = tanh(cs[t, ...]), ghs[t, ...] + gh
            gc = gcs[t, ...] + gc + gh * o * (1 - tanh_c * tanh_c)
            before = cs[t - 1, ...] if t > 0 else c0
            ga = [
                (gc * before + of_f) * f * (1 - f),
                (gc * u + of_i) * i * (1 - i),
                (gh * tanh_c + of_o) * o * (1 - o),
                (gc * i + of_u) * (1 - u * u),
            ]
            gas[t] = stack(ga)
            gh, gc = sum(matmul(gas[t], WhT), 0), gc * f
        of_steps = concat(gas, axis=1)
        xs = reshape(x, (T * N, C))
        h_before = reshape(concat([expand_dims(h0, 0), hs[:-1, ...]]), (T * N, H))
        gx = None
        if self.needs_grad[0]:
            gx = reshape(sum(matmul(of_steps, matrix_transpose(Wx)), 0), x.shape)
        gWx, gWh = matmul(transpose(xs), of_steps), matmul(transpose(h_before), of_steps)
        return gx, gWx, gWh, sum(of_steps, 1), gh, gc


@signatures.lstm.define
def _lstm(x: Any, Wx: Any, Wh: Any, b: Any, h: Any, c: Any) -> tuple[Any, Any, Any]:
    xp, (T, N, C), H = get_array_module(x), x.shape, h.shape[1]
    b = xp.reshape(b, (GATES, 1, H))
    a = xp.reshape(xp.reshape(x, (T * N, C)) @ Wx + b, (GATES, T, N, H))
    hs: list[Any] = []
    cs: list[Any] = []
    gates: list[Any] = []
    for t in range(T):
        step = a[:, t, :, :] + h @ Wh
        fio, u = signatures.sigmoid(step[:3, :, :]), xp.tanh(step[3, :, :])
        c = fio[0, :, :] * c + fio[1, :, :] * u
        h = fio[2, :, :] * xp.tanh(c)
        hs.append(h)
        cs.append(c)
        gates.append(xp.concat([fio, xp.expand_dims(u, axis=0)]))
    return xp.stack(hs), xp.stack(cs), xp.stack(gates, axis=1)


def lstm(x: Any, Wx: Any, Wh: Any, b: Any, h: Any, c: Any) -> tuple[Variable, Variable]:
    """Return the states of an LSTM after each step of a sequence (book step 60).

    Args:
        x: shape (T, N, C): T steps of N sequences, at least one.
        Wx: shape (4, C, H), from the input to the gates f, i, o and u.
        Wh: shape (4, H, H), from the state to the gates.
        b: shape (4, H).
        h, c: the states before the first step, shape (N, H).

    Returns:
        the states h and c after each step, shape (T, N, H) both.

    Raises:
        ShapeError: the shapes do not fit together.
    """
    (H,), given = h.shape[-1:], [tuple(array.shape) for array in (x, Wx, Wh, b, h, c)]
    T, N, C = given[0] if len(given[0]) == 3 else (0, 0, 0)
    if T == 0 or given[1:] != [(GATES, C, H), (GATES, H, H), (GATES, H), (N, H), (N, H)]:
        raise ShapeError(
            f"lstm: x {given[0]}, Wx {given[1]}, Wh {given[2]}, b {given[3]}, h {given[4]}, "
            f"c {given[5]}: expected (T, N, C), (4, C, H), (4, H, H), (4, H), (N, H), (N, H)"
        )
    hs, cs, _ = LSTMSequence()(x, Wx, Wh, b, h, c)
    return hs, cs
