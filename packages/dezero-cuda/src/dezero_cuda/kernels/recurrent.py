"""Launch the kernels of ``recurrent.cu`` for the steps of LSTM and GRU.

Each step runs a matmul and launches one kernel. As in `dezero_nn`, the batch
axis (N) is the last axis.
"""

from __future__ import annotations

from typing import Any

import cupy
from numpy import int32, int64

from .layouts import Array, contiguous
from .matmuls import matmul
from .module import NULL, launch
from .sums import sums_of_images


def lstm(
    x: Array, Wx: Array, Wh: Array, b: Array, h: Array, c: Array
) -> tuple[Array, Array, Array]:
    """Return h after every step, c after the last step, and i, f, u, o and c of every step."""
    (T, _, N), H, letter = x.shape, h.shape[0], x.dtype.char
    from_x, b, c = contiguous(matmul(Wx, x)), contiguous(b), contiguous(c)
    hs, cells = cupy.empty((T, H, N), x.dtype), cupy.empty((T, 5, H, N), x.dtype)
    for t in range(T):
        from_h = contiguous(matmul(Wh, hs[t - 1] if t else h))
        launch("lstm_step", letter, H * N, from_x, from_h, b, c, hs, cells, int64(t), int64(N))
    return hs, cells[-1, -1].copy(), cells


def lstm_grad(
    hs: Array, last: Array, cells: Array,
    x: Array, Wx: Array, Wh: Array, b: Array, h: Array, c: Array,
    ghs: Array | None, gc: Array | None, needs_gx: bool,
) -> tuple[Any, ...]:  # fmt: skip
    """Return the gradients of the six arguments of `lstm`."""
    (T, _, N), H, letter = x.shape, h.shape[0], x.dtype.char
    ga, gh, c = cupy.empty((T, 4 * H, N), x.dtype), NULL, contiguous(c)
    gc = cupy.zeros((H, N), x.dtype) if gc is None else gc.copy()
    ghs = NULL if ghs is None else contiguous(ghs)
    for t in reversed(range(T)):
        is_last = int32(t == T - 1)
        launch("lstm_step_grad", letter, H * N, cells, c, ghs, gh, gc, ga, int64(t), is_last)
        gh = contiguous(matmul(Wh.T, ga[t]))
    return (*gradients_of_weights(ga, x, Wx, ga, hs, h, needs_gx), sum_of(ga), gh, gc)


def gru(x: Array, Wx: Array, Wh: Array, bx: Array, bh: Array, h: Array) -> tuple[Array, Array]:
    """Return h after every step, and r, z, n and the rows of Wh h + bh for n of every step."""
    (T, _, N), H, letter = x.shape, h.shape[0], x.dtype.char
    from_x, h = contiguous(matmul(Wx, x)), contiguous(h)
    biases = contiguous(bx), contiguous(bh)
    hs, gates = cupy.empty((T, H, N), x.dtype), cupy.empty((T, 4, H, N), x.dtype)
    for t in range(T):
        from_h = contiguous(matmul(Wh, hs[t - 1] if t else h))
        arrays = from_x, from_h, *biases, h, hs, gates
        launch("gru_step", letter, H * N, *arrays, int64(t), int64(N))
    return hs, gates


def gru_grad(
    hs: Array, gates: Array,
    x: Array, Wx: Array, Wh: Array, bx: Array, bh: Array, h: Array,
    ghs: Array, needs_gx: bool,
) -> tuple[Any, ...]:  # fmt: skip
    """Return the gradients of the six arguments of `gru`."""
    (T, _, N), H, letter = x.shape, h.shape[0], x.dtype.char
    gax, gah = cupy.empty((T, 3 * H, N), x.dtype), cupy.empty((T, 3 * H, N), x.dtype)
    gh, carried = NULL, cupy.empty((H, N), x.dtype)
    ghs, before = contiguous(ghs), contiguous(h)
    for t in reversed(range(T)):
        arrays = gates, hs, before, ghs, gh, carried, gax, gah
        launch("gru_step_grad", letter, H * N, *arrays, int64(t), int32(t == T - 1))
        gh = contiguous(matmul(Wh.T, gah[t]))
    weights = gradients_of_weights(gax, x, Wx, gah, hs, h, needs_gx)
    return (*weights, sum_of(gax), sum_of(gah), gh + carried)


def gradients_of_weights(
    gax: Array, x: Array, Wx: Array, gah: Array, hs: Array, h: Array, needs_gx: bool
) -> tuple[Array | None, Array, Array]:
    """Return the gradients of x (None unless ``needs_gx``), Wx and Wh, each computed by a matmul.

    Args:
        gax, gah: the gradients of Wx x and of Wh h, shape (T, gates * H, N).
        x, Wx: arguments of the op; hs: its result; h: the state before the first step.
        needs_gx: whether to compute the gradient of x.
    """
    gx = matmul(Wx.T, gax) if needs_gx else None
    gWx = matmul(as_columns(gax), as_columns(x).T)
    before = cupy.concatenate([h[None], hs[:-1]])
    return gx, gWx, matmul(as_columns(gah), as_columns(before).T)


def sum_of(ga: Array) -> Array:
    """Return the gradient of a bias, shape (C,): the sum of an array (T, C, N) over T and N."""
    return sums_of_images("image_sums", 1, *ga.shape, ga)[0]


def as_columns(x: Array) -> Array:
    """Return an array (T, C, N) as a matrix (C, T N)."""
    return x.transpose(1, 0, 2).reshape(x.shape[1], -1)
