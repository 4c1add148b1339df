"""Layers for signals, images and volumes: sizes, weights of PyTorch, printing and bad input."""

import pickle
from typing import Any

import numpy as np
import pytest

from dezero_core import Variable
from dezero_core.errors import ArgumentError, ShapeError
from dezero_nn import Layer, Sequential
from dezero_nn import functions as F
from dezero_nn import layers as L
from dezero_nn.models.summary import summary

SIGNALS, IMAGES, VOLUMES = (np.ones(shape, "float32") for shape in (
    (2, 4, 8), (2, 4, 8, 6), (1, 2, 4, 4, 4)))  # fmt: skip


@pytest.mark.parametrize(
    ("make", "x", "W", "y"),
    [
        (lambda **k: L.Conv1d(6, 3, pad=1, groups=2, **k), SIGNALS, (6, 2, 3), (2, 6, 8)),
        (lambda **k: L.Conv2d(6, (3, 1), pad="same", **k), IMAGES, (6, 4, 3, 1), (2, 6, 8, 6)),
        (lambda **k: L.Conv3d(3, 2, stride=2, **k), VOLUMES, (3, 2, 2, 2, 2), (1, 3, 2, 2, 2)),
        (lambda **k: L.Deconv1d(6, 4, stride=2, pad=1, **k), SIGNALS, (4, 6, 4), (2, 6, 16)),
        (
            lambda **k: L.Deconv2d(3, 3, stride=2, pad=1, output_padding=1, **k),
            IMAGES, (4, 3, 3, 3), (2, 3, 16, 12),
        ),
        (lambda **k: L.Deconv3d(3, 2, **k), VOLUMES, (2, 3, 2, 2, 2), (1, 3, 5, 5, 5)),
    ],
)  # fmt: skip
def test_weights_are_created_at_construction_or_at_the_first_input(
    make: Any, x: Any, W: tuple[int, ...], y: tuple[int, ...]
) -> None:
    early, late = make(in_channels=x.shape[1]), make()
    assert early.W.shape == W
    assert late.W.data is None
    assert late(x).shape == early(x).shape == y
    assert late.W.shape == W
    (weight, bias) = late.pytorch_arrays().values()
    assert weight.shape == W
    assert bias.shape == late.b.shape


@pytest.mark.parametrize(
    "make", [lambda n: L.GroupNorm(2, n), lambda n: L.InstanceNorm(n, affine=True)]
)
def test_norms_have_one_scale_and_one_shift_for_each_channel(make: Any) -> None:
    early, late = make(4), make(None)
    assert early.gamma.shape == early.beta.shape == (4,)
    assert np.array_equal(late(IMAGES).data, early(IMAGES).data)
    assert list(late.named_params()) == ["gamma", "beta"]
    arrays = {key: (a.names, a.shape) for key, a in early.pytorch_arrays().items()}
    assert arrays == {"gamma": (("weight",), (4,)), "beta": (("bias",), (4,))}


def test_instance_norm_has_no_parameters_by_default() -> None:
    layer = L.InstanceNorm(4)
    assert layer.named_params() == {}
    assert layer.pytorch_arrays() == {}
    assert np.array_equal(layer(IMAGES).data, F.instance_norm(IMAGES).data)


def test_layers_compute_what_the_functions_compute() -> None:
    x = np.random.default_rng(0).normal(size=(2, 4, 7, 5))
    pairs: list[tuple[Layer, Variable]] = [
        (L.MaxPool2d(3, 2, 1, ceil_mode=True), F.max_pool2d(x, 3, 2, 1, ceil_mode=True)),
        (L.AvgPool2d(2, None, 1, True, False), F.avg_pool2d(x, 2, None, 1, True, False)),
        (L.AdaptiveAvgPool2d((None, 2)), F.adaptive_avg_pool2d(x, (None, 2))),
        (L.AdaptiveMaxPool2d(3), F.adaptive_max_pool2d(x, 3)),
        (L.Upsample(scale_factor=2), F.interpolate(x, scale_factor=2)),
        (L.Upsample((3, 4), mode="bicubic"), F.interpolate(x, (3, 4), mode="bicubic")),
        (L.PixelShuffle(2), F.pixel_shuffle(x, 2)),
        (L.LocalResponseNorm(3, k=2.0), F.local_response_norm(x, 3, k=2.0)),
    ]
    for layer, expected in pairs:
        assert np.array_equal(layer(x).data, expected.data), layer
        assert layer.named_params() == {}


