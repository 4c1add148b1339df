"""Compute an LSTM over a whole sequence in one op.

One matmul computes the contribution ``Wx x`` of the input to the gates for all steps, and one
matmul computes the gradient of each weight. Only the contribution ``Wh h`` of the state has to be
computed step by step:

      Wx @ x (T, C, N)   -->   a[0]  a[1]  a[2]  ...      one matmul
                                |     |     |
      h0, c0  ------------->   [ ] - [ ] - [ ] - ...      a small matmul for each step

Inside the op, the batch axis (N) is the last one, so that each gate of a step is contiguous in
memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from dezero_core import Function, Variable, get_array_module
from dezero_core.dtypes import as_floating, call_widened, narrow
from dezero_core.errors import ShapeError
from dezero_core.extend import Array, kernel_op, unwrap
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
    unstack,
)  # fmt: skip
from dezero_core.hints import hinted
from dezero_core.variable import AnyArray

from .activation import sigmoid, sigmoid_op

GATES = 4
"""The number of gates: i (input), f (forget), u (candidate) and o (output)."""


class LSTMSequence(Function):
    """c[t] = f c[t-1] + i u,  h[t] = o tanh(c[t]),  with i, f, o = sigmoid and u = tanh of a[t].

    a[t] = Wx x[t] + Wh h[t-1] + b. The outputs are h after every step, c after the last step, and a
    workspace for the backward pass. The formulas of the gradients are in `gradients`. With
    ``create_graph``, the backward pass recomputes the gates and calls `gradients` to record the
    graph, and then replaces the values of these gradients by those of the kernel. (Hochreiter and
    Schmidhuber, "Long Short-Term Memory", 1997.)
    """

    materialize_grads = False

    def forward(self, x: Array, Wx: Array, Wh: Array, b: Array, h: Array, c: Array) -> Any:
        return lstm_op(x, Wx, Wh, b, h, c)

    def backward(self, ghs: AnyArray, gc: AnyArray, _: AnyArray) -> Any:
        hs, needs_gx = self.outputs[0], self.needs_grad[0]
        arguments = *map(unwrap, (*self.outputs, *self.inputs, ghs, gc)), needs_gx
        arrays = lstm_grad_op(*arguments)
        if not isinstance(hs, Variable):
            return arrays
        workspace = gates_and_cells(hs, *self.inputs)
        return with_values(gradients(hs, workspace, self.inputs, ghs, gc, needs_gx), arrays)


def with_values(
    variables: Iterable[Variable | None], arrays: Iterable[Array]
) -> Iterable[Variable | None]:
    """Replace the data of each Variable by the corresponding array; keep the graph.

    So gradients have the same bits with and without ``create_graph``.
    """
    for variable, array in zip(variables, arrays, strict=True):
        if variable is not None:
            variable.data = array
    return variables


def gradients(
    hs: AnyArray,
    workspace: AnyArray,
    inputs: Sequence[AnyArray],
    ghs: AnyArray | None,
    gc: AnyArray | None,
    needs_gx: bool,
) -> tuple[Any, ...]:
    """Return the gradients of the six inputs; the gradient of x is None unless ``needs_gx``."""
    x, Wx, Wh, _, h, c = inputs
    (T, C, N), H = x.shape, h.shape[0]
    ga, gh, gc = gradient_of_gates(workspace, c, Wh, ghs, gc)
    ga, gx = reshape(ga, (GATES * H, T * N)), None
    if needs_gx:
        gx = transpose(reshape(matmul(matrix_transpose(Wx), ga), (C, T, N)), (1, 0, 2))
    gWx = matmul(ga, reshape(matrix_transpose(x), (T * N, C)))
    gWh = matmul(ga, reshape(matrix_transpose(states_before(hs, h)), (T * N, H)))
    return gx, gWx, gWh, sum(ga, 1), gh, gc


def gradient_of_gates(
    workspace: AnyArray, c: AnyArray, Wh: AnyArray, ghs: AnyArray | None, gc_last: AnyArray | None
) -> tuple[Any, Any, Any]:
    """Run backward through the steps; return the gradients of a and of the initial h and c.

    Let gh and gc be the gradients of h and c after a step:

        gc += gh o (1 - tanh(c)**2)
        ga = (gc u i', gc c[t-1] f', gc i u', gh tanh(c) o'),  s' = s (1 - s),  u' = 1 - u**2

    Then Wh^T ga and gc f are the gradients of h and c before the step.
    """
    T, _, H, N = workspace.shape
    WhT = matrix_transpose(Wh)
    gas: list[Any] = [None] * T
    gh: Any = 0
    gc: Any = 0 if gc_last is None else gc_last
    steps = [unstack(step) for step in unstack(workspace)]
    gh_of_steps = None if ghs is None else unstack(ghs)
    for t in reversed(range(T)):
        i, f, u, o, cell = steps[t]
        tanh_c, before = tanh(cell), steps[t - 1][-1] if t > 0 else c
        gh = gh if gh_of_steps is None else gh_of_steps[t] + gh
        gc = gh * o * (1 - tanh_c * tanh_c) + gc
        ga = stack([gc * u, gc * before, gc * i, gh * tanh_c])
        ga = ga * stack([i * (1 - i), f * (1 - f), 1 - u * u, o * (1 - o)])
        gas[t] = reshape(ga, (GATES * H, N))
        gh, gc = matmul(WhT, gas[t]), gc * f
    return stack(gas, axis=1), gh, gc


def gates_and_cells(
    hs: AnyArray, x: AnyArray, Wx: AnyArray, Wh: AnyArray, b: AnyArray, h: AnyArray, c: AnyArray
) -> Any:
    """Recompute i, f, u, o and c of every step, as one array of shape (T, 5, H, N)."""
    (T, _, N), H = x.shape, h.shape[0]
    a = matmul(Wx, x) + matmul(Wh, states_before(hs, h)) + reshape(b, (GATES * H, 1))
    i, f, u, o = unstack(reshape(a, (T, GATES, H, N)), axis=1)
    i, f, u, o = sigmoid(i), sigmoid(f), tanh(u), sigmoid(o)
    cells: list[Any] = []
    for input_gate, forget_gate, update in zip(unstack(i), unstack(f), unstack(u), strict=True):
        c = forget_gate * c + input_gate * update
        cells.append(c)
    return stack([i, f, u, o, stack(cells)], axis=1)


def states_before(hs: AnyArray, h: AnyArray) -> Any:
    """Return h before each step, as one array of shape (T, H, N)."""
    return concat([expand_dims(h, 0), hs[:-1, ...]])


@kernel_op
def lstm_grad_op(
    hs: Array, last: Array, workspace: Array,
    x: Array, Wx: Array, Wh: Array, b: Array, h: Array, c: Array,
    ghs: Array | None, gc: Array | None, needs_gx: bool,
) -> tuple[Any, ...]:  # fmt: skip
    """Return the gradients of the six arguments of `lstm_op`.

    hs, last, workspace: the results of `lstm_op`; x, Wx, Wh, b, h, c: its arguments; ghs and gc:
    the gradients of hs and last, or None. The gradient of x is None unless ``needs_gx`` is True.
    """
    arrays = hs, workspace, x, Wx, Wh, b, h, c, ghs, gc
    variables: list[Any] = [x if x is None else Variable(x, requires_grad=False) for x in arrays]
    states, gates, *inputs, g_states, g_last = variables
    results = gradients(states, gates, inputs, g_states, g_last, needs_gx)
    return tuple([None if gradient is None else unwrap(gradient) for gradient in results])


@kernel_op
def lstm_op(
    x: Array, Wx: Array, Wh: Array, b: Array, h: Array, c: Array
) -> tuple[Array, Array, Array]:
    """Return h after every step, c after the last step, and a workspace for the backward pass.

    x: (T, C, N); Wx: (4 H, C); Wh: (4 H, H); b: (4 H,); h and c: (H, N). The first two results have
    the shapes (T, H, N) and (H, N). The workspace has the shape (T, 5, H, N): i, f, u, o and c of
    every step. A kernel may return a workspace of another shape, because only the `lstm_grad_op` of
    the kernel's own package reads the workspace.
    """
    xp, (T, _, N), H = get_array_module(x), x.shape, h.shape[0]
    squash = sigmoid_op, sigmoid_op, xp.tanh, sigmoid_op
    from_x = Wx @ x + xp.reshape(b, (GATES * H, 1))
    hs: list[Any] = []
    workspace: list[Any] = []
    for t in range(T):
        a = xp.reshape(from_x[t, ...] + Wh @ h, (GATES, H, N))
        i, f, u, o = (squashed(a[k, ...]) for k, squashed in enumerate(squash))
        c = f * c + i * u
        h = o * xp.tanh(c)
        hs.append(h)
        workspace.append(xp.stack([i, f, u, o, c]))
    return xp.stack(hs), c, xp.stack(workspace)


@hinted
def lstm(
    x: AnyArray, Wx: AnyArray, Wh: AnyArray, b: AnyArray, h: AnyArray, c: AnyArray
) -> tuple[Variable, Variable]:
    """Return the states of an LSTM: h after each step, and c after the last step.

    Book step 60; the gates are in the order of `torch.nn.LSTM`.

    Args:
        x: shape (T, N, C): N sequences of T steps; T is at least 1.
        Wx: shape (4 H, C), the weights from the input to the gates i, f, u and o (PyTorch's order).
        Wh: shape (4 H, H), the weights from the state h to the gates.
        b: shape (4 H,).
        h, c: the states before the first step, shape (N, H).

    Returns:
        h after each step, shape (T, N, H), and c after the last step, shape (N, H).

    Raises:
        ShapeError: the shapes are incompatible.
    """
    (H,), shapes = h.shape[-1:], [tuple(array.shape) for array in (x, Wx, Wh, b, h, c)]
    T, N, C = shapes[0] if len(shapes[0]) == 3 else (0, 0, 0)
    if T == 0 or shapes[1:] != [(GATES * H, C), (GATES * H, H), (GATES * H,), (N, H), (N, H)]:
        raise ShapeError(
            f"lstm: x {shapes[0]}, Wx {shapes[1]}, Wh {shapes[2]}, b {shapes[3]}, h {shapes[4]}, "
            f"c {shapes[5]}: expected (T, N, C), (4 H, C), (4 H, H), (4 H,), (N, H), (N, H)"
        )
    arguments = [as_floating(array, Wx) for array in (x, Wx, Wh, b, h, c)]
    x, Wx, Wh, b, h, c = arguments
    inside = matrix_transpose(x), Wx, Wh, b, transpose(h), transpose(c)
    hs, c, _ = call_widened(LSTMSequence(), *inside)
    c = narrow(c, *arguments)
    return matrix_transpose(hs), transpose(c)
