"""An LSTM over a sequence, in pieces that stay in the cache: each step from beginning to end.

      Wx x + Wh h + b  -->  i f u o  --+                          workspace (T, 5, H, N)
            |                          |                          i f u o c of every step
       h c  +--  of the step before    +-->  h c  -->  the next step

A step is two products and a dozen passes over 100 kB. With the sequences as the last axis a gate
is one piece of memory, and OpenBLAS multiplies a tenth faster. The threads are BLAS's own, in a
block of `BLAS_THREADS`: a split by sequences would make hundreds of short calls that wait for
Python's lock. Results other than those of matmuls have separate buffers, because memory that
another core wrote last is slow to write again.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..blas import BLAS_THREADS
from .sigmoid import logistic


def supports_lstm(*arrays: Any) -> bool:
    """Arrays of one dtype, single or double precision, with something in them."""
    dtype = arrays[0].dtype
    return dtype.char in "fd" and all(
        type(array) is np.ndarray and array.dtype == dtype and array.size > 0 for array in arrays
    )


def lstm(x: Any, Wx: Any, Wh: Any, b: Any, h: Any, c: Any) -> tuple[Any, Any, Any]:
    """The state h after every step, c after the last, and the workspace."""
    with BLAS_THREADS.using(single=False):
        return all_steps(x, Wx, Wh, b, h, c)


def all_steps(x: Any, Wx: Any, Wh: Any, b: Any, h: Any, c: Any) -> tuple[Any, Any, Any]:
    """Run all steps of `lstm`."""
    (T, _, N), H = x.shape, h.shape[0]
    Wx, Wh = np.ascontiguousarray(Wx), np.ascontiguousarray(Wh)  # products are faster
    hs, workspace = np.empty((T, H, N), x.dtype), np.empty((T, 5, H, N), x.dtype)
    from_h, bias = np.empty((4 * H, N), x.dtype), np.repeat(b, N).reshape(4, H, N)
    room = np.empty_like(hs[0])
    for t in range(T):
        step, cell = workspace[t, :4], workspace[t, -1]
        np.matmul(Wx, x[t], out=step.reshape(4 * H, N))
        step += bias
        step += np.matmul(Wh, h, out=from_h).reshape(step.shape)
        i, f, u, o = step
        logistic(step[:2], step[:2])
        np.tanh(u, out=u)
        logistic(o, o)
        c = np.multiply(f, c, out=cell)
        c += np.multiply(i, u, out=room)
        h = np.multiply(o, np.tanh(c, out=room), out=hs[t])
    return hs, c.copy(), workspace


def supports_lstm_grad(hs: Any, *arguments: Any) -> bool:
    """The same."""
    given = [g for g in arguments[:-1] if g is not None]
    return supports_lstm(hs, *given)


def lstm_grad(
    hs: Any, last: Any, workspace: Any, x: Any, Wx: Any, Wh: Any, b: Any, h: Any, c: Any,
    ghs: Any, gc: Any, needs_gx: bool,
) -> tuple[Any, ...]:  # fmt: skip
    """Return the gradients of the six inputs: those of the weights for all steps at once."""
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


def gradient_of_gates(workspace: Any, c: Any, Wh: Any, ghs: Any, gc: Any) -> tuple[Any, Any, Any]:
    """The portable form's lines, all gates at a time: the slope of u is written over afterwards."""
    T, _, H, N = workspace.shape
    gas, WhT = np.empty((4 * H, T, N), c.dtype), np.ascontiguousarray(Wh.T)
    ga, slopes = np.empty((2, 4, H, N), c.dtype)
    gh, going, tanh_c, room = np.zeros((4, H, N), c.dtype)
    if gc is not None:
        going += gc
    for t in reversed(range(T)):
        i, f, u, o, cell = workspace[t]
        np.tanh(cell, out=tanh_c)
        if ghs is not None:
            gh += ghs[t]
        np.multiply(tanh_c, tanh_c, out=room)
        np.subtract(1, room, out=room)
        room *= np.multiply(gh, o, out=slopes[3])
        going += room
        np.multiply(going, u, out=ga[0])
        np.multiply(going, workspace[t - 1, -1] if t > 0 else c, out=ga[1])
        np.multiply(going, i, out=ga[2])
        np.multiply(gh, tanh_c, out=ga[3])
        np.subtract(1, workspace[t, :4], out=slopes)
        slopes *= workspace[t, :4]
        np.multiply(u, u, out=slopes[2])
        np.subtract(1, slopes[2], out=slopes[2])
        np.multiply(ga.reshape(4 * H, N), slopes.reshape(4 * H, N), out=gas[:, t])
        np.matmul(WhT, gas[:, t], out=gh)
        going *= f
    return gas, gh, going
