"""Define the rows of attention and of rotary position embedding."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from dezero_core import Variable
from dezero_core.backends.host import HostArray
from dezero_core.dtypes import as_floating
from dezero_core.extend import backend_of
from dezero_nn import functions as F
from dezero_nn.functions.attention import Attention

from ...op_case import OpCase

SEEN = [[True, False, True], [True, True, False]]
"""A mask for two queries and three keys."""

ADDED = [[0.0, -2.0, 0.5], [1.0, 0.0, -1.0]]
"""Numbers to add to the scores of two queries and three keys."""

QKV = (
    ((2, 2, 3), (2, 3, 3), (2, 3, 2)),
    ((1, 1), (2, 1), (2, 1)),
    ((2, 0, 3), (2, 2, 3), (2, 2, 1)),
    ((1, 2, 2), (1, 0, 2), (1, 0, 2)),
)


def cases() -> list[OpCase]:
    """Return the rows of this module."""
    attend = F.scaled_dot_product_attention
    name = "scaled_dot_product_attention"
    return [
        OpCase(name, attend, attention, QKV),
        OpCase(
            f"{name} causal",
            partial(attend, causal=True, scale=0.5),
            partial(attention, causal=True, scale=0.5),
            (((2, 3, 2), (2, 4, 2), (2, 4, 1)), ((2, 1, 1), (2, 1, 1), (2, 1, 1))),
        ),
        OpCase(
            f"{name} grouped queries",
            attend,
            lambda q, k, v: attention(q, np.repeat(k, 2, 1), np.repeat(v, 2, 1)),
            (((1, 4, 2, 2), (1, 2, 2, 2), (1, 2, 2, 1)),),
        ),
        OpCase(f"{name} mask", masked, partial(attention, seen=np.array(SEEN)), QKV[:1]),
        OpCase(
            f"{name} fixed numbers as mask",
            lambda q, k, v: attend(q, k, v, backend_of(q.data).asarray(ADDED)),
            partial(attention, added=np.array(ADDED)),
            QKV[:1],
        ),
        OpCase(
            f"{name} learned mask",
            lambda q, k, v, mask: attend(q, k, v, as_floating(mask)),  # bools have another meaning
            lambda q, k, v, mask: attention(q, k, v, added=mask),
            (((2, 2, 3), (2, 3, 3), (2, 3, 2), (2, 3)),),
        ),
        OpCase(f"{name} dropout", dropped, partial(attention, keep=2.0 * np.array(SEEN)), QKV[:1]),
        OpCase("rotary", F.rotary, rotary, (((2, 3, 4),), ((1, 2),), ((2, 0, 4),), ((3, 0),))),
        OpCase(
            "rotary interleaved",
            lambda x: F.rotary(x, backend_of(x.data).asarray([2.0, 5.0]), 100.0, interleaved=True),
            lambda x: rotary(x, (2, 5), 100.0, interleaved=True),
            (((2, 4),),),
        ),
    ]


def masked(q: Variable, k: Variable, v: Variable) -> Any:
    """Apply attention with a mask of bools."""
    mask = backend_of(q.data).asarray(SEEN)
    return F.scaled_dot_product_attention(q, k, v, mask)


def dropped(q: Variable, k: Variable, v: Variable) -> Any:
    """Apply attention with half of the weights dropped, by a fixed mask."""
    keep, qkv = backend_of(q.data).asarray([SEEN, SEEN]), map(as_floating, (q, k, v))
    found = Attention(False, 3**-0.5, 0.5)(*qkv, None, keep)
    return found[0] if isinstance(found, tuple) else found


def attention(
    q: HostArray,
    k: HostArray,
    v: HostArray,
    seen: Any = None,
    added: Any = 0.0,
    keep: Any = 1.0,
    causal: bool = False,
    scale: float | None = None,
) -> Any:
    """Return the mean of v for each query, weighted by softmax(scale q k^T + added) keep."""
    (T, D), S = q.shape[-2:], k.shape[-2]
    scores = np.einsum("...td,...sd->...ts", q, k) * (D**-0.5 if scale is None else scale) + added
    hidden = np.zeros((T, S), bool) if seen is None else ~seen
    if causal:
        hidden = hidden | (np.arange(S) > np.arange(T)[:, None] + S - T)
    weights = np.exp(scores) * ~hidden
    p = weights / weights.sum(-1, keepdims=True) * keep
    return np.einsum("...ts,...sd->...td", p, v)


def rotary(
    x: HostArray, positions: Any = None, base: float = 10000.0, interleaved: bool = False
) -> Any:
    """Multiply each pair of channels by a rotation matrix."""
    (T, D), y = x.shape[-2:], x.copy()
    for t, position in enumerate(range(T) if positions is None else positions):
        for i in range(D // 2):
            pair = [2 * i, 2 * i + 1] if interleaved else [i, i + D // 2]
            angle = position * base ** (-2 * i / D)
            matrix = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
            y[..., t, pair] = x[..., t, pair] @ np.transpose(matrix).astype(x.dtype)
    return y
