"""Test the layers of transformers: sizes, masks, caches, sampling and bad arguments."""

import copy
import pickle
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from dezero_core import no_grad, seed, test_mode
from dezero_core.errors import ArgumentError, ArgumentTypeError, CallError, GraphError, ShapeError
from dezero_core.functions import matmul, sum, transpose
from dezero_nn import AdamW, EmbedID, Layer, LayerNorm, softmax_cross_entropy
from dezero_nn.functions import relu, scaled_dot_product_attention
from dezero_nn.layers import (
    FeedForward,
    KVCache,
    MultiHeadAttention,
    RMSNorm,
    RotaryEmbedding,
    SwiGLU,
    TransformerBlock,
)

X = np.sin(np.arange(48.0)).reshape(2, 3, 8).astype("float32")


class GPT(Layer):
    """A small language model with learned or rotary positions."""

    def __init__(self, V: int, T: int, C: int, **settings: Any) -> None:
        self.tokens, self.positions = EmbedID(V, C), EmbedID(T, C)
        self.blocks = [TransformerBlock(2, causal=True, **settings) for _ in range(2)]
        self.norm = LayerNorm(C)

    def forward(self, ids: Any, cache: KVCache | None = None) -> Any:
        start = 0 if cache is None else cache.filled
        x = self.tokens(ids) + self.positions(np.arange(ids.shape[1]) + start)
        for block in self.blocks:
            x = block(x, cache=cache)
        return matmul(self.norm(x), transpose(self.tokens.W))


@pytest.mark.parametrize("settings", [{}, {"kv_heads": 1, "rotary": RotaryEmbedding(100.0)}])
def test_sampling_with_a_cache_gives_the_same_tokens(settings: dict[str, Any]) -> None:
    seed(0)
    model = GPT(20, 12, 8, **settings).eval()
    ids = np.array([[1, 2, 3], [4, 5, 6]])
    cache = KVCache(12)
    with no_grad():
        new = ids
        for _ in range(9):
            alone = model(ids).data[:, -1].argmax(-1)
            scores = model(new, cache).data[:, -1]
            assert (scores.argmax(-1) == alone).all()
            new = alone[:, np.newaxis]
            ids = np.concatenate([ids, new], axis=1)
    assert cache.filled == 11 and repr(cache) == "KVCache(12; 11 filled)"
    assert len({tuple(row) for row in ids.T.tolist()}) > 3  # not always the same token


def test_a_gpt_learns_to_repeat() -> None:
    seed(0)
    model = GPT(5, 8, 16, dropout=0.1)
    optimizer = AdamW(0.01).setup(model)
    ids = np.tile([[0, 1, 2, 3, 4, 0, 1, 2, 3]], (4, 1))
    for _ in range(30):
        y = model(ids[:, :-1])
        loss = softmax_cross_entropy(y.reshape(-1, 5), ids[:, 1:].reshape(-1))
        model.cleargrads()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.1


def test_attention_is_that_of_the_function() -> None:
    layer = MultiHeadAttention(2, 8, causal=True)
    W, b = layer.qkv.W.data, layer.qkv.b.data
    assert W.shape == (8, 24) and layer.proj.W.shape == (8, 8)
    q, k, v = (
        part.reshape(2, 3, 2, 4).transpose(0, 2, 1, 3) for part in np.split(X @ W + b, 3, axis=-1)
    )
    y = scaled_dot_product_attention(q, k, v, causal=True).data.transpose(0, 2, 1, 3)
    np.testing.assert_allclose(layer(X).data, y.reshape(X.shape) @ layer.proj.W.data, atol=1e-6)


def test_attention_to_a_context() -> None:
    layer = MultiHeadAttention(4, kv_heads=2, causal=True, rotary=RotaryEmbedding())
    other = np.cos(np.arange(80.0)).reshape(2, 5, 8).astype("float32")
    y = layer(X, other)
    assert y.shape == X.shape
    sum(y * y).backward()
    assert all(p.grad is not None for p in layer.params())
    plain = MultiHeadAttention(4, kv_heads=2)
    plain.qkv, plain.proj = layer.qkv, layer.proj
    np.testing.assert_allclose(plain(X, X).data, plain(X).data, atol=1e-6)


