"""An LSTM over a sequence, every step written over the products that it begins with.

      gates (4, T, N, H)     a[0]   a[1]   a[2]  ...      x Wx of all steps, in one product
                              |  +----- h Wh of the step before
                             f i o u                      sigmoid and tanh, where a was
                              |
      hs, cs (T, N, H)       h c -->  ...                 where they stay

A step is then one product and a dozen passes over what the cache holds.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .sigmoid import logistic


def supports_lstm(*arrays: Any) -> bool:
    """Arrays of one dtype, single or double precision."""
    dtype = arrays[0].dtype
    return dtype.char in "fd" and all(
        type(array) is np.ndarray and array.dtype == dtype for array in arrays
    )


def lstm(x: Any, Wx: Any, Wh: Any, b: Any, h: Any, c: Any) -> tuple[Any, Any, Any]:
    """The states after every step, and the gates."""
    (T, N, C), H = x.shape, h.shape[1]
    gates = np.matmul(x.reshape(T * N, C), Wx).reshape(4, T, N, H)
    hs, cs = np.empty((T, N, H), x.dtype), np.empty((T, N, H), x.dtype)
    from_h, room, b = np.empty((4, N, H), x.dtype), np.empty((N, H), x.dtype), b[:, np.newaxis]
    for t in range(T):
        step = gates[:, t]
        step += np.matmul(h, Wh, out=from_h)
        step += b
        logistic(step[:3], step[:3])
        f, i, o, u = step
        np.tanh(u, out=u)
        c = np.multiply(f, c, out=cs[t])
        c += np.multiply(i, u, out=room)
        h = np.multiply(o, np.tanh(c, out=room), out=hs[t])
    return hs, cs, gates
