"""Compute a GRU over a sequence; keep the temporaries of a step in the cache.

`recurrent` explains the layout of the arrays, and why matmuls use BLAS's own threads.
"""

from __future__ import annotations

import numpy as np

from dezero_core.extend import Kernel

from ..blas import BLAS_THREADS
from .recurrent import Arrays, supports_gradient, supports_sequence
from .sigmoid import write_sigmoid


def gru(
    x: np.ndarray, Wx: np.ndarray, Wh: np.ndarray, bx: np.ndarray, bh: np.ndarray, h: np.ndarray
) -> Arrays:
    """Return h after every step, and the workspace."""
    with BLAS_THREADS.using(single=False):
        return run_steps(x, Wx, Wh, bx, bh, h)


def run_steps(
    x: np.ndarray, Wx: np.ndarray, Wh: np.ndarray, bx: np.ndarray, bh: np.ndarray, h: np.ndarray
) -> Arrays:
    """Compute all steps of `gru` with BLAS's current thread count."""
    (T, _, N), H = x.shape, h.shape[0]
    Wx, Wh = np.ascontiguousarray(Wx), np.ascontiguousarray(Wh)  # for faster matmuls
    hs, workspace = np.empty((T, H, N), x.dtype), np.empty((T, 4, H, N), x.dtype)
    from_h, buffer = np.empty((3, H, N), x.dtype), np.empty((H, N), x.dtype)
    before_reset = np.concatenate([bx[: 2 * H] + bh[: 2 * H], bx[2 * H :]])
    bias = np.repeat(before_reset, N).reshape(3, H, N)
    bias_of_m = np.repeat(bh[2 * H :], N).reshape(H, N)
    for t in range(T):
        gates, m, after = workspace[t, :3], workspace[t, 3], hs[t]
        np.matmul(Wx, x[t], out=gates.reshape(3 * H, N))
        gates += bias
        np.matmul(Wh, h, out=from_h.reshape(3 * H, N))
        gates[:2] += from_h[:2]
        np.add(from_h[2], bias_of_m, out=m)
        r, z, n = gates
        write_sigmoid(gates[:2], gates[:2])
        n += np.multiply(r, m, out=buffer)
        np.tanh(n, out=n)
        np.subtract(h, n, out=after)
        after *= z
        after += n
        h = after
    return hs, workspace


def gru_grad(
    hs: np.ndarray, workspace: np.ndarray, x: np.ndarray, Wx: np.ndarray, Wh: np.ndarray,
    bx: np.ndarray, bh: np.ndarray, h: np.ndarray, ghs: np.ndarray, needs_gx: bool,
) -> tuple[np.ndarray | None, ...]:  # fmt: skip
    """Return the gradients of the six arguments of `gru`; a matmul per weight sums all steps."""
    (T, C, N), H = x.shape, h.shape[0]
    gx, before = None, np.concatenate([h[np.newaxis], hs[:-1]])
    with BLAS_THREADS.using(single=False):
        gax, gah, gh = gradient_of_gates(workspace, before, Wh, ghs)
        gax, gah = gax.reshape(3 * H, T * N), gah.reshape(3 * H, T * N)
        if needs_gx:
            gx = (Wx.T @ gax).reshape(C, T, N).transpose(1, 0, 2)
        gWx = gax @ x.transpose(0, 2, 1).reshape(T * N, C)
        gWh = gah @ before.transpose(0, 2, 1).reshape(T * N, H)
    return gx, gWx, gWh, gax.sum(1), gah.sum(1), gh


def gradient_of_gates(
    workspace: np.ndarray, before: np.ndarray, Wh: np.ndarray, ghs: np.ndarray
) -> Arrays:
    """Return the gradients of ax and ah, both (3 H, T, N), and of the initial h.

    The formulas are those of `dezero_nn.functions.gru.gradient_of_gates`.
    """
    T, _, H, N = workspace.shape
    gax, gah = np.empty((2, 3 * H, T, N), before.dtype)
    WhT = np.ascontiguousarray(Wh.T)
    ga, derivatives = np.empty((3, H, N), gax.dtype), np.empty((2, H, N), gax.dtype)
    gh, buffer = np.zeros((2, H, N), gax.dtype)
    for t in reversed(range(T)):
        r, z, n, m = workspace[t]
        gr, gz, gn = ga
        gh += ghs[t]
        np.subtract(1, z, out=gn)
        gn *= gh
        np.multiply(n, n, out=buffer)  # the derivative of tanh is 1 - n**2
        gn *= np.subtract(1, buffer, out=buffer)
        np.multiply(gn, m, out=gr)
        np.subtract(before[t], n, out=gz)
        gz *= gh
        np.subtract(1, workspace[t, :2], out=derivatives)  # the derivative of sigmoid is s (1 - s)
        derivatives *= workspace[t, :2]
        ga[:2] *= derivatives
        gax[:, t] = ga.reshape(3 * H, N)
        gn *= r
        gah[:, t] = ga.reshape(3 * H, N)
        gh *= z
        gh += np.matmul(WhT, ga.reshape(3 * H, N), out=buffer)
    return gax, gah, gh


KERNELS = [
    Kernel("gru", "numpy", gru, supports_sequence),
    Kernel("gru_grad", "numpy", gru_grad, supports_gradient),
]