def test_a_mask_of_keys_hides_padding() -> None:
    layer = MultiHeadAttention(2)
    seen = np.array([[True, True, False]] * 2)[:, np.newaxis, np.newaxis]
    np.testing.assert_allclose(layer(X, mask=seen).data[:, :2], layer(X[:, :2]).data, atol=1e-6)


def test_sizes_come_from_the_first_input_or_the_arguments() -> None:
    for make in (lambda: MultiHeadAttention(2), SwiGLU, FeedForward, RMSNorm):
        layer = make()
        waiting = layer.named_params()
        assert waiting and all(p.data is None for p in waiting.values())
        assert layer(X).shape == X.shape
        assert all(p.data is not None for p in waiting.values())
    block = TransformerBlock(2, 3, activation="swiglu", norm="rms", bias=False)
    block(X)
    shapes = {key: p.shape for key, p in block.named_params().items()}
    assert shapes == {
        "norm1/gamma": (8,), "norm2/gamma": (8,), "attention/qkv/W": (8, 24),
        "attention/proj/W": (8, 8), "mlp/gate/W": (8, 24), "mlp/up/W": (8, 24),
        "mlp/down/W": (24, 8),
    }  # fmt: skip


@pytest.mark.parametrize("make", [lambda: TransformerBlock(2), lambda: GPT(5, 3, 8)])
def test_weights_load_before_the_first_input(make: Callable[[], Layer], tmp_path: Any) -> None:
    x = np.array([[1, 2, 3]]) if isinstance(make(), GPT) else X
    seed(1)
    layer, other = make(), make()
    y = layer(x)
    layer.save_weights(tmp_path / "block.npz")
    other.load_weights(tmp_path / "block.npz")
    np.testing.assert_array_equal(other(x).data, y.data)


def test_copies_and_pickles() -> None:
    block = TransformerBlock(2, rotary=RotaryEmbedding())
    y = block(X)
    for twin in (copy.deepcopy(block), pickle.loads(pickle.dumps(block))):
        np.testing.assert_array_equal(twin(X).data, y.data)
    assert "TransformerBlock(heads" not in repr(block)  # heads is a setting of the attention
    assert "(attention): MultiHeadAttention(heads=2, size=8" in repr(block)


@pytest.mark.parametrize("pre_norm", [True, False])
def test_dropout_is_for_training(pre_norm: bool) -> None:
    block = TransformerBlock(2, dropout=0.5, pre_norm=pre_norm)
    with test_mode():
        assert np.array_equal(block(X).data, block(X).data)
    assert not np.array_equal(block(X).data, block(X).data)


def test_norms_come_first_or_last() -> None:
    first, last = TransformerBlock(2), TransformerBlock(2, pre_norm=False)
    last(X)
    for block in (first, last):
        for layer in (block.attention.proj, block.mlp.down):
            layer.initializer = lambda shape, *_: np.zeros(shape, "float32")
    np.testing.assert_array_equal(first(X).data, X)  # nothing is added to x
    y = last(X).data
    np.testing.assert_allclose(y.mean(-1), 0, atol=1e-6)
    np.testing.assert_allclose(y.std(-1), 1, atol=1e-3)


def test_another_activation() -> None:
    block = TransformerBlock(2, activation=relu)
    assert block.mlp.activation is relu  # type: ignore[union-attr]
    assert block(X).shape == X.shape


def test_one_position_and_empty_sequences() -> None:
    block = TransformerBlock(2, causal=True, rotary=RotaryEmbedding())
    assert block(X[:, :1]).shape == (2, 1, 8)
    assert block(X[:, :0]).shape == (2, 0, 8)
    assert block(X[:0]).shape == (0, 3, 8)
    assert block(X[0]).shape == (3, 8)  # no batch


def test_rms_norm_divides_by_the_root_mean_square() -> None:
    norm = RMSNorm(8, eps=0.0)
    np.testing.assert_allclose((norm(10 * X).data ** 2).mean(-1), 1, rtol=1e-5)
    assert norm.named_params()["gamma"].shape == (8,)
    assert norm(X.astype("float16")).dtype == np.float32  # the dtype of gamma


