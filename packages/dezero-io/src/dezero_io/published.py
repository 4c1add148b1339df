"""Published weights of the book's models (its step 58): where they are."""

from __future__ import annotations

from pathlib import Path

from .download import fetch

MIRRORS = ("https://github.com/koki0702/dezero-models/releases/download/v0.1/",)
NAMES = ("vgg16.npz", "resnet50.npz", "resnet101.npz", "resnet152.npz")


def published(name: str) -> Path | None:
    """The local path of published weights, downloaded if need be; None for an unknown name.

    They are looked for in the folder ``models`` of `data_folder`, then of the cache folder.
    The README of the weights gives no checksums (docs/adr/0006); loading compares every key, shape
    and dtype with the model.

    Raises:
        DataMissing: they are in neither folder, and cannot be downloaded.
    """
    return fetch(f"models/{name}", [name], MIRRORS) if name in NAMES else None
