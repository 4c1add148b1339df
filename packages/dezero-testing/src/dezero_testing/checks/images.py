"""Check the layers for signals, images and volumes on a backend."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from dezero_core.functions import flatten
from dezero_nn import Layer, Sequential
from dezero_nn import layers as L

from ..check import Check
from .layers import layer_check

SIGNALS = np.sin(np.arange(40.0)).reshape(2, 4, 5).astype("float32")
IMAGES = np.sin(np.arange(128.0)).reshape(2, 4, 4, 4).astype("float32")
VOLUMES = np.sin(np.arange(72.0)).reshape(1, 2, 3, 4, 3).astype("float32")

SIGNAL_LAYERS: dict[str, Callable[[], Layer]] = {
    "Conv1d": lambda: L.Conv1d(3, 3, pad="same"),
    "Deconv1d": lambda: L.Deconv1d(3, 3, stride=2, output_padding=1),
    "pooling of signals": lambda: Sequential(
        L.MaxPool1d(2, ceil_mode=True), L.AvgPool1d(2, 1), L.AdaptiveAvgPool1d(3),
        L.AdaptiveMaxPool1d(2), flatten, L.Linear(2),
    ),
}  # fmt: skip

IMAGE_LAYERS: dict[str, Callable[[], Layer]] = {
    "Conv2d with padding same": lambda: L.Conv2d(2, 2, pad="same"),
    "Deconv2d with output_padding": lambda: L.Deconv2d(2, 3, stride=2, pad=1, output_padding=1),
    "ConvTranspose2d": lambda: L.ConvTranspose2d(4, 2, 3, 2, 1, 1, groups=2, bias=False),
    "InstanceNorm2d": lambda: L.InstanceNorm2d(4, affine=True),
    "GroupNorm": lambda: L.GroupNorm(2),
    "InstanceNorm": lambda: L.InstanceNorm(affine=True),
    "LocalResponseNorm": lambda: L.LocalResponseNorm(3),
    "Upsample": lambda: Sequential(L.Upsample(scale_factor=2), L.Conv2d(2, 1)),
    "pooling of images": lambda: Sequential(
        L.MaxPool2d(2, 1), L.AvgPool2d(2, 1, count_include_pad=False), L.AdaptiveAvgPool2d(3),
        L.AdaptiveMaxPool2d(2), flatten, L.Linear(2),
    ),
    "PixelShuffle": lambda: Sequential(
        L.PixelShuffle(2), L.PixelUnshuffle(4), L.Upsample(3, mode="bilinear"), L.Conv2d(1, 1)
    ),
}  # fmt: skip

VOLUME_LAYERS: dict[str, Callable[[], Layer]] = {
    "Conv3d": lambda: L.Conv3d(2, 2, groups=2),
    "Deconv3d": lambda: L.Deconv3d(2, 2),
    "pooling of volumes": lambda: Sequential(
        L.MaxPool3d(2, 1), L.AvgPool3d(2, 1, 1), L.AdaptiveAvgPool3d((1, 2, 2)), flatten,
        L.Linear(2),
    ),
}  # fmt: skip


def image_checks() -> list[Check]:
    """Return the checks of this module."""
    groups = ((SIGNAL_LAYERS, SIGNALS), (IMAGE_LAYERS, IMAGES), (VOLUME_LAYERS, VOLUMES))
    return [
        Check(name, "layers", layer_check(make, x))
        for layers, x in groups
        for name, make in layers.items()
    ]
