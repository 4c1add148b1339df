"""Compute a GRU over a whole sequence in one op; `recurrent` explains the form of such an op.

Inside the op, the batch axis (N) is the last one, and H is the size of the state.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dezero_core import Function, Variable, get_array_module
from dezero_core.dtypes import as_floating, call_widened
from dezero_core.errors import ShapeError
from dezero_core.extend import Array, kernel_op, unwrap
from dezero_core.functions import (
    concat,
    matmul,
    matrix_transpose,
    reshape,
    stack,
    sum,
    tanh,
    transpose,
    unstack,
)
from dezero_core.hints import hinted
from dezero_core.variable import AnyArray

from .activation import sigmoid, sigmoid_op
from .recurrent import states_before, with_values

GATES = 3
"""The number of gates: r (reset), z (update) and n (candidate)."""


class GRUSequence(Function):
    """h[t] = n + z (h[t-1] - n), with r, z = sigmoid(ax + ah) and n = tanh(ax + r ah).

    ax = Wx x[t] + bx and ah = Wh h[t-1] + bh have a part for each gate. The outputs are h after
    every step, and a workspace for the backward pass. With ``create_graph``, gradients are computed
    as in `LSTMSequence`. (Cho et al., 2014, with the reset gate applied after the matmul.)
    """

    materialize_grads = False

    def forward(self, x: Array, Wx: Array, Wh: Array, bx: Array, bh: Array, h: Array) -> Any:
        return gru_op(x, Wx, Wh, bx, bh, h)

    def backward(self, ghs: AnyArray, _: AnyArray) -> Any:
        hs, needs_gx = self.outputs[0], self.needs_grad[0]
        arguments = *map(unwrap, (*self.outputs, *self.inputs, ghs)), needs_gx
        arrays = gru_grad_op(*arguments)
        if not isinstance(hs, Variable):
            return arrays
        workspace = gates_of_steps(hs, *self.inputs)
        return with_values(gradients(hs, workspace, self.inputs, ghs, needs_gx), arrays)


def gradients(
    hs: AnyArray, workspace: AnyArray, inputs: Sequence[AnyArray], ghs: AnyArray, needs_gx: bool
) -> tuple[Any, ...]:
    """Return the gradients of the six inputs; the gradient of x is None unless ``needs_gx``."""
    x, Wx, Wh, _, _, h = inputs
    (T, C, N), H = x.shape, h.shape[0]
    before = states_before(hs, h)
    gax, gah, gh = gradient_of_gates(workspace, before, Wh, ghs)
    gx = None
    if needs_gx:
        gx = transpose(reshape(matmul(matrix_transpose(Wx), gax), (C, T, N)), (1, 0, 2))
    gWx = matmul(gax, reshape(matrix_transpose(x), (T * N, C)))
    gWh = matmul(gah, reshape(matrix_transpose(before), (T * N, H)))
    return gx, gWx, gWh, sum(gax, 1), sum(gah, 1), gh


def gradient_of_gates(
    workspace: AnyArray, before: AnyArray, Wh: AnyArray, ghs: AnyArray
) -> tuple[Any, Any, Any]:
    """Run backward through the steps; return the gradients of ax, of ah and of the initial h.

    Let gh be the gradient of h after a step, and m the part of ah for the gate n:

        gn = gh (1 - z) (1 - n**2),  gr = gn m r (1 - r),  gz = gh (h[t-1] - n) z (1 - z)

    Then gax = (gr, gz, gn) and gah = (gr, gz, gn r), both of shape (3 H, T N), and the gradient of
    h before the step is Wh^T gah + gh z.
    """
    (T, _, H, N), WhT = workspace.shape, matrix_transpose(Wh)
    gaxs: list[Any] = [None] * T
    gahs: list[Any] = [None] * T
    gh: Any = 0
    steps = list(zip(unstack(workspace), unstack(before), unstack(ghs), strict=True))
    for t in reversed(range(T)):
        gates, h, gh_of_step = steps[t]
        r, z, n, m = unstack(gates)
        gh = gh_of_step + gh
        gn = gh * (1 - z) * (1 - n * n)
        gr, gz = gn * m * r * (1 - r), gh * (h - n) * z * (1 - z)
        gaxs[t], gahs[t] = concat([gr, gz, gn]), concat([gr, gz, gn * r])
        gh = matmul(WhT, gahs[t]) + gh * z
    shape = (GATES * H, T * N)
    return reshape(stack(gaxs, axis=1), shape), reshape(stack(gahs, axis=1), shape), gh


def gates_of_steps(
    hs: AnyArray, x: AnyArray, Wx: AnyArray, Wh: AnyArray, bx: AnyArray, bh: AnyArray, h: AnyArray
) -> Any:
    """Recompute r, z, n and m of every step, as one array of shape (T, 4, H, N)."""
    (T, _, N), H = x.shape, h.shape[0]
    ax = matmul(Wx, x) + reshape(bx, (GATES * H, 1))
    ah = matmul(Wh, states_before(hs, h)) + reshape(bh, (GATES * H, 1))
    rx, zx, nx = unstack(reshape(ax, (T, GATES, H, N)), axis=1)
    rh, zh, m = unstack(reshape(ah, (T, GATES, H, N)), axis=1)
    r = sigmoid(rx + rh)
    return stack([r, sigmoid(zx + zh), tanh(nx + r * m), m], axis=1)


@kernel_op
def gru_grad_op(
    hs: Array, workspace: Array,
    x: Array, Wx: Array, Wh: Array, bx: Array, bh: Array, h: Array,
    ghs: Array, needs_gx: bool,
) -> tuple[Any, ...]:  # fmt: skip
    """Return the gradients of the six arguments of `gru_op`.

    hs, workspace: the results of `gru_op`; x, Wx, Wh, bx, bh, h: its arguments; ghs: the gradient
    of hs. The gradient of x is None unless ``needs_gx`` is True.
    """
    arrays = hs, workspace, x, Wx, Wh, bx, bh, h, ghs
    states, gates, *inputs, g_states = [Variable(array, requires_grad=False) for array in arrays]
    results = gradients(states, gates, inputs, g_states, needs_gx)
    return tuple([None if gradient is None else unwrap(gradient) for gradient in results])


@kernel_op
def gru_op(
    x: Array, Wx: Array, Wh: Array, bx: Array, bh: Array, h: Array
) -> tuple[Array, Array]:  # fmt: skip
    """Return h after every step, and a workspace for the backward pass.

    x: (T, C, N); Wx: (3 H, C); Wh: (3 H, H); bx and bh: (3 H,); h: (H, N). The first result has the
    shape (T, H, N). The workspace has the shape (T, 4, H, N): r, z, n and the part of Wh h + bh for
    n, of every step. A kernel may return a workspace of another shape, because only the
    `gru_grad_op` of the kernel's own package reads the workspace.
    """
    xp, (T, _, N), H = get_array_module(x), x.shape, h.shape[0]
    from_x = Wx @ x + xp.reshape(bx, (GATES * H, 1))
    bias = xp.reshape(bh, (GATES * H, 1))
    hs: list[Any] = []
    workspace: list[Any] = []
    for t in range(T):
        ax = xp.reshape(from_x[t, ...], (GATES, H, N))
        ah = xp.reshape(Wh @ h + bias, (GATES, H, N))
        r, z = sigmoid_op(ax[0, ...] + ah[0, ...]), sigmoid_op(ax[1, ...] + ah[1, ...])
        n = xp.tanh(ax[2, ...] + r * ah[2, ...])
        h = n + z * (h - n)
        hs.append(h)
        workspace.append(xp.stack([r, z, n, ah[2, ...]]))
    return xp.stack(hs), xp.stack(workspace)


@hinted
def gru(
    x: AnyArray, Wx: AnyArray, Wh: AnyArray, bx: AnyArray, bh: AnyArray, h: AnyArray
) -> Variable:
    """Return the state h of a GRU after each step.

    The gates are in the order of `torch.nn.GRU`, and as there the reset gate is applied after the
    matmul: n = tanh(Wx x + bx + r (Wh h + bh)), with the parts of the weights and biases for n.

    Args:
        x: shape (T, N, C): N sequences of T steps; T is at least 1.
        Wx: shape (3 H, C), the weights from the input to the gates r, z and n (PyTorch's order).
        Wh: shape (3 H, H), the weights from the state h to the gates.
        bx, bh: shape (3 H,), the biases added to Wx x and to Wh h.
        h: the state before the first step, shape (N, H).

    Returns:
        shape (T, N, H).

    Raises:
        ShapeError: the shapes are incompatible.
    """
    (H,), shapes = h.shape[-1:] or (0,), [tuple(array.shape) for array in (x, Wx, Wh, bx, bh, h)]
    T, N, C = shapes[0] if len(shapes[0]) == 3 else (0, 0, 0)
    rows = GATES * H
    if T == 0 or shapes[1:] != [(rows, C), (rows, H), (rows,), (rows,), (N, H)]:
        raise ShapeError(
            f"gru: x {shapes[0]}, Wx {shapes[1]}, Wh {shapes[2]}, bx {shapes[3]}, bh {shapes[4]}, "
            f"h {shapes[5]}: expected (T, N, C), (3 H, C), (3 H, H), (3 H,), (3 H,), (N, H)"
        )
    x, Wx, Wh, bx, bh, h = [as_floating(array, Wx) for array in (x, Wx, Wh, bx, bh, h)]
    hs, _ = call_widened(GRUSequence(), matrix_transpose(x), Wx, Wh, bx, bh, transpose(h))
    return matrix_transpose(hs)
