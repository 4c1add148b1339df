"""Compute an LSTM over a sequence; keep the temporaries of a step in the cache.

      Wx x + Wh h + b  -->  i f u o  --+                          workspace (T, 5, H, N)
            |                          |                          i f u o c of every step
       h c  +--  previous step         +-->  h c  -->  next step

A step takes two matmuls and a dozen passes over about 100 kB of memory. The batch is the last axis,
so each gate of a step is contiguous, and OpenBLAS takes 10 % less time than with the batch as the
first axis. Matmuls use BLAS's own threads: splitting the batch with `parallel_for` would make
hundreds of short calls that wait for the GIL. Temporaries use buffers that are reused in every
step, because writing to memory that another core wrote last is slow.
"""

from __future__ import annotations

import numpy as np

from dezero_core.extend import Kernel

from ..blas import BLAS_THREADS
from .sigmoid import write_sigmoid

Arrays = tuple[np.ndarray, ...]


def supports_sequence(*arrays: np.ndarray) -> bool:
    """Return whether all arrays are nonempty and have one dtype, float32 or float64."""
    dtype = arrays[0].dtype
    return dtype.char in "fd" and all(
        type(array) is np.ndarray and array.dtype == dtype and array.size > 0 for array in arrays
    )


def lstm(
    x: np.ndarray, Wx: np.ndarray, Wh: np.ndarray, b: np.ndarray, h: np.ndarray, c: np.ndarray
) -> Arrays:
    """Return h after every step, c after the last step, and the workspace."""
    with BLAS_THREADS.using(single=False):
        return run_steps(x, Wx, Wh, b, h, c)


def run_steps(
    x: np.ndarray, Wx: np.ndarray, Wh: np.ndarray, b: np.ndarray, h: np.ndarray, c: np.ndarray
) -> Arrays:
    """Compute all steps of `lstm` with BLAS's current thread count."""
    (T, _, N), H = x.shape, h.shape[0]
    Wx, Wh = np.ascontiguousarray(Wx), np.ascontiguousarray(Wh)  # for faster matmuls
    hs, workspace = np.empty((T, H, N), x.dtype), np.empty((T, 5, H, N), x.dtype)
    from_h, bias = np.empty((4 * H, N), x.dtype), np.repeat(b, N).reshape(4, H, N)
    buffer = np.empty_like(hs[0])
    for t in range(T):
        gates, cell = workspace[t, :4], workspace[t, -1]
        np.matmul(Wx, x[t], out=gates.reshape(4 * H, N))
        gates += bias
        gates += np.matmul(Wh, h, out=from_h).reshape(gates.shape)
        i, f, u, o = gates
        write_sigmoid(gates[:2], gates[:2])
        np.tanh(u, out=u)
        write_sigmoid(o, o)
        c = np.multiply(f, c, out=cell)
        c += np.multiply(i, u, out=buffer)
        h = np.multiply(o, np.tanh(c, out=buffer), out=hs[t])
    return hs, c.copy(), workspace


def supports_gradient(hs: np.ndarray, *arguments: np.ndarray | None) -> bool:
    """Return whether `supports_sequence` accepts all arguments that are arrays."""
    *arrays, _needs_gx = arguments
    return supports_sequence(hs, *[array for array in arrays if array is not None])


def lstm_grad(
    hs: np.ndarray, last: np.ndarray, workspace: np.ndarray, x: np.ndarray, Wx: np.ndarray,
    Wh: np.ndarray, b: np.ndarray, h: np.ndarray, c: np.ndarray, ghs: np.ndarray | None,
    gc: np.ndarray | None, needs_gx: bool,
) -> tuple[np.ndarray | None, ...]:  # fmt: skip
    """Return the gradients of x, Wx, Wh, b, h and c; one matmul per weight sums over all steps."""
    (T, C, N), H = x.shape, h.shape[0]
    gx, before = None, np.concatenate([h[np.newaxis], hs[:-1]])
    with BLAS_THREADS.using(single=False):
        ga, gh, gc = gradient_of_gates(workspace, c, Wh, ghs, gc)
        ga = ga.reshape(4 * H, T * N)
        if needs_gx:
            gx = (Wx.T @ ga).reshape(C, T, N).transpose(1, 0, 2)
        gWx = ga @ x.transpose(0, 2, 1).reshape(T * N, C)
        gWh = ga @ before.transpose(0, 2, 1).reshape(T * N, H)
    return gx, gWx, gWh, ga.sum(1), gh, gc


def gradient_of_gates(
    workspace: np.ndarray, c: np.ndarray, Wh: np.ndarray, ghs: np.ndarray | None,
    gc: np.ndarray | None,
) -> Arrays:  # fmt: skip
    """Return the gradients of the gates (4 H, T, N), of h and of c.

    The formulas are those of `dezero_nn.functions.recurrent.gradient_of_gates`, applied to all
    gates of a step at once.
    """
    T, _, H, N = workspace.shape
    gas, WhT = np.empty((4 * H, T, N), c.dtype), np.ascontiguousarray(Wh.T)
    ga, derivatives = np.empty((2, 4, H, N), c.dtype)
    gh, g_cell, tanh_c, buffer = np.zeros((4, H, N), c.dtype)
    if gc is not None:
        g_cell += gc
    for t in reversed(range(T)):
        i, f, u, o, cell = workspace[t]
        np.tanh(cell, out=tanh_c)
        if ghs is not None:
            gh += ghs[t]
        np.multiply(tanh_c, tanh_c, out=buffer)
        np.subtract(1, buffer, out=buffer)
        buffer *= np.multiply(gh, o, out=derivatives[3])
        g_cell += buffer
        np.multiply(g_cell, u, out=ga[0])
        np.multiply(g_cell, workspace[t - 1, -1] if t > 0 else c, out=ga[1])
        np.multiply(g_cell, i, out=ga[2])
        np.multiply(gh, tanh_c, out=ga[3])
        np.subtract(1, workspace[t, :4], out=derivatives)  # the derivative of sigmoid is s (1 - s)
        derivatives *= workspace[t, :4]
        np.multiply(u, u, out=derivatives[2])  # the derivative of tanh is 1 - u**2
        np.subtract(1, derivatives[2], out=derivatives[2])
        np.multiply(ga.reshape(4 * H, N), derivatives.reshape(4 * H, N), out=gas[:, t])
        np.matmul(WhT, gas[:, t], out=gh)
        g_cell *= f
    return gas, gh, g_cell


KERNELS = [
    Kernel("lstm", "numpy", lstm, supports_sequence),
    Kernel("lstm_grad", "numpy", lstm_grad, supports_gradient),
]
