"""Define the timed transformers: GPTs that are trained and sampled, and a ViT.

The GPTs are those of GPT-2: learned positions, normalisation before each part, the tanh form of
gelu, and a head that shares its table with the embedding. Each step clips the gradients and updates
with AdamW. PyTorch's side uses `scaled_dot_product_attention`, or writes attention out ("eager").
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Step = Callable[[], Any]


@dataclass(frozen=True)
class Sizes:
    """The sizes of a transformer: batch, positions, channels, heads, blocks and classes."""

    B: int
    T: int
    C: int
    heads: int
    blocks: int
    V: int


SMALL = Sizes(16, 64, 128, 4, 3, 80)
LARGE = Sizes(8, 128, 256, 8, 3, 5000)
VIT = Sizes(32, 65, 128, 4, 3, 10)
PATCH, PICTURE = 4, 32
NEW_TOKENS = 63


def tokens(s: Sizes) -> tuple[Any, Any]:
    """Return random token ids, and the ids that follow them."""
    ids = np.random.default_rng(0).integers(0, s.V, (s.B, s.T + 1))
    return ids[:, :-1], ids[:, 1:]


def pictures(s: Sizes) -> tuple[Any, Any]:
    """Return random pictures and labels."""
    draw = np.random.default_rng(0)
    x = draw.random((s.B, 3, PICTURE, PICTURE), dtype=np.float32)
    return x, draw.integers(0, s.V, s.B)


# DeZero


def dezero_gpt(s: Sizes, dropout: float) -> Any:
    """Return a GPT, which takes token ids (B, T) and perhaps a cache, and returns scores."""
    from dezero_nn import GPT

    model = GPT(s.V, s.T, s.C, s.heads, s.blocks)
    for block in model.blocks:
        block.attention.dropout = dropout  # only of attention weights, as in the other side
    return model


def dezero_vit(s: Sizes) -> Any:
    """Return a ViT, which takes pictures (B, 3, 32, 32) and returns scores (B, V)."""
    from dezero_core import Parameter
    from dezero_core.functions import broadcast_to, concat, matrix_transpose, reshape
    from dezero_nn import Conv2d, Layer, LayerNorm, Linear, TransformerBlock

    class ViT(Layer):
        def __init__(self) -> None:
            self.patches = Conv2d(s.C, PATCH, stride=PATCH, in_channels=3)
            self.first = Parameter(np.zeros((1, 1, s.C), "float32"))
            self.positions = Parameter(np.zeros((1, s.T, s.C), "float32"))
            self.blocks = [TransformerBlock(s.heads) for _ in range(s.blocks)]
            self.norm, self.head = LayerNorm(s.C), Linear(s.V, in_size=s.C)

        def forward(self, x: Any) -> Any:
            x = matrix_transpose(reshape(self.patches(x), (len(x), s.C, s.T - 1)))
            x = concat([broadcast_to(self.first, (len(x), 1, s.C)), x], axis=1) + self.positions
            for block in self.blocks:
                x = block(x)
            return self.head(self.norm(x)[:, 0])

    return ViT()


def dezero_training(model: Any, x: Any, t: Any) -> Step:
    """Return a training step with clipped gradients and AdamW."""
    from dezero_core.functions import reshape
    from dezero_nn import AdamW, ClipGrad, softmax_cross_entropy

    optimizer = AdamW(3e-4).setup(model)
    optimizer.add_hook(ClipGrad(1.0))

    def step() -> float:
        y = model(x)
        loss = softmax_cross_entropy(reshape(y, (-1, y.shape[-1])), t.reshape(-1))
        model.cleargrads()
        loss.backward()
        optimizer.step()
        return float(loss.data)

    return step


def dezero_gpt_training(s: Sizes, dropout: float = 0.0) -> Step:
    return dezero_training(dezero_gpt(s, dropout), *tokens(s))


def dezero_vit_training(s: Sizes) -> Step:
    return dezero_training(dezero_vit(s), *pictures(s))


def dezero_sampling(s: Sizes) -> Step:
    """Sample `NEW_TOKENS` tokens after one, with a cache."""
    from dezero_core import no_grad
    from dezero_nn import KVCache, softmax

    model, draw = dezero_gpt(s, 0.0).eval(), np.random.default_rng(0)

    def step() -> None:
        cache, token = KVCache(s.T), np.array([[0]])
        with no_grad():
            for _ in range(NEW_TOKENS):
                p = softmax(model(token, cache)[:, -1], axis=-1).data
                token = (p.cumsum(-1) > draw.random()).argmax(-1)[:, np.newaxis]

    return step


# PyTorch


def torch_attention(q: Any, k: Any, v: Any, causal: bool, dropout: float, eager: bool) -> Any:
    """Return attention by PyTorch's own function, or written out."""
    import torch

    F = torch.nn.functional
    if not eager:
        return F.scaled_dot_product_attention(q, k, v, is_causal=causal, dropout_p=dropout)
    scores = q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5
    if causal:
        mask = torch.ones(scores.shape[-2:], dtype=torch.bool).tril()
        scores = scores.masked_fill(~mask, -torch.inf)
    return F.dropout(scores.softmax(-1), dropout) @ v


