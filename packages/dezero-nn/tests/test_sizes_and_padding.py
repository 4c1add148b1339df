"""Test layers whose sizes are given at construction, and the options of these layers."""

import copy
from typing import Any

import numpy as np
import pytest

import dezero_nn as nn
from dezero_core.errors import ArgumentError, ArgumentTypeError, DezeroError, ShapeError
from dezero_core.functions import sum

ROWS = np.random.default_rng(0).normal(size=(5, 4)).astype("float32")
IMAGES = np.random.default_rng(1).normal(size=(2, 4, 6, 6)).astype("float32")
IDS = np.array([[0, 2, 1], [2, 2, 3]])

SIZED: dict[str, tuple[Any, Any]] = {
    "Linear": (lambda: nn.Linear(3, in_size=4), ROWS),
    "Conv2d": (lambda: nn.Conv2d(3, 3, in_channels=4), IMAGES),
    "Deconv2d": (lambda: nn.Deconv2d(3, 3, in_channels=4), IMAGES),
    "BatchNorm": (lambda: nn.BatchNorm(4), IMAGES),
    "LayerNorm": (lambda: nn.LayerNorm(4), ROWS),
    "LayerNorm of axes": (lambda: nn.LayerNorm((6, 6)), IMAGES),
    "EmbedID": (lambda: nn.EmbedID(4, 3), IDS),
    "Embedding": (lambda: nn.Embedding(4, 3), IDS),
    "RNN": (lambda: nn.RNN(3, in_size=4, num_layers=2), ROWS),
    "LSTM": (lambda: nn.LSTM(3, in_size=4, bidirectional=True), ROWS[None]),
    "GRU": (lambda: nn.GRU(3, in_size=4), ROWS),
    "Conv1d": (lambda: nn.Conv1d(3, 3, in_channels=4), IMAGES[..., 0]),
    "GroupNorm": (lambda: nn.GroupNorm(2, 4), IMAGES),
    "InstanceNorm": (lambda: nn.InstanceNorm(4, affine=True), IMAGES),
    "RMSNorm": (lambda: nn.RMSNorm(4), ROWS),
    "PReLU": (lambda: nn.PReLU(4), IMAGES),
    "MultiHeadAttention": (lambda: nn.MultiHeadAttention(2, 4), ROWS),
    "FeedForward": (lambda: nn.FeedForward(size=4), ROWS),
    "SwiGLU": (lambda: nn.SwiGLU(3, size=4), ROWS),
    "TransformerBlock": (lambda: nn.TransformerBlock(2, size=4), ROWS),
    "TransformerBlock rms swiglu": (
        lambda: nn.TransformerBlock(2, 2.5, norm="rms", activation="swiglu", size=4),
        ROWS,
    ),
    "GPT": (lambda: nn.GPT(3, 5, 4, 2, 1), np.array([[0, 2]])),
}


@pytest.mark.parametrize("name", SIZED)
def test_a_given_size_creates_all_parameters_at_once(name: str) -> None:
    make, x = SIZED[name]
    layer = make()
    before = {key: p.data for key, p in layer.named_params().items()}
    assert all(array.dtype == np.float32 for array in before.values())
    layer.eval()(x)
    assert all(p.data is before[key] for key, p in layer.named_params().items())


@pytest.mark.parametrize("layer", [nn.BatchNorm, nn.LayerNorm])
def test_a_size_changes_nothing_else(layer: Any) -> None:
    lazy, sized = layer(), layer(4)
    assert np.array_equal(lazy(ROWS).data, sized(ROWS).data)
    for key, p in lazy.named_params().items():
        assert np.array_equal(p.data, sized.named_params()[key].data), key


def test_settings_of_batch_norm() -> None:
    layer = nn.BatchNorm(4, eps=0.1, decay=0.5)
    y = layer(ROWS)
    np.testing.assert_allclose(
        y.data, (ROWS - ROWS.mean(0)) / np.sqrt(ROWS.var(0) + 0.1), rtol=1e-5, atol=1e-6
    )
    np.testing.assert_allclose(layer.avg_mean.data, ROWS.mean(0) / 2, rtol=1e-5)
    np.testing.assert_allclose(layer.avg_var.data, (1 + ROWS.var(0, ddof=1)) / 2, rtol=1e-5)
    by_running = layer.eval()(ROWS)
    expected = (ROWS - layer.avg_mean.data) / np.sqrt(layer.avg_var.data + 0.1)
    np.testing.assert_allclose(by_running.data, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("layer", "x"),
    [
        (nn.BatchNorm1d, ROWS),
        (nn.BatchNorm1d, IMAGES[..., 0]),
        (nn.BatchNorm2d, IMAGES),
        (nn.BatchNorm3d, IMAGES[..., None]),
    ],
)
def test_batch_norm_with_the_defaults_of_pytorch(layer: Any, x: Any) -> None:
    ours, same = layer(4), nn.BatchNorm(eps=1e-5, decay=0.9)
    assert np.array_equal(ours(x).data, same(x).data)
    for key, p in same.named_params().items():
        assert np.array_equal(ours.named_params()[key].data, p.data), key
    plain = layer(4, affine=False, momentum=1.0)
    assert np.array_equal(plain(x).data, ours(x).data)
    assert list(plain.named_params()) == ["avg_mean", "avg_var"] == list(plain.pytorch_arrays())
    np.testing.assert_allclose(
        plain.avg_mean.data, x.mean(tuple({*range(x.ndim)} - {1})), rtol=1e-4, atol=1e-6
    )
    with pytest.raises(ShapeError, match=rf"{layer.__name__}: x \(4,\); expected \(N, C"):
        ours(np.ones(4, "f"))


