"""Register the weight formats of dezero-io, and a function that downloads published weights."""

from __future__ import annotations

from pathlib import Path

from dezero_core.extend import DEZERO_API, WeightFormat, hookimpl

from .data.download import fetch
from .weights import npz, safetensors
from .weights.safetensors_header import SUFFIX

MIRRORS = ("https://github.com/koki0702/dezero-models/releases/download/v0.1/",)
PUBLISHED_WEIGHTS = ("vgg16.npz", "resnet50.npz", "resnet101.npz", "resnet152.npz")

__all__ = ["DEZERO_API", "dezero_fetch", "dezero_weight_formats"]


@hookimpl
def dezero_weight_formats() -> list[WeightFormat]:
    """Return the two weight formats: npz, which `numpy.load` can also read, and safetensors."""
    return [
        WeightFormat(".npz", npz.write, npz.read, npz.headers),
        WeightFormat(
            SUFFIX,
            safetensors.write,
            safetensors.read,
            safetensors.headers,
            safetensors.needs,
        ),
    ]


@hookimpl(tryfirst=True)
def dezero_fetch(name: str) -> Path | None:
    """Return the local path of a published weight file; download it if necessary.

    Return None if no weight file with this name is published. Look in the folder ``models`` of
    `data_folder`, then in ``models`` of the cache folder. The publisher of the weights gives no
    checksum (docs/adr/0006), so loading compares every key, shape and dtype with the model. A
    plugin with ``tryfirst``, such as a mirror, is called before this one; a plugin without
    ``tryfirst`` is called after this one.

    Raises:
        DataMissing: the file is not in these two folders, and cannot be downloaded.
    """
    is_published = name in PUBLISHED_WEIGHTS
    return fetch(f"models/{name}", [name], MIRRORS) if is_published else None
