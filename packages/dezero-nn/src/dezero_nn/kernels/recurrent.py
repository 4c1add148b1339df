"""An LSTM over a sequence, in pieces that stay in the cache: each step from beginning to end.

      gates (T, 4, H, N)     Wx x + Wh h + b  -->  o f i u  --+
                                  |                           |
      hs, cs (T, H, N)       h c  +--  of the step before     +-->  h c  -->  the next step

A step is two products and a dozen passes over 100 kB. With the sequences as the last axis a gate
is one piece of memory, and OpenBLAS multiplies a tenth faster. The threads are BLAS's own: shared
out, the sequences would be hundreds of short calls that wait for Python's lock. What is not a
product has buffers of its own: memory that another core wrote last is slow to write again.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .sigmoid import logistic


def supports_lstm(*arrays: Any) -> bool:
    """Arrays of one dtype, single or double precision, with something in them."""
    dtype = arrays[0].dtype
    return dtype.char in "fd" and all(
        type(array) is np.ndarray and array.dtype == dtype and array.size > 0 for array in arrays
    )


def lstm(x: Any, Wx: Any, Wh: Any, b: Any, h: Any, c: Any) -> tuple[Any, Any, Any]:
    """The states after every step, and the gates."""
    (T, _, N), H = x.shape, h.shape[0]
    Wx, Wh = np.ascontiguousarray(Wx), np.ascontiguousarray(Wh)  # products are faster
    hs, cs, gates = (np.empty((T, *axes, H, N), x.dtype) for axes in ((), (), (4,)))
    from_h, bias, room = np.empty((4 * H, N), x.dtype), np.repeat(b, N), np.empty_like(hs[0])
    for t in range(T):
        step = np.matmul(Wx, x[t], out=gates[t].reshape(4 * H, N)).reshape(4, H, N)
        step += bias.reshape(step.shape)
        step += np.matmul(Wh, h, out=from_h).reshape(step.shape)
        logistic(step[:3], step[:3])
        o, f, i, u = step
        np.tanh(u, out=u)
        c = np.multiply(f, c, out=cs[t])
        c += np.multiply(i, u, out=room)
        h = np.multiply(o, np.tanh(c, out=room), out=hs[t])
    return hs, cs, gates


def supports_lstm_grad(
    gates: Any, cs: Any, c: Any, Wh: Any, ghs: Any, gcs: Any, ggates: Any
) -> bool:
    """The same, unless the gates have gradients of their own: in second derivatives only."""
    given = [array for array in (ghs, gcs) if array is not None]
    return ggates is None and supports_lstm(gates, cs, c, Wh, *given)


def lstm_grad(
    gates: Any, cs: Any, c: Any, Wh: Any, ghs: Any, gcs: Any, ggates: None
) -> tuple[Any, Any, Any]:
    """The portable form's lines, three gates at a time."""
    T, _, H, N = gates.shape
    gas, WhT = np.empty((4 * H, T, N), gates.dtype), np.ascontiguousarray(Wh.T)
    ga, slopes = np.empty((2, 4, H, N), gates.dtype)
    gh, gc, tanh_c, room = np.zeros((4, H, N), gates.dtype)
    for t in reversed(range(T)):
        o, f, i, u = gates[t]
        np.tanh(cs[t], out=tanh_c)
        if ghs is not None:
            gh += ghs[t]
        if gcs is not None:
            gc += gcs[t]
        np.multiply(tanh_c, tanh_c, out=room)
        np.subtract(1, room, out=room)
        room *= np.multiply(gh, o, out=slopes[0])
        gc += room
        np.multiply(gh, tanh_c, out=ga[0])
        np.multiply(gc, cs[t - 1] if t > 0 else c, out=ga[1])
        np.multiply(gc, u, out=ga[2])
        np.multiply(gc, i, out=ga[3])
        np.subtract(1, gates[t, :3], out=slopes[:3])
        slopes[:3] *= gates[t, :3]
        np.multiply(u, u, out=slopes[3])
        np.subtract(1, slopes[3], out=slopes[3])
        np.multiply(ga.reshape(4 * H, N), slopes.reshape(4 * H, N), out=gas[:, t])
        np.matmul(WhT, gas[:, t], out=gh)
        gc *= f
    return gas, gh, gc