def torch_block(s: Sizes, dropout: float, causal: bool, eager: bool, approximate: str) -> Any:
    """Return a block of attention and an MLP."""
    import torch
    from torch import nn

    C, heads = s.C, s.heads

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.ln1, self.ln2 = nn.LayerNorm(C), nn.LayerNorm(C)
            self.qkv, self.proj = nn.Linear(C, 3 * C), nn.Linear(C, C)
            self.up, self.down = nn.Linear(C, 4 * C), nn.Linear(4 * C, C)

        def attention(self, x: Any, cache: list[Any] | None) -> Any:
            B, T, _ = x.shape
            q, k, v = (
                part.view(B, T, heads, C // heads).transpose(1, 2)
                for part in self.qkv(x).split(C, dim=-1)
            )
            if cache is not None:
                k, v = (torch.cat(pair, 2) for pair in zip(cache, (k, v), strict=True))
                cache[:] = k, v
            y = torch_attention(q, k, v, causal and T > 1, dropout, eager)
            return self.proj(y.transpose(1, 2).reshape(B, T, C))

        def forward(self, x: Any, cache: list[Any] | None = None) -> Any:
            x = x + self.attention(self.ln1(x), cache)
            h = nn.functional.gelu(self.up(self.ln2(x)), approximate=approximate)
            return x + self.down(h)

    return Block()


def torch_gpt(s: Sizes, dropout: float, eager: bool) -> Any:
    """Return a GPT, which takes token ids (B, T) and perhaps a cache, and returns scores."""
    import torch
    from torch import nn

    class GPT(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.tokens, self.positions = nn.Embedding(s.V, s.C), nn.Embedding(s.T, s.C)
            blocks = [torch_block(s, dropout, True, eager, "tanh") for _ in range(s.blocks)]
            self.blocks, self.norm = nn.ModuleList(blocks), nn.LayerNorm(s.C)

        def forward(self, ids: Any, caches: list[Any] | None = None, start: int = 0) -> Any:
            x = self.tokens(ids) + self.positions(torch.arange(start, start + ids.shape[1]))
            for i, block in enumerate(self.blocks):
                x = block(x, None if caches is None else caches[i])
            return self.norm(x) @ self.tokens.weight.T

    return GPT()


def torch_vit(s: Sizes, eager: bool) -> Any:
    """Return a ViT, which takes pictures (B, 3, 32, 32) and returns scores (B, V)."""
    import torch
    from torch import nn

    class ViT(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.patches = nn.Conv2d(3, s.C, PATCH, PATCH)
            self.first = nn.Parameter(torch.zeros(1, 1, s.C))
            self.positions = nn.Parameter(torch.zeros(1, s.T, s.C))
            blocks = [torch_block(s, 0.0, False, eager, "none") for _ in range(s.blocks)]
            self.blocks, self.norm = nn.Sequential(*blocks), nn.LayerNorm(s.C)
            self.head = nn.Linear(s.C, s.V)

        def forward(self, x: Any) -> Any:
            x = self.patches(x).flatten(2).transpose(1, 2)
            x = torch.cat([self.first.expand(len(x), -1, -1), x], 1) + self.positions
            return self.head(self.norm(self.blocks(x))[:, 0])

    return ViT()


def torch_training(model: Any, x: Any, t: Any) -> Step:
    """Return a training step with clipped gradients and AdamW."""
    import torch

    x, t = torch.from_numpy(x), torch.from_numpy(t).reshape(-1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-4)

    def step() -> float:
        y = model(x)
        loss = torch.nn.functional.cross_entropy(y.view(-1, y.shape[-1]), t)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return float(loss.detach())

    return step


def torch_gpt_training(s: Sizes, dropout: float = 0.0, eager: bool = False) -> Step:
    return torch_training(torch_gpt(s, dropout, eager), *tokens(s))


def torch_vit_training(s: Sizes, eager: bool = False) -> Step:
    return torch_training(torch_vit(s, eager), *pictures(s))


def torch_sampling(s: Sizes, eager: bool = False) -> Step:
    """Sample `NEW_TOKENS` tokens after one, with the keys and values of earlier ones kept."""
    import torch

    model = torch_gpt(s, 0.0, eager).eval()

    def step() -> None:
        empty = torch.zeros(1, s.heads, 0, s.C // s.heads)
        caches, token = [[empty, empty] for _ in range(s.blocks)], torch.tensor([[0]])
        with torch.no_grad():
            for position in range(NEW_TOKENS):
                scores = model(token, caches, position)[:, -1]
                token = torch.multinomial(scores.softmax(-1), 1)

    return step


def torch_uncached_sampling(s: Sizes) -> Step:
    """Sample `NEW_TOKENS` tokens; compute all earlier positions again for each, as nanoGPT does."""
    import torch

    model = torch_gpt(s, 0.0, False).eval()

    def step() -> None:
        tokens = torch.tensor([[0]])
        with torch.no_grad():
            for _ in range(NEW_TOKENS):
                scores = model(tokens)[:, -1]
                tokens = torch.cat([tokens, torch.multinomial(scores.softmax(-1), 1)], 1)

    return step