def test_layers_with_the_arguments_of_pytorch() -> None:
    layer = L.ConvTranspose1d(4, 6, 4, 2, 1, bias=False)
    assert layer.b is None
    twin = L.Deconv1d(6, 4, stride=2, pad=1, nobias=True, in_channels=4)
    twin.W.data = layer.W.data
    assert np.array_equal(layer(SIGNALS).data, twin(SIGNALS).data)
    assert repr(L.ConvTranspose3d(2, 3, 2, padding=1)) == (
        "ConvTranspose3d(in_channels=2, out_channels=3, kernel_size=(2, 2, 2), padding=(1, 1, 1); "
        "W (2, 3, 2, 2, 2), b (3,))"
    )
    assert L.InstanceNorm3d(2, affine=True)(VOLUMES).shape == VOLUMES.shape


def test_layers_are_printed_with_their_settings() -> None:
    model = Sequential(L.Conv1d(6, 3, pad="same"), L.MaxPool1d(2), L.GroupNorm(2, 6), L.Upsample(9))
    text = repr(model)
    assert "Conv1d(out_channels=6, kernel_size=(3,), pad='same'; W (waits), b (6,))" in text
    assert "MaxPool1d(kernel_size=(2,))" in text
    assert "GroupNorm(num_groups=2, channels=6; gamma (6,), beta (6,))" in text
    assert "Upsample(size=9)" in text
    assert "(2, 6, 4)" in summary(model, SIGNALS)


def test_a_layer_pickled_before_it_had_output_padding() -> None:
    layer = L.Deconv2d(3, 2, in_channels=4)
    del layer.output_padding
    assert pickle.loads(pickle.dumps(layer))(IMAGES).shape == (2, 3, 9, 7)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: L.Conv1d(2, 3)(IMAGES), r"Conv1d: x \(2, 4, 8, 6\): signals have the shape"),
        (lambda: L.Conv3d(2, 3)(IMAGES), r"Conv3d: .* volumes have the shape \(N, C, D, H, W\)"),
        (lambda: L.Conv1d(2, 9)(SIGNALS), r"[cC]onv1d: a kernel of \(9,\)"),
        (lambda: L.Conv2d(2, 3, pad="full"), "Conv2d: padding 'full'"),
        (lambda: L.Conv1d(2, 3, stride=2, pad="same"), "Conv1d: padding 'same' with stride"),
        (lambda: L.Conv1d(3, 1, groups=2, in_channels=4), "Conv1d: groups 2 does not divide"),
        (lambda: L.Deconv2d(3, 2, pad="same"), "Deconv2d: pad 'same' is neither"),
        (lambda: L.Deconv1d(3, 2, output_padding=1)(SIGNALS), "less than stride"),
        (lambda: L.MaxPool2d((2, 2, 2)), "MaxPool2d: kernel_size .* is neither"),
        (lambda: L.MaxPool1d(2.5), "MaxPool1d: kernel_size 2.5 is not an integer"),
        (lambda: L.GroupNorm(4, 6), "GroupNorm: num_groups 4 does not divide channels 6"),
        (lambda: L.GroupNorm(3)(IMAGES), "group_norm: x .* multiple of num_groups"),
        (lambda: L.GroupNorm(2, 6)(IMAGES), r"group_norm: gamma \(6,\) for x \(2, 4, 8, 6\)"),
        (lambda: L.GroupNorm(2, affine=1), "GroupNorm: affine .*: expected True or False"),
        (lambda: L.InstanceNorm(eps=-1.0), "InstanceNorm: eps -1.0 is not in"),
        (lambda: L.InstanceNorm1d(4)(IMAGES), r"InstanceNorm1d: .* expected \(N, 4, L\)"),
        (lambda: L.InstanceNorm2d(3)(IMAGES), r"InstanceNorm2d: .* expected \(N, 3, H, W\)"),
        (
            lambda: L.ConvTranspose1d(4, 2, 3, bias=0),
            "ConvTranspose1d: bias .*: expected True or False",
        ),
        (lambda: L.Upsample(), "Upsample: .* of size and scale_factor; expected one"),
        (lambda: L.Upsample(2, 2.0), "Upsample: .* of size and scale_factor; expected one"),
        (lambda: L.PixelShuffle(0), "upscale_factor 0 is below 1"),
        (lambda: L.LocalResponseNorm(2)(SIGNALS[0, 0]), "at least three axes"),
    ],
)
def test_bad_input_is_explained(call: Any, message: str) -> None:
    with pytest.raises((ShapeError, ArgumentError), match=message):
        call()
