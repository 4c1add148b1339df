"""Check the layers of transformers on a backend, also while sampling with a cache."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from dezero_core import Variable, no_grad, seed
from dezero_core.extend import backend_of
from dezero_nn import Layer
from dezero_nn import layers as L

from ..check import Check
from .layers import layer_check, require_close, to_host, to_variable

SEQUENCES = np.sin(np.arange(24.0)).reshape(2, 3, 4).astype("float32")

LAYERS: dict[str, Callable[[], Layer]] = {
    "MultiHeadAttention": lambda: L.MultiHeadAttention(2),
    "MultiHeadAttention with grouped queries": lambda: L.MultiHeadAttention(4, kv_heads=2),
    "RotaryEmbedding": L.RotaryEmbedding,
    "RMSNorm": L.RMSNorm,
    "SwiGLU": lambda: L.SwiGLU(3),
    "FeedForward": lambda: L.FeedForward(3),
    "TransformerBlock": lambda: L.TransformerBlock(2, causal=True),
    "TransformerBlock of Llama": lambda: llama(),
    "TransformerBlock with norms last": lambda: L.TransformerBlock(1, 0.5, pre_norm=False),
}


def transformer_checks() -> list[Check]:
    """Return the checks of this module."""
    found = [Check(name, "layers", layer_check(make, SEQUENCES)) for name, make in LAYERS.items()]
    return [*found, Check("KVCache", "layers", check_cache)]


def llama() -> L.TransformerBlock:
    """Return a block with all parts of Llama's blocks."""
    return L.TransformerBlock(
        2, norm="rms", activation="swiglu", bias=False, causal=True, kv_heads=1,
        rotary=L.RotaryEmbedding(),
    )  # fmt: skip


def check_cache(name: str) -> None:
    """Compare the outputs for one position at a time, with a cache, with those for all at once."""
    seed(5)
    block, x = llama().to(name), to_variable(name, SEQUENCES)
    expected, cache, found = to_host(block(x)), L.KVCache(3), []
    with no_grad():
        for t in range(3):
            assert cache.filled == t
            y = block(Variable(x.data[:, t : t + 1, :]), cache=cache)
            assert backend_of(y.data).name == name
            found.append(to_host(y))
    require_close(np.concatenate(found, axis=1), expected, "outputs with a cache")