def test_the_cache_keeps_each_layer_apart_and_forgets() -> None:
    first, second = MultiHeadAttention(2, 8), MultiHeadAttention(2, 8)
    cache = KVCache(4)
    with no_grad():
        k = np.ones((1, 2, 3, 4), "float32")
        keys, values = cache.extend(first, k, 2 * k)
        assert keys.shape == (1, 2, 3, 4) and (np.asarray(values) == 2).all()
        assert cache.filled == 3 and cache.filled_by(second) == 0
        cache.extend(second, k[:, :, :1], k[:, :, :1])
        assert cache.filled == 1
        keys, _ = cache.extend(first, 5 * k[:, :, :1], k[:, :, :1])
        assert np.asarray(keys)[0, 0, :, 0].tolist() == [1, 1, 1, 5]
        with pytest.raises(ArgumentError, match="4 positions and 1 new ones; expected at most 4"):
            cache.extend(first, k[:, :, :1], k[:, :, :1])
        cache.reset()
        assert cache.filled == 0 == cache.filled_by(first)
        cache.extend(first, k, k)
        with pytest.raises(ShapeError, match=re.escape("KVCache: (3, 2, 1, 4) for a cache of")):
            cache.extend(first, *[np.ones((3, 2, 1, 4), "float32")] * 2)


def test_the_cache_refuses_a_recorded_graph() -> None:
    layer, cache = MultiHeadAttention(2), KVCache(4)
    with pytest.raises(GraphError, match=re.escape("use the cache inside no_grad()")):
        layer(X, cache=cache)
    assert cache.filled == 0


WRONG: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (lambda: MultiHeadAttention(3)(X), ArgumentError, "8 channels for 3 heads; expected"),
    (lambda: MultiHeadAttention(3, 8), ArgumentError, "8 channels for 3 heads"),
    (lambda: MultiHeadAttention(4, kv_heads=3), ArgumentError, "kv_heads 3 does not divide"),
    (lambda: MultiHeadAttention(0), ArgumentError, "heads 0 is below 1"),
    (lambda: MultiHeadAttention(2.0), ArgumentTypeError, "heads 2.0 (float): expected an integer"),
    (lambda: MultiHeadAttention(2, dropout=1), ArgumentError, "dropout 1 is not in [0, 1)"),
    (lambda: MultiHeadAttention(2)(X[0, 0]), ShapeError, "x (8,); expected (..., T, C)"),
    (lambda: MultiHeadAttention(2, 8)(X[..., :6]), ShapeError, "x (2, 3, 6), W (8, 24)"),
    (lambda: MultiHeadAttention(2)(X, X, cache=KVCache(4)), ArgumentError, "both context and"),
    (lambda: TransformerBlock(2, norm="batch"), ArgumentError, "norm 'batch'; expected one of"),
    (lambda: TransformerBlock(2, activation="x"), ArgumentError, "activation 'x'; expected 'gelu'"),
    (lambda: TransformerBlock(2, hidden="4"), ArgumentTypeError, "hidden '4' (str): expected a n"),
    (lambda: TransformerBlock(2, hidden=0), ArgumentError, "hidden 0; expected a number above 0"),
    (lambda: MultiHeadAttention(2, rotary=True), ArgumentTypeError, "rotary True; expected a Rot"),
    (lambda: MultiHeadAttention(2)(X, cache={}), ArgumentTypeError, "cache is of type dict;"),
    (lambda: SwiGLU(0), ArgumentError, "hidden 0 is below 1"),
    (lambda: RMSNorm(4)(X), ShapeError, "x (2, 3, 8); expected (..., 4)"),
    (lambda: RMSNorm(eps=-1), ArgumentError, "eps -1 is not in [0, 1)"),
    (lambda: KVCache(0), ArgumentError, "length 0 is below 1"),
    (lambda: RotaryEmbedding(0)(X), ArgumentError, "base 0 is not above 0"),
    (lambda: MultiHeadAttention(2, num_heads=2), CallError, "unknown keyword 'num_heads'"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "error", "message"), WRONG)
def test_wrong_arguments(call: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=re.escape(message)):
        call()