@pytest.mark.parametrize("shape", [None, 4])
def test_layer_norm_without_bias_or_gamma(shape: Any) -> None:
    normalised = (ROWS - ROWS.mean(1, keepdims=True)) / np.sqrt(ROWS.var(1, keepdims=True) + 1e-5)
    plain = nn.LayerNorm(shape, elementwise_affine=False)
    np.testing.assert_allclose(plain(ROWS).data, normalised, rtol=1e-5, atol=1e-6)
    assert not plain.named_params() and not plain.pytorch_arrays()
    layer = nn.LayerNorm(shape, bias=False)
    layer(ROWS)
    assert list(layer.named_params()) == ["gamma"] == list(layer.pytorch_arrays())
    layer.gamma.data = np.arange(4, dtype="float32")
    sum(y := layer(ROWS)).backward()
    np.testing.assert_allclose(y.data, normalised * np.arange(4), rtol=1e-5, atol=1e-6)
    assert layer.gamma.grad.shape == (4,)
    layer.gamma = None
    np.testing.assert_allclose(layer(ROWS).data, normalised, rtol=1e-5, atol=1e-6)
    assert nn.LayerNorm(3, bias=False)(np.ones((2, 3), "float64")).dtype == "float64"


@pytest.mark.parametrize("padding_idx", [2, -2])
@pytest.mark.parametrize("layer", [nn.EmbedID, nn.Embedding])
def test_padding_starts_at_zero_and_is_not_trained(layer: Any, padding_idx: int) -> None:
    table = layer(4, 3, padding_idx)
    assert table.padding_idx == 2
    assert not table.W.data[2].any() and table.W.data[[0, 1, 3]].all()
    table.W.data[2] = 7.0
    y = table(IDS)
    assert np.array_equal(y.data, table.W.data[IDS]), "the row is used as it is"
    sum(y * y).backward(create_graph=True)
    assert np.array_equal(table.W.grad.data[2], np.zeros(3))
    assert table.W.grad.data[[0, 1, 3]].all()
    assert copy.deepcopy(table).padding_idx == 2
    assert type(table).__name__ in repr(table) and "padding_idx=2" in repr(table)


WRONG: list[tuple[Any, type[DezeroError], str]] = [
    (lambda: nn.Embedding(4, 3, 4), ArgumentError, "Embedding: padding_idx 4 with 4 rows"),
    (lambda: nn.EmbedID(4, 3, -5), ArgumentError, "EmbedID: padding_idx -5 with 4 rows"),
    (lambda: nn.Embedding(4, 3, 1.5), ArgumentTypeError, "Embedding: padding_idx 1.5"),
    (lambda: nn.BatchNorm(0), ArgumentError, "BatchNorm: channels 0"),
    (lambda: nn.BatchNorm(3, decay=1.0), ArgumentError, r"decay 1.0 is not in \[0, 1\)"),
    (lambda: nn.BatchNorm(3, eps=-1.0), ArgumentError, r"BatchNorm: eps -1.0 is not in \[0, 1\)"),
    (lambda: nn.BatchNorm2d(3, momentum=0.0), ArgumentError, r"momentum 0.0 is not in \(0, 1\]"),
    (lambda: nn.BatchNorm1d(3, affine=1), ArgumentError, "affine 1 .*: expected True or False"),
    (lambda: nn.BatchNorm2d(4)(ROWS), ShapeError, r"x \(5, 4\); expected \(N, C, H, W\)"),
    (lambda: nn.LayerNorm(3, bias=None), ArgumentError, "bias None .*: expected True or False"),
    (lambda: nn.BatchNorm(3)(ROWS), DezeroError, r"x \(5, 4\)"),
    (lambda: nn.LayerNorm(3)(ROWS), DezeroError, r"x \(5, 4\)"),
]


@pytest.mark.parametrize(("call", "kind", "message"), WRONG, ids=lambda v: str(v)[:20])
def test_wrong_arguments(call: Any, kind: Any, message: str) -> None:
    with pytest.raises(kind, match=message):
        call()
