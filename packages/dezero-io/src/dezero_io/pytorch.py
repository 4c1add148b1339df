"""Weights of PyTorch models, saved as safetensors, in ours: by a table of names.

PyTorch's ``Linear`` keeps its weight as (out, in), ours as (in, out): arrays with two axes are
transposed. Filters (OC, C, KH, KW) and everything else are the same. Batch normalisation's
``weight``, ``bias``, ``running_mean`` and ``running_var`` are our ``gamma``, ``beta``, ``avg_mean``
and ``avg_var``; ``num_batches_tracked`` has no counterpart.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from dezero_core.errors import ArgumentError, KeyMismatch
from dezero_core.extend import (
    Limits,
    LoadReport,
    Stored,
    assign,
    located,
    named_params,
    require_fit,
)

IGNORED = "num_batches_tracked"

STATISTICS = {
    "gamma": "weight",
    "beta": "bias",
    "avg_mean": "running_mean",
    "avg_var": "running_var",
}
"""Batch normalisation's names here, and there."""

VGG16_CONVOLUTIONS = {
    "1_1": 0, "1_2": 2, "2_1": 5, "2_2": 7, "3_1": 10, "3_2": 12, "3_3": 14,
    "4_1": 17, "4_2": 19, "4_3": 21, "5_1": 24, "5_2": 26, "5_3": 28,
}  # fmt: skip
"""Our convolutions, and their places in torchvision's ``features``."""

RESNET_BLOCKS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}
"""Bottlenecks of the four stages, by number of layers."""


def load_pytorch_weights(
    tree: Any,
    path: str | os.PathLike[str],
    names: Mapping[str, str],
    *,
    max_bytes: int = Limits.max_bytes,
) -> LoadReport:
    """Read a state_dict in safetensors into ``tree``, all or nothing.

    Args:
        tree: a layer, or a dictionary or list of layers and parameters.
        path: the file.
        names: by our key, the name in the file. Parameters that it does not list stay as they are.
        max_bytes: refuse files that are larger.

    Returns:
        which keys were loaded, and which are missing in ``names``.

    Raises:
        KeyMismatch: the model, or the file, lacks a name, or the file has others.
        DataMissing, FormatError, LimitError, ShapeMismatch, DtypeMismatch: as for `load_weights`.
    """
    target, file_format = located(path)
    stored, named = file_format.read(target, Limits(max_bytes)), named_params(tree)
    unknown = [key for key in names if key not in named]
    if unknown:
        raise KeyMismatch(f"the model has no {', '.join(unknown)}; names are by its keys")
    lacking = [name for name in names.values() if name not in stored.arrays]
    others = {name for name in stored.arrays if not name.endswith(IGNORED)} - set(names.values())
    if lacking or others:
        differ = [f"missing {name!r}" for name in lacking]
        differ += [f"unexpected {name!r}" for name in sorted(others)]
        raise KeyMismatch(
            f"{target} is not what names say, nothing was loaded: {'; '.join(differ)}"
        )
    arrays = {key: ours(stored.arrays[name]) for key, name in names.items()}
    chosen = {key: named[key] for key in names}
    require_fit(chosen, Stored(arrays), f"{target} does not fit the model")
    assign(chosen, arrays)
    return LoadReport(tuple(chosen), tuple(key for key in named if key not in names), (), {})


def ours(x: Any) -> Any:
    """An array as our layers keep it."""
    return np.ascontiguousarray(x.T) if x.ndim == 2 else x


def vgg16_names() -> dict[str, str]:
    """For ``VGG16`` and torchvision's ``vgg16``, which compute the same."""
    names: dict[str, str] = {}
    layers = {f"conv{ours}": f"features.{there}" for ours, there in VGG16_CONVOLUTIONS.items()}
    layers |= {"fc6": "classifier.0", "fc7": "classifier.3", "fc8": "classifier.6"}
    for layer, there in layers.items():
        names |= {f"{layer}/W": f"{there}.weight", f"{layer}/b": f"{there}.bias"}
    return names


def resnet_names(n_layers: int = 50) -> dict[str, str]:
    """For ``ResNet`` and torchvision's ``resnet50``, ``resnet101`` and ``resnet152``.

    The parameters are the same ones, but not all that is done with them: torchvision has the
    stride in the second convolution of a bottleneck, a margin of one in the first pooling, and
    eps 1e-5. So outputs differ; train a little before use. Our ``conv1/b``, which has no
    counterpart, stays zero.

    Raises:
        ArgumentError: there is no such depth.
    """
    if n_layers not in RESNET_BLOCKS:
        raise ArgumentError(f"resnet_names: n_layers {n_layers}; there are 50, 101 and 152")
    names = {"conv1/W": "conv1.weight", "fc6/W": "fc.weight", "fc6/b": "fc.bias"}
    names |= statistics("bn1", "bn1")
    for stage, blocks in enumerate(RESNET_BLOCKS[n_layers], start=1):
        for block in range(blocks):
            here = f"res{stage + 1}/{f'b{block}' if block else 'a'}"
            there = f"layer{stage}.{block}"
            for n in (1, 2, 3):
                names[f"{here}/conv{n}/W"] = f"{there}.conv{n}.weight"
                names |= statistics(f"{here}/bn{n}", f"{there}.bn{n}")
            if block == 0:
                names[f"{here}/conv4/W"] = f"{there}.downsample.0.weight"
                names |= statistics(f"{here}/bn4", f"{there}.downsample.1")
    return names


def statistics(here: str, there: str) -> dict[str, str]:
    """The names of a batch normalisation."""
    return {f"{here}/{ours}": f"{there}.{name}" for ours, name in STATISTICS.items()}
