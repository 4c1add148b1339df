"""Compare attention and transformer blocks with PyTorch's, from weights saved by PyTorch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from dezero_core import Variable
from dezero_io import load_pytorch_weights
from dezero_nn import layers as L
from dezero_nn.functions import scaled_dot_product_attention

X = np.random.default_rng(0).normal(size=(2, 5, 8)).astype("float32")
CONTEXT = np.random.default_rng(1).normal(size=(2, 7, 8)).astype("float32")


def loaded(layer: Any, module: torch.nn.Module, folder: Path) -> Any:
    """Load the weights of a module, which are drawn first, into a layer."""
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    np.savez(folder / "w.npz", **{key: x.numpy() for key, x in module.state_dict().items()})
    load_pytorch_weights(layer, folder / "w.npz")
    return layer


def require_close(ours: Any, theirs: Any) -> None:
    np.testing.assert_allclose(ours, theirs.detach().numpy(), rtol=1e-4, atol=1e-5)


def test_multi_head_attention(tmp_path: Path) -> None:
    torch.manual_seed(0)
    module = torch.nn.MultiheadAttention(8, 2, batch_first=True)
    layer = loaded(L.MultiHeadAttention(2), module, tmp_path)
    x, context = Variable(X), torch.tensor(CONTEXT)
    t = torch.tensor(X, requires_grad=True)
    hidden = np.random.default_rng(2).random((5, 7)) > 0.5  # true hides a key in PyTorch's layer
    hidden[:, 0] = False
    y = layer(x, CONTEXT, ~hidden)
    z = module(t, context, context, attn_mask=torch.tensor(hidden))[0]
    require_close(y.data, z)
    (y * y).sum().backward()
    (z * z).sum().backward()
    assert x.grad is not None and t.grad is not None
    require_close(x.grad.data, t.grad)
    require_close(layer.qkv.W.grad.data, module.in_proj_weight.grad.T)


@pytest.mark.parametrize("pre_norm", [False, True])
def test_transformer_block(pre_norm: bool, tmp_path: Path) -> None:
    torch.manual_seed(0)
    module = torch.nn.TransformerEncoderLayer(
        8, 2, 32, dropout=0.0, activation="gelu", batch_first=True, norm_first=pre_norm
    )
    block = loaded(L.TransformerBlock(2, pre_norm=pre_norm), module, tmp_path)
    require_close(block(X).data, module(torch.tensor(X)))
    causal = loaded(L.TransformerBlock(2, pre_norm=pre_norm, causal=True), module, tmp_path)
    mask = torch.nn.Transformer.generate_square_subsequent_mask(5)
    require_close(causal(X).data, module(torch.tensor(X), src_mask=mask, is_causal=True))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("size", [1.0, 20.0])
def test_long_sequences_of_grouped_queries(dtype: str, causal: bool, size: float) -> None:
    draw = np.random.default_rng(0)
    arrays = [(size * draw.normal(size=(2, h, 300, 16))).astype(dtype) for h in (6, 2, 2)]
    xs = [Variable(x) for x in arrays]
    ts = [torch.tensor(x, requires_grad=True) for x in arrays]
    y = scaled_dot_product_attention(*xs, causal=causal)
    z = torch.nn.functional.scaled_dot_product_attention(*ts, is_causal=causal, enable_gqa=True)
    gy = draw.normal(size=y.shape).astype(dtype)
    (y * gy).sum().backward()
    z.backward(torch.tensor(gy))
    tolerance = 1e-9 if dtype == "float64" else 3e-5 * size
    for ours, theirs in (
        (y.data, z),
        *((x.grad.data, t.grad) for x, t in zip(xs, ts, strict=True)),
    ):
        scale = float(theirs.detach().abs().max())
        np.testing.assert_allclose(ours / scale, theirs.detach().numpy() / scale, 0, tolerance)
